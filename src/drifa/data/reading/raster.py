"""BMP, PNG, JPEG and TIFF."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import BmpImagePlugin, Image, ImageOps, JpegImagePlugin, PngImagePlugin, TiffImagePlugin

from drifa.data.reading.files import damaged
from drifa.errors import DrifaError

SUFFIXES = (".bmp", ".png", ".jpg", ".jpeg", ".tif", ".tiff")
_EIGHT_BIT_GREY = ("1", "L")
_SIXTEEN_BIT = ("I;16", "I;16B", "I;16L", "I;16N", "I")
# The classes themselves, not Image.open: that one judges sizes by a global of the process, we by the caller's limit.
_OPENERS: dict[bytes, Any] = {
    b"BM": BmpImagePlugin.BmpImageFile,
    b"\x89PNG\r\n\x1a\n": PngImagePlugin.PngImageFile,
    b"\xff\xd8\xff": JpegImagePlugin.JpegImageFile,
    b"II*\0": TiffImagePlugin.TiffImageFile,
    b"MM\0*": TiffImagePlugin.TiffImageFile,
    b"II+\0": TiffImagePlugin.TiffImageFile,
    b"MM\0+": TiffImagePlugin.TiffImageFile,
}


_PHOTOMETRIC, _WHITE_IS_ZERO = 262, 0
_SAMPLE_FORMAT, _SIGNED = 339, 2


def is_raster(head: bytes) -> bool:
    """Whether a file's first bytes are those of one of these formats."""
    return head.startswith(tuple(_OPENERS))


def read_raster(path: Path, head: bytes, max_pixels: float) -> np.ndarray:
    """Decodes a file; see :func:`drifa.data.reading.images.read_image` for what is done to its pixels.

    Shape:
        uint8 [H, W] or [H, W, 3].

    Raises:
        DrifaError: Damaged, too large, of several pages, or of a pixel type without a natural 8-bit scale.
    """
    opener = next(opener for magic, opener in _OPENERS.items() if head.startswith(magic))
    try:
        with open(path, "rb") as file, opener(file, str(path)) as image:
            width, height = image.size
            if width * height > max_pixels:
                raise DrifaError(
                    f"image {path} has {width}x{height} pixels, more than {max_pixels / 1e6:g} megapixels; scale it down"
                )
            # A phone's JPEG may carry a preview as its second frame; in the other formats a page would be dropped silently.
            pages = getattr(image, "n_frames", 1)
            if pages > 1 and image.format in ("TIFF", "PNG"):
                raise DrifaError(f"image {path} has {pages} pages; a row of a study is one image: save the page you mean")
            _check_sign(image, path)
            image.load()
            # Pillow turns scales with white at 0 around, but not those of 16 bits.
            inverted = image.mode in _SIXTEEN_BIT and _tiff_tag(image, _PHOTOMETRIC) == _WHITE_IS_ZERO
            pixels = _pixels(ImageOps.exif_transpose(image), path)
            return 255 - pixels if inverted else pixels
    except DrifaError:
        raise
    except Image.DecompressionBombError:
        raise DrifaError(f"image {path} is too large for Pillow's TIFF reader; scale it down, or save it as PNG") from None
    except Exception as error:
        raise damaged(path, error) from None


def _tiff_tag(image: Image.Image, number: int) -> Any:
    value = image.tag_v2.get(number) if isinstance(image, TiffImagePlugin.TiffImageFile) else None
    return value[0] if isinstance(value, tuple) else value


def _check_sign(image: Image.Image, path: Path) -> None:
    # Pillow would read the bytes of negative numbers as bright pixels.
    if image.mode in _EIGHT_BIT_GREY and _tiff_tag(image, _SAMPLE_FORMAT) == _SIGNED:
        raise DrifaError(f"image {path} holds signed 8-bit pixels, -128 to 127; save it with unsigned ones, 0 to 255")


def _pixels(image: Image.Image, path: Path) -> np.ndarray:
    if image.mode in _SIXTEEN_BIT:
        values = np.asarray(image)
        if values.min() < 0 or values.max() > 65535:
            raise DrifaError(f"image {path} holds {values.min()} to {values.max()}; window it to 8 or 16 bits, as 0 to 65535")
        return (values.astype(np.uint32) * 255 // 65535).astype(np.uint8)
    if image.mode == "F":
        raise DrifaError(f"image {path} holds floating-point pixels, whose range is unknown; window it to 8 or 16 bits")
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, (0, 0, 0, 255)), image).convert("RGB")
    return np.asarray(image.convert("L" if image.mode in _EIGHT_BIT_GREY else "RGB"))
