"""BMP, PNG, JPEG and TIFF."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import BmpImagePlugin, Image, JpegImagePlugin, PngImagePlugin, TiffImagePlugin

from drifa.data.reading import jpeg, png, tiff
from drifa.data.reading.blocks import to_bytes
from drifa.data.reading.files import damaged, mapped, unsupported
from drifa.errors import DrifaError

SUFFIXES = (".bmp", ".png", ".jpg", ".jpeg", ".tif", ".tiff")
_EIGHT_BIT_GREY = ("1", "L")
_SIXTEEN_BIT = ("I;16", "I;16B", "I;16L", "I;16N", "I")
# The classes themselves, not Image.open: that one judges sizes by a global of the process, we by the caller's limit.
_OPENERS: dict[bytes, Any] = {
    b"BM": BmpImagePlugin.BmpImageFile,
    png.SIGNATURE: PngImagePlugin.PngImageFile,
    b"\xff\xd8\xff": JpegImagePlugin.JpegImageFile,
    b"II*\0": TiffImagePlugin.TiffImageFile,
    b"MM\0*": TiffImagePlugin.TiffImageFile,
    b"II+\0": TiffImagePlugin.TiffImageFile,
    b"MM\0+": TiffImagePlugin.TiffImageFile,
}
# What to do for each value of the EXIF tag 0x0112 (orientation).
_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def is_raster(head: bytes) -> bool:
    """Whether a file's first bytes are those of one of these formats."""
    return head.startswith(tuple(_OPENERS))


def suffix_of(head: bytes) -> str:
    """How the names of such files end, by their first bytes; empty for other formats."""
    opener = next((opener for magic, opener in _OPENERS.items() if head.startswith(magic)), None)
    return "" if opener is None else {"JPEG": ".jpg", "TIFF": ".tif"}.get(opener.format, f".{opener.format.lower()}")


