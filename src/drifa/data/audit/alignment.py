"""Whether two small pictures show the same thing: fine structure, aligned and correlated block by block.

Pictures of one kind (brains, CT slices, cells) share outline and shading, so that plain correlation takes them all for twins.
Here both are first reduced to their fine structure at equal local contrast; then one is shifted and slightly stretched onto the
other (least squares, as by Lucas & Kanade, 1981); then the whole window and three quarters of its blocks must agree.
"""

from __future__ import annotations

import numpy as np

#: Side of the pictures that are compared, in pixels.
SIDE = 64
#: Pixels at each edge that only serve as room for the shift.
MARGIN = 4
_BLOCKS = 4


def fine_structure(pictures: np.ndarray, small: float = 0.8, large: float = 2.5) -> np.ndarray:
    """Removes shading and equalises local contrast.

    Args:
        pictures: Grey values, 0 to 255.
        small: Scale of noise to smooth away, in pixels.
        large: Scale of shading to remove, in pixels.

    Shape:
        [N, H, W] -> float32 [N, H, W].
    """
    from scipy.ndimage import gaussian_filter

    values = pictures.astype(np.float32)
    detail = gaussian_filter(values, (0, small, small)) - gaussian_filter(values, (0, large, large))
    local = np.sqrt(gaussian_filter(detail * detail, (0, large, large)))
    # Away from the edges: the black strip that a shift leaves there must not change what counts as much.
    overall = local[:, MARGIN:-MARGIN, MARGIN:-MARGIN].mean(axis=(1, 2), keepdims=True)
    # The constants keep noise in flat regions, and in a flat picture, from being blown up to structure.
    return detail / (local + 0.2 * overall + 0.5)


def turn(pictures: np.ndarray, orientation: int) -> np.ndarray:
    """One of the eight turns and flips of a square: bit 2 transposes, then bit 0 mirrors columns and bit 1 rows."""
    if orientation & 4:
        pictures = np.swapaxes(pictures, -1, -2)
    if orientation & 1:
        pictures = pictures[..., :, ::-1]
    if orientation & 2:
        pictures = pictures[..., ::-1, :]
    return pictures


def best_shift(first: np.ndarray, second: np.ndarray, reach: int) -> tuple[np.ndarray, np.ndarray]:
    """The whole-pixel shift at which two pictures correlate best.

    Args:
        first: A picture of each pair.
        second: The other one.
        reach: Largest shift in pixels.

    Returns:
        ``(correlation, shift)`` of the centre of ``first`` with ``second``.

    Shape:
        first, second [P, H, W] -> [P], [P, 2] as (rows, columns).
    """
    height, width = first.shape[1] - 2 * reach, first.shape[2] - 2 * reach
    centre = _unit(first[:, reach : reach + height, reach : reach + width])
    best = np.full(len(first), -1.0, dtype=np.float32)
    shift = np.zeros((len(first), 2), dtype=np.float32)
    for row in range(2 * reach + 1):
        for column in range(2 * reach + 1):
            window = second[:, row : row + height, column : column + width]
            mean = window.mean(axis=(1, 2))
            power = np.einsum("phw,phw->p", window, window) - mean * mean * (height * width)
            found = np.einsum("phw,phw->p", centre, window) / np.sqrt(np.maximum(power, 1e-6))
            better = found > best
            best[better] = found[better]
            shift[better] = (row - reach, column - reach)
    return best, shift


