"""What a TIFF says about its pixels: what Pillow would read wrongly, or not at all, is told before it is decoded.

References:
    Adobe, TIFF 6.0: baseline tags. BigTIFF differs in the width of offsets only.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from PIL import TiffImagePlugin

from drifa.data.reading.files import damaged, unsupported
from drifa.errors import DrifaError

_UNSIGNED, _SIGNED, _FLOAT = 1, 2, 3
_WHITE_IS_ZERO, _YCBCR = 0, 6
# Photometric interpretations beside grey, RGB and palettes; what the pixels mean where Pillow does not know.
_MEANINGS = {_WHITE_IS_ZERO: "white at zero", 4: "a mask", 5: "CMYK", _YCBCR: "YCbCr", 8: "CIELab", 9: "ICCLab", 10: "ITULab"}
_MEANINGS |= {32803: "a sensor's mosaic", 34892: "raw colours of a sensor"}
_COMPRESSIONS = {
    2: "CCITT 1D",
    3: "CCITT group 3",
    4: "CCITT group 4",
    5: "LZW",
    6: "old JPEG",
    7: "JPEG",
    8: "Deflate",
    32773: "PackBits",
    32946: "Deflate",
    33003: "JPEG 2000",
    33005: "JPEG 2000",
    34712: "JPEG 2000",
    34887: "LERC",
    34925: "LZMA",
    50000: "Zstandard",
    50001: "WebP",
    50002: "JPEG XL",
}
# Every build of Pillow unpacks these; where it fails, their bytes are at fault.
_ALWAYS_READ = (1, 2, 3, 4, 5, 7, 8, 32773, 32946)


@dataclass(frozen=True)
class Tiff:
    """The pixel tags of a TIFF's first page.

    Args:
        bits: Per sample.
        sample_format: 1 unsigned, 2 signed, 3 floating point.
        channels: Samples per pixel.
        planar: Whether each channel is stored by itself.
        compression: Its code.
        photometric: Code of what the numbers mean.
    """

    bits: int
    sample_format: int
    channels: int
    planar: bool
    compression: int
    photometric: int

    @property
    def white_is_zero(self) -> bool:
        """Whether small numbers are bright."""
        return self.photometric == _WHITE_IS_ZERO

    @property
    def kind(self) -> str:
        """In words, as a verb phrase."""
        number = {_UNSIGNED: "", _SIGNED: " signed", _FLOAT: " floating-point"}.get(self.sample_format, " complex or untyped")
        packed = (
            ""
            if self.compression == 1
            else f", compressed by {_COMPRESSIONS.get(self.compression, 'code')} ({self.compression})"
        )
        meaning = f", {_MEANINGS[self.photometric]}" if self.photometric in _MEANINGS else ""
        planes = ", in planes" if self.planar else ""
        return f"holds {self.channels} channels of{number} {self.bits} bits{meaning}{planes}{packed}"

    @property
    def always_read(self) -> bool:
        """Whether Pillow surely knows the compression, so that a failure means damage."""
        return self.compression in _ALWAYS_READ


def survey(path: Path, head: bytes) -> Tiff:
    """Reads the tags of the first page.

    Raises:
        DrifaError: The file ends before its tags or its pixels; or its pixels are of a kind that Pillow reads wrongly.
    """
    with open(path, "rb") as file:
        tags = _tags(file, path, head)
    size = os.stat(path).st_size
    for offsets, counts in ((273, 279), (324, 325)):
        ends = [offset + count for offset, count in zip(_values(tags, offsets), _values(tags, counts), strict=False)]
        if ends and max(ends) > size:
            raise damaged(path, f"pixels up to byte {max(ends)} announced, {size} bytes found")
    bits, formats = set(_values(tags, 258) or [1]), set(_values(tags, 339) or [_UNSIGNED])
    if len(bits) > 1 or len(formats) > 1:
        raise unsupported(path, f"mixes channels of {sorted(bits)} bits and sample formats {sorted(formats)}")
    tiff = Tiff(
        bits=bits.pop(),
        sample_format=formats.pop(),
        channels=(_values(tags, 277) or [1])[0],
        planar=_values(tags, 284) == [2],
        compression=(_values(tags, 259) or [1])[0],
        photometric=(_values(tags, 262) or [1])[0],
    )
    _check(tiff, path)
    return tiff


def _check(tiff: Tiff, path: Path) -> None:
    if tiff.sample_format == _FLOAT:
        raise DrifaError(f"image {path} holds floating-point pixels, whose range is unknown; window it to 8 or 16 bits")
    if tiff.sample_format == _SIGNED and (tiff.bits <= 8 or tiff.channels > 1):
        # Pillow would read the bytes of negative numbers as bright pixels.
        low, high = -(2 ** (tiff.bits - 1)), 2 ** (tiff.bits - 1) - 1
        top = 2**tiff.bits - 1
        raise DrifaError(
            f"image {path} holds signed {tiff.bits}-bit pixels, {low} to {high}; save it with unsigned ones, 0 to {top}"
        )
    if tiff.sample_format not in (_UNSIGNED, _SIGNED):
        raise unsupported(path, tiff.kind)
    if tiff.photometric == _YCBCR and tiff.channels > 1 and tiff.compression == 1:
        # Pillow takes four bytes for each pixel, and its colours for RGB; what is compressed goes through libtiff, which knows.
        raise unsupported(path, f"{tiff.kind}, uncompressed", "save it with the colours RGB, or as PNG")
    if tiff.planar and tiff.channels > 1 and tiff.bits != 8:
        # Pillow mixes the planes up without a word.
        raise unsupported(path, tiff.kind, "save it with interleaved channels (PlanarConfiguration 1), or as PNG")


def _tags(file: BinaryIO, path: Path, head: bytes) -> Any:
    try:
        big = head[2:3] == b"+" or head[3:4] == b"+"
        tags = TiffImagePlugin.ImageFileDirectory_v2(file.read(16 if big else 8))
        file.seek(tags.next)
        entries = int.from_bytes(file.read(8 if big else 2), "big" if head.startswith(b"M") else "little")
        end = file.tell() + entries * (20 if big else 12)
        if end > os.fstat(file.fileno()).st_size:
            raise EOFError(f"tags up to byte {end} announced, {os.fstat(file.fileno()).st_size} bytes found")
        file.seek(tags.next)
        tags.load(file)
        _values(tags, 256), _values(tags, 257)
    except Exception as error:
        raise damaged(path, error) from None
    if 256 not in tags or 257 not in tags:
        raise damaged(path, f"no tags of an image at byte {tags.next}")
    return tags


def _values(tags: Any, number: int) -> list[int]:
    value = tags.get(number, ())
    return [int(part) for part in (value if isinstance(value, tuple) else (value,))]