def read_raster(path: Path, head: bytes, max_pixels: float) -> np.ndarray:
    """Decodes a file; see :func:`drifa.data.reading.images.read_image` for what is done to its pixels.

    Shape:
        uint8 [H, W] or [H, W, 3].

    Raises:
        DrifaError: Damaged, too large, of several pages, or of a kind that is not read or has no natural 8-bit scale.
    """
    opener = next(opener for magic, opener in _OPENERS.items() if head.startswith(magic))
    page = tiff.survey(path, head) if opener is TiffImagePlugin.TiffImageFile else None
    source: Any = path
    survey = None
    chunks = b""
    if opener is PngImagePlugin.PngImageFile:
        # Its size stands first, and tells whether the rest is worth reading.
        _check_size(int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big"), path, max_pixels)
        with mapped(path) as content:
            chunks = png.pixel_chunks(content, path)
        png.check_transparency(chunks, path)
        source = io.BytesIO(chunks)
    elif opener is JpegImagePlugin.JpegImageFile:
        with mapped(path) as content:
            survey = jpeg.survey(content)
            jpeg.check_ordinary(survey, path)
            if survey.scans and not survey.complete:
                # A tail of zeros, as of a download that was given its room at once, is decoded to grey without a word.
                raise damaged(path, f"the {survey.kind} has no end")
            source = io.BytesIO(jpeg.pixel_segments(content))
    try:
        image = opener(source)
    except Exception as error:
        # A BMP has nothing but its header here, so what Pillow cannot open is a kind that it does not know.
        if page:
            raise unsupported(path, page.kind) from None
        if head.startswith(b"BM") and len(head) > 54:
            raise unsupported(path, f"is a BMP of a rare kind ({error})") from None
        raise damaged(path, error) from None
    with image:
        try:
            _check_size(image.width, image.height, path, max_pixels)
            # A phone's JPEG may carry a preview as its second frame; of a TIFF a page would be dropped silently.
            if page and image.n_frames > 1:
                raise DrifaError(
                    f"image {path} has {image.n_frames} pages; a row of a study is one image: save the page you mean"
                )
            _forget_notes(image)
            colours = _palette_size(image) if page is None else None
            image.load()
            _check_palette(image, colours, path)
            if chunks:
                _mend_png(image, chunks, path)
        except DrifaError:
            raise
        except Image.DecompressionBombError:
            raise DrifaError(f"image {path} is too large for Pillow's TIFF reader; scale it down, or save it as PNG") from None
        except Exception as error:
            if page and not page.always_read:
                raise unsupported(path, page.kind) from None
            if survey and survey.complete and survey.process not in (0xC0, 0xC1, 0xC2):
                raise unsupported(path, f"is a {survey.kind}") from None
            raise damaged(path, error) from None
        return _pixels(_turned(image), page, path)


def pixels_of(image: Image.Image, place: Path) -> np.ndarray:
    """What :func:`read_raster` gives for a picture that is open already: turned as its camera says, on black, with 8 bits.

    Args:
        image: The picture; 16 bits are taken as 0 to 65535.
        place: How errors call it.

    Shape:
        uint8 [H, W] or [H, W, 3].
    """
    image.load()  # by which a TIFF is turned already
    return _pixels(_turned(image), None, place)


def _check_size(width: int, height: int, path: Path, max_pixels: float) -> None:
    if width * height > max_pixels:
        raise DrifaError(f"image {path} has {width}x{height} pixels, more than {max_pixels / 1e6:g} megapixels; scale it down")


def _palette_size(image: Image.Image) -> int | None:
    """How many colours the palette of a BMP or PNG holds; Pillow fills it up once the pixels are there."""
    if image.mode != "P":
        return None
    palette = image.palette
    return 0 if palette is None else len(palette.palette) // len(palette.rawmode or palette.mode)


def _check_palette(image: Image.Image, colours: int | None, path: Path) -> None:
    if colours is not None and int(np.asarray(image).max(initial=0)) >= colours:
        raise DrifaError(
            f"image {path} uses colour number {np.asarray(image).max()}, but its palette has {colours}; save it again as RGB "
            f"where it was made"
        )


def _mend_png(image: Image.Image, chunks: bytes, path: Path) -> None:
    """Sees what Pillow passes over: missing rows, and the scale of a transparent grey value."""
    # A picture whose last two rows hold something is whole; the rest is unpacked once more.
    if not all(row.any() for row in np.asarray(image)[-2:]) and png.is_short(chunks):
        raise damaged(path, f"its rows end before the {image.height} of its header")
    if image.mode == "L" and isinstance(image.info.get("transparency"), int):
        image.info["transparency"] = png.transparent_level(chunks, image.info["transparency"])


def _forget_notes(image: Image.Image) -> None:
    # Pillow's TIFF reader looks into every note on its way to the pixels, and stumbles over odd ones.
    if not isinstance(image.info.get("xmp", b""), bytes):
        del image.info["xmp"]
    try:
        notes = image.getexif()
        for tag in set(notes) - {_ORIENTATION}:
            del notes[tag]
    except Exception:
        return


def _turned(image: Image.Image) -> Image.Image:
    try:
        turn = _TURNS.get(image.getexif().get(_ORIENTATION, 1))
    except Exception:
        return image  # the camera's notes are unreadable, the pixels are not
    return image if turn is None else image.transpose(turn)


def _pixels(image: Image.Image, page: tiff.Tiff | None, path: Path) -> np.ndarray:
    if image.mode in _SIXTEEN_BIT:
        return _sixteen_bit(image, page, path)
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        if image.getchannel("A").getextrema()[1] == 0:
            raise DrifaError(
                f"image {path} is transparent everywhere, so that nothing of it is seen; save it without its alpha channel"
            )
        image = Image.alpha_composite(Image.new("RGBA", image.size, (0, 0, 0, 255)), image).convert("RGB")
    return np.asarray(image.convert("L" if image.mode in _EIGHT_BIT_GREY else "RGB"))


def _sixteen_bit(image: Image.Image, page: tiff.Tiff | None, path: Path) -> np.ndarray:
    values = np.asarray(image)
    if page and page.sample_format == 1 and values.dtype == np.int32:
        values = values.view(np.uint32)  # Pillow knows signed ones only
    if values.min() < 0 or values.max() > 65535:
        raise DrifaError(f"image {path} holds {values.min()} to {values.max()}; window it to 8 or 16 bits, as 0 to 65535")
    # 12 bits are a kind of TIFF with white at 4095, while 16 bits of which 12 are used cannot be told from the header.
    white = 2**page.bits - 1 if page and page.bits < 16 else 65535
    pixels = to_bytes(values, lambda block: block.astype(np.uint32) * 255 // white)
    if isinstance(image.info.get("transparency"), int):
        pixels[values == image.info["transparency"]] = 0
    # Pillow turns scales with white at 0 around, but not those of 16 bits.
    return 255 - pixels if page and page.white_is_zero else pixels
