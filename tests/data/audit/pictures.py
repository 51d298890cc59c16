"""Random pictures with structure at all scales, for the tests of near duplicates."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image


def scene(seed: int, height: int = 120, width: int = 160) -> Image.Image:
    """A random picture with structure at all scales and an outline that all of them share."""
    random = np.random.default_rng(seed)
    pixels = np.zeros((height, width, 3))
    for cells in (4, 8, 16, 32):
        noise = Image.fromarray(random.integers(0, 256, (cells, cells, 3), dtype=np.uint8))
        pixels += np.asarray(noise.resize((width, height), Image.Resampling.BICUBIC)) / 4
    rows, columns = np.ogrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    return Image.fromarray((pixels * ((rows**2 + columns**2) < 0.8)[:, :, None]).clip(0, 255).astype(np.uint8))


def jpeg(image: Image.Image) -> Image.Image:
    """The picture after a lossy trip through JPEG."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=50)
    return Image.open(file).convert("RGB")