def aligned_agreement(
    first: np.ndarray, second: np.ndarray, shift: np.ndarray, steps: int = 4
) -> tuple[np.ndarray, np.ndarray]:
    """Agreement of two pictures after ``second`` is moved and stretched by a few per cent onto ``first``.

    Args:
        first: A picture of each pair, from :func:`fine_structure`.
        second: The other one.
        shift: Where to begin, (rows, columns) in pixels.
        steps: Least-squares steps; the best of them counts.

    Returns:
        ``(whole, blocks)``: the correlation of the window, and the lower quartile of the correlations of its 16 blocks, those
        with next to no structure left out.

    Shape:
        first, second [P, H, W]; shift [P, 2] -> [P], [P].
    """
    side = first.shape[1] - 2 * MARGIN
    inside = slice(MARGIN, MARGIN + side)
    centre = _unit(first[:, inside, inside])
    rows_slope, columns_slope = np.gradient(first, axis=(1, 2))
    scale = np.sqrt(((first[:, inside, inside]) ** 2).sum(axis=(1, 2)))[:, None, None] + 1e-6
    along = (np.arange(side, dtype=np.float32) - (side - 1) / 2) / side
    slopes = [rows_slope[:, inside, inside] / scale, columns_slope[:, inside, inside] / scale]
    factors = [slope * weight for slope in slopes for weight in (1.0, along[:, None], along[None, :])]
    design = np.stack(factors, axis=1).reshape(len(first), 6, -1)
    normal = design @ design.transpose(0, 2, 1)
    normal += 1e-3 * np.trace(normal, axis1=1, axis2=2)[:, None, None] / 6 * np.eye(6) + 1e-9 * np.eye(6)
    move = np.zeros((len(first), 6), dtype=np.float32)
    move[:, 0], move[:, 3] = shift[:, 0], shift[:, 1]
    best = np.full(len(first), -2.0, dtype=np.float32)
    kept = np.zeros_like(centre)
    for _ in range(steps + 1):
        window = _unit(_sample(second, move, along, side))
        found = np.einsum("phw,phw->p", centre, window)
        better = found > best
        best[better], kept[better] = found[better], window[better]
        wrong = (window - centre).reshape(len(first), -1)
        move -= np.linalg.solve(normal, design @ wrong[:, :, None])[:, :, 0].astype(np.float32)
        # Five pixels, and 4 % of stretch to each side of the centre: beyond it pictures are made alike, not found alike.
        move[:, [0, 3]] = move[:, [0, 3]].clip(-5, 5)
        move[:, [1, 2, 4, 5]] = move[:, [1, 2, 4, 5]].clip(-0.08 * side, 0.08 * side)
    return best, _block_quartile(centre, kept)


def _sample(pictures: np.ndarray, move: np.ndarray, along: np.ndarray, side: int) -> np.ndarray:
    """Bilinear samples of a moved window; outside the picture its edge is repeated."""
    base = np.arange(MARGIN, MARGIN + side, dtype=np.float32)
    m = move[:, :, None, None]
    rows = base[None, :, None] + m[:, 0] + m[:, 1] * along[None, :, None] + m[:, 2] * along[None, None, :]
    columns = base[None, None, :] + m[:, 3] + m[:, 4] * along[None, :, None] + m[:, 5] * along[None, None, :]
    height, width = pictures.shape[1:]
    rows, columns = rows.clip(0, height - 1.001), columns.clip(0, width - 1.001)
    top, left = rows.astype(np.int64), columns.astype(np.int64)
    down, right = (rows - top).astype(np.float32), (columns - left).astype(np.float32)
    flat = pictures.reshape(len(pictures), -1)
    place = (top * width + left).reshape(len(pictures), -1)

    def at(offset: int) -> np.ndarray:
        return np.take_along_axis(flat, place + offset, axis=1).reshape(rows.shape)

    upper = at(0) * (1 - right) + at(1) * right
    lower = at(width) * (1 - right) + at(width + 1) * right
    return upper * (1 - down) + lower * down


def _unit(windows: np.ndarray) -> np.ndarray:
    centred = windows - windows.mean(axis=(1, 2), keepdims=True)
    return centred / (np.sqrt((centred * centred).sum(axis=(1, 2), keepdims=True)) + 1e-6)


def _block_quartile(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    count, step = len(first), first.shape[1] // _BLOCKS

    def blocks(windows: np.ndarray) -> np.ndarray:
        cut = windows.reshape(count, _BLOCKS, step, _BLOCKS, step).transpose(0, 1, 3, 2, 4).reshape(count, _BLOCKS**2, -1)
        return cut - cut.mean(axis=2, keepdims=True)

    one, two = blocks(first), blocks(second)
    power = (one * one).sum(axis=2), (two * two).sum(axis=2)
    agreement = (one * two).sum(axis=2) / np.sqrt(power[0] * power[1] + 1e-12)
    structure = np.maximum(*power)
    agreement[structure < 0.1 * structure.mean(axis=1, keepdims=True)] = np.nan
    flat = np.isnan(agreement).all(axis=1)
    agreement[flat] = -1
    return np.nanquantile(agreement, 0.25, axis=1)
