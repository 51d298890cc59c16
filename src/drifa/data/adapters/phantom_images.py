"""How the phantom's images are painted: vectorised over subjects, all lengths in units of the image's side.

Each painter takes class indices [B], marker flags [B], per-patient constants in [0, 1) [B, 4], a size in pixels and a random
generator, and returns uint8 pixels, the lesion's size (of a photo its mean radius, of ultrasound its depth), and a mask of what
lies where: :data:`LESION`, :data:`MARKER`, else 0. Nuisance (place, scale, rotation, lighting, texture, noise) is drawn
independently of all of these.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Draw = Callable[[float, float], np.ndarray]
#: Values of a mask. The two never overlap; an image without the marker has none of it, whatever stands in for its grey values.
LESION, MARKER = 1, 2


def photo_images(
    surface: np.ndarray, halo: np.ndarray, habitus: np.ndarray, size: int, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Dermoscopy-like photographs: uint8 [B, size, size, 3], the lesion's mean radius [B], and masks.

    ``surface``: 0 smooth, 1 ragged, 2 network.
    """
    count = len(surface)
    y, x = _grid(size)
    draw = _drawer(count, random)
    angle, distance = _polar(x, y, draw(0.42, 0.58), draw(0.42, 0.58), draw(0.8, 1.25), draw(0, np.pi))
    # Border: slow waves for everyone, fast deep ones for the ragged lesion.
    mean_radius = draw(0.17, 0.24)
    radius = mean_radius * (1 + _waves(angle, (2, 3), 0.07, draw))
    radius = radius * (1 + (surface == 1)[:, None, None] * _waves(angle, (7, 10, 13), 0.13, draw))
    inside = _step(radius - distance, 0.012)

    melanin = 0.25 + 0.55 * habitus[:, 0, None, None] + draw(-0.06, 0.06)
    skin = _blend(melanin, (0.95, 0.78, 0.69), (0.66, 0.47, 0.37))
    skin = skin * (1 + 0.05 * _noise(count, size, 6, random))[..., None]
    pigment = _blend(draw(0, 1), (0.48, 0.28, 0.20), (0.30, 0.18, 0.15)) * draw(0.85, 1.2)[..., None]
    # Network: a dark mesh over the lesion; the others get soft mottling of like contrast.
    pitch, turn, phase = draw(0.08, 0.11), draw(0, np.pi), draw(0, 2 * np.pi)
    along, across = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    mesh = np.cos(2 * np.pi * along / pitch + phase) + np.cos(2 * np.pi * across / pitch + phase)
    mottle = np.where((surface == 2)[:, None, None], 0.32 * np.clip(mesh, -1, 1), 0.18 * _noise(count, size, 8, random))
    image = skin + inside[..., None] * (pigment * (1 + mottle)[..., None] - skin)

    # The marker: a pale ring a little outside the border. Those without it get a paler patch elsewhere of about its area.
    gap = distance - radius
    ring = _step(gap - 0.02, 0.01) * _step(0.075 - gap, 0.01)
    _, far = _polar(x, y, draw(0.0, 1.0), draw(0.0, 1.0), draw(0.7, 1.4), draw(0, np.pi))
    patch = _step(0.17 - far, 0.05) * (1 - inside)
    pale = np.where(halo[:, None, None], ring, patch) * draw(0.5, 0.8)
    image = image + pale[..., None] * (np.array([0.99, 0.93, 0.9], dtype=np.float32) * draw(0.9, 1.0)[..., None] - image)

    image = image * (1 - 0.75 * _hairs(count, size, random, draw))[..., None]
    slope, turn = draw(0, 0.35), draw(0, 2 * np.pi)
    light = 1 + slope * ((x - 0.5) * np.cos(turn) + (y - 0.5) * np.sin(turn))
    vignette = 1 - draw(0, 0.5) * ((x - 0.5) ** 2 + (y - 0.5) ** 2)
    tint = 1 + 0.06 * (random.random((count, 1, 1, 3), dtype=np.float32) - 0.5)
    image = image * (light * vignette * (0.85 + 0.25 * habitus[:, 1, None, None]))[..., None] * tint
    return (
        _to_bytes(image + 0.02 * random.standard_normal(image.shape, dtype=np.float32)),
        mean_radius[:, 0, 0],
        _mask(inside, ring, halo),
    )


