"""Reading an image file: the one door through which pixels enter."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from drifa.errors import DrifaError

SUFFIXES = (".bmp", ".png", ".jpg", ".jpeg", ".tif", ".tiff")
_FORMATS = ("BMP", "PNG", "JPEG", "TIFF")
_EIGHT_BIT_GREY = ("1", "L")
_SIXTEEN_BIT = ("I;16", "I;16B", "I;16L", "I;16N", "I")


def read_image(path: str | Path, channels: int, max_megapixels: float = 100.0) -> np.ndarray:
    """Decodes a BMP, PNG, JPEG or TIFF file.

    The EXIF rotation is applied. Transparency is laid on black, the background of medical images. 16 bits become 8 by a fixed
    scale (65535 -> 255), never by the image's own range, which would make grey values incomparable; window images of fewer
    used bits beforehand. Grey becomes RGB by repetition, RGB becomes grey by its luma (ITU-R BT.601).

    Args:
        path: The file.
        channels: 1 (grey) or 3 (RGB).
        max_megapixels: Largest accepted image in 10^6 pixels, judged from the header before anything is decoded.

    Returns:
        Pixels, 0 to 255.

    Shape:
        uint8 [H, W, channels].

    Raises:
        DrifaError: The file is missing, empty, not an image of these formats, damaged, too large, of several pages, or of a
            pixel type without a natural 8-bit scale; the message names the path and the remedy.
    """
    path = Path(path)
    if not path.is_file():
        raise DrifaError(f"no image file at {path}; correct the study's paths or its root")
    if os.path.getsize(path) == 0:
        raise DrifaError(f"image {path} is empty (0 bytes); fetch it again, or remove its row from the study")
    try:
        with Image.open(path, formats=_FORMATS) as image:
            width, height = image.size
            if width * height > max_megapixels * 1e6:
                raise DrifaError(
                    f"image {path} has {width}x{height} pixels, more than {max_megapixels:g} megapixels; scale it down"
                )
            # A phone's JPEG may carry a preview as its second frame; in the other formats a page would be dropped silently.
            pages = getattr(image, "n_frames", 1)
            if pages > 1 and image.format in ("TIFF", "PNG"):
                raise DrifaError(f"image {path} has {pages} pages; a row of a study is one image: save the page you mean")
            image.load()
            return _pixels(ImageOps.exif_transpose(image), channels, path)
    except DrifaError:
        raise
    except UnidentifiedImageError:
        raise DrifaError(f"{path} is not a {', '.join(_FORMATS)} image; convert it to PNG, or remove its row") from None
    except Image.DecompressionBombError:
        raise DrifaError(f"image {path} is larger than the allowed {max_megapixels:g} megapixels; scale it down") from None
    except Exception as error:
        # Decoders meet damaged bytes with many exception types (OSError, SyntaxError, struct.error, ...); all mean the same.
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DrifaError(f"image {path} is damaged or cut short ({reason}); fetch it again, or remove its row") from None


def resize(image: np.ndarray, size: int) -> np.ndarray:
    """Stretches an image to a square, as the paper does; shrinking averages over the area (antialiased bilinear).

    Args:
        image: Pixels.
        size: Side in pixels.

    Shape:
        uint8 [H, W, C] with C of 1 or 3 -> uint8 [size, size, C].
    """
    picture = Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image)
    return np.asarray(picture.resize((size, size), Image.Resampling.BILINEAR)).reshape(size, size, image.shape[2])


def _pixels(image: Image.Image, channels: int, path: Path) -> np.ndarray:
    if image.mode in _SIXTEEN_BIT:
        values = np.asarray(image)
        if values.min() < 0 or values.max() > 65535:
            raise DrifaError(f"image {path} holds {values.min()} to {values.max()}; window it to 8 or 16 bits, as 0 to 65535")
        image = Image.fromarray((values.astype(np.uint32) * 255 // 65535).astype(np.uint8))
    elif image.mode == "F":
        raise DrifaError(f"image {path} holds floating-point pixels, whose range is unknown; window it to 8 or 16 bits")
    elif image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, (0, 0, 0, 255)), image).convert("RGB")
    elif image.mode not in _EIGHT_BIT_GREY:
        image = image.convert("RGB")
    image = image.convert("L" if channels == 1 else "RGB")
    return np.asarray(image).reshape(image.height, image.width, channels)