def ultrasound_images(
    depth: np.ndarray, shadow: np.ndarray, habitus: np.ndarray, size: int, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ultrasound-like images, probe at the top: uint8 [B, size, size], the lesion's depth [B], and masks.

    ``depth``: 0 thin, 1 thick, 2 deep.
    """
    count = len(depth)
    y, x = _grid(size)
    draw = _drawer(count, random)
    wave = 0.015 * np.sin(2 * np.pi * (x * draw(0.5, 2) + draw(0, 1))) + draw(-0.06, 0.06) * (x - 0.5)
    skin = draw(0.06, 0.1) + wave
    dermis = skin + draw(0.3, 0.36) + 0.5 * wave
    echo: np.ndarray = np.where(y < skin, 0.06, np.where(y < dermis, 0.5, 0.33)).astype(np.float32)
    echo = echo + 0.45 * np.exp(-(((y - skin) / 0.018) ** 2)) + 0.25 * np.exp(-(((y - dermis) / 0.016) ** 2))
    fibres = _noise(count, size, 5, random) * (y > dermis)
    echo = echo * (1 + 0.25 * fibres)

    # The lesion hangs below the skin line: flat, round, or a tall wedge through the dermis.
    width = np.array((0.25, 0.17, 0.115), dtype=np.float32)[depth, None, None] * draw(0.88, 1.12)
    height = np.array((0.065, 0.15, 0.27), dtype=np.float32)[depth, None, None] * draw(0.88, 1.12)
    centre_x, centre_y = draw(0.36, 0.64), skin + 0.03 + height
    tilt = draw(-0.2, 0.2)
    across, down = (x - centre_x) + tilt * (y - centre_y), y - centre_y
    angle = np.arctan2(down / height, across / width)
    reach = np.hypot(across / width, down / height) / (1 + _waves(angle, (2, 3, 5), 0.06, draw))
    inside = _step(1 - reach, 0.06)
    echo = echo + inside * (draw(0.08, 0.14) - echo)

    # The marker: a dark column below the lesion. Those without it get a like column beside it, as of a hair, so that
    # neither the mean nor the spread of the grey values gives the marker away. Where a column begins and stands does not
    # depend on the kind of lesion, which it would tell.
    beside = np.where(centre_x < 0.5, 0.32, -0.32)
    off_axis = np.abs((x - centre_x) + tilt * (y - skin - 0.2) - np.where(shadow[:, None, None], 0, beside))
    column = _step(y - (skin + draw(0.5, 0.6)), 0.03) * _step(draw(0.08, 0.1) - off_axis, 0.02)
    echo = echo * (1 - (1 - inside) * column * draw(0.7, 0.88))

    echo = echo * np.exp(-draw(0.2, 1.0) * y) * (0.75 + 0.5 * habitus[:, 2, None, None]) * draw(0.85, 1.15)
    # Rayleigh noise is the root of exponential noise.
    fine, coarse = np.sqrt(1.28 * random.standard_exponential((2, count, size, size), dtype=np.float32))
    speckle = 0.5 * fine + 0.5 * (coarse + np.roll(coarse, 1, axis=2)) / 2
    # Log compression, as scanners do; the floor is the electronic noise.
    image = np.log1p(12 * echo * speckle) / np.log(12) + 0.02 * random.standard_normal(echo.shape, dtype=np.float32)
    return _to_bytes(image), 2 * height[:, 0, 0], _mask(inside, column, shadow)


def _drawer(count: int, random: np.random.Generator) -> Draw:
    """Draws one uniform number per subject, shaped to meet images."""
    return lambda low, high: random.uniform(low, high, (count, 1, 1)).astype(np.float32)


def _grid(size: int) -> tuple[np.ndarray, np.ndarray]:
    centre = (np.arange(size, dtype=np.float32) + 0.5) / size
    return centre[None, :, None], centre[None, None, :]


def _polar(
    x: np.ndarray, y: np.ndarray, centre_x: np.ndarray, centre_y: np.ndarray, stretch: np.ndarray, turn: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Angle and distance from a centre on a plane that is turned, then stretched along one axis at equal area."""
    u, v = x - centre_x, y - centre_y
    along, across = u * np.cos(turn) + v * np.sin(turn), v * np.cos(turn) - u * np.sin(turn)
    root = np.sqrt(stretch)
    return np.arctan2(across * root, along / root), np.hypot(across * root, along / root)


def _waves(angle: np.ndarray, orders: tuple[int, ...], amplitude: float, draw: Draw) -> np.ndarray:
    """A periodic function of the angle: one cosine per order, with random strength and phase."""
    waves = [draw(0.5, 1) * np.cos(order * angle + draw(0, 2 * np.pi)) for order in orders]
    return amplitude * np.sum(waves, axis=0)


def _noise(count: int, size: int, cells: int, random: np.random.Generator) -> np.ndarray:
    """Smooth noise of unit order with about `cells` blobs along a side: [B, size, size]."""
    coarse = random.standard_normal((count, cells + 2, cells + 2), dtype=np.float32)
    position = np.linspace(0.5, cells + 0.5, size, dtype=np.float32)
    low = position.astype(int)
    part = position - low
    part = part * part * (3 - 2 * part)
    rows = coarse[:, low] * (1 - part)[None, :, None] + coarse[:, low + 1] * part[None, :, None]
    return rows[:, :, low] * (1 - part) + rows[:, :, low + 1] * part


def _step(value: np.ndarray, softness: float) -> np.ndarray:
    """0 below, 1 above zero, with an edge of about `softness`."""
    return 0.5 * (1 + np.tanh(value / softness))


def _blend(amount: np.ndarray, low: tuple[float, ...], high: tuple[float, ...]) -> np.ndarray:
    first, last = np.array(low, dtype=np.float32), np.array(high, dtype=np.float32)
    return first + amount[..., None] * (last - first)


def _hairs(count: int, size: int, random: np.random.Generator, draw: Draw) -> np.ndarray:
    """Opacity of up to four thin bent hairs: [B, size, size]."""
    y, x = _grid(size)
    total = np.zeros((count, size, size), dtype=np.float32)
    for _ in range(4):
        turn = draw(0, np.pi)
        along = (x - 0.5) * np.cos(turn) + (y - 0.5) * np.sin(turn)
        across = (y - 0.5) * np.cos(turn) - (x - 0.5) * np.sin(turn)
        line = np.abs(across - draw(-0.5, 0.5) - draw(-0.6, 0.6) * along**2)
        total = np.maximum(total, (draw(0, 1) < 0.45) * np.exp(-((line / draw(0.006, 0.011)) ** 2)))
    return total


def _mask(lesion: np.ndarray, marker: np.ndarray, marked: np.ndarray) -> np.ndarray:
    """What covers at least half of each pixel, from opacities: uint8 [B, size, size]."""
    there = (marker >= 0.5) & marked[:, None, None]
    return np.where(lesion >= 0.5, LESION, np.where(there, MARKER, 0)).astype(np.uint8)


def _to_bytes(image: np.ndarray) -> np.ndarray:
    return np.clip(np.round(255 * image), 0, 255).astype(np.uint8)
