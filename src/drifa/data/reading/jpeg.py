"""What a JPEG says about itself before it is decoded: its kind, its scans, and whether its end is there.

References:
    ITU-T T.81 (JPEG), annex B: markers. ITU-T T.87 (JPEG-LS) uses the same ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from drifa.data.reading.files import Content, unsupported
from drifa.errors import DrifaError

#: Cameras write about ten. Every scan passes over the whole image, so a small file of thousands takes hours.
MOST_SCANS = 100

_PROCESSES = {
    0xC0: "baseline",
    0xC1: "extended",
    0xC2: "progressive",
    0xC3: "lossless",
    0xC9: "extended arithmetic",
    0xCA: "progressive arithmetic",
    0xCB: "lossless arithmetic",
    0xF7: "JPEG-LS",
}
_SEQUENTIAL = (0xC0, 0xC1)
_ORDINARY = (0xC0, 0xC1, 0xC2, 0xC9, 0xCA)
# 0xC4, 0xC8 and 0xCC are tables, not frames.
_FRAMES = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}
_TABLES = (0xC4, 0xCC, 0xDB, 0xDD)
# What tells the colours and the rotation: marker, start, and the length below which decoders ignore it.
_NOTES_FOR_PIXELS = (
    (0xE0, b"JFIF\0", 14),
    (0xE1, b"Exif\0\0", 0),
    (0xE1, b"http://ns.adobe.com/xap/1.0/\0", 0),
    (0xEE, b"Adobe", 12),
)
# In the coded data of JPEG a byte 0xFF is followed by 0 or a restart marker; in JPEG-LS by any byte below 0x80.
_MARKER = re.compile(rb"\xff+([\x80-\xcf\xd8-\xfe])")


@dataclass(frozen=True)
class Jpeg:
    """The header of a JPEG.

    Args:
        process: Low byte of its frame marker; 0 where there is none.
        precision: Bits per sample.
        components: Colour channels.
        scans: Passes over the image.
        complete: Whether the mark of its end was found.
    """

    process: int
    precision: int
    components: int
    scans: int
    complete: bool

    @property
    def kind(self) -> str:
        """In words, as `lossless JPEG of 16 bits and 1 channels`."""
        name = _PROCESSES.get(self.process, f"hierarchical (0xFF{self.process:02X})")
        return f"{name} JPEG of {self.precision} bits and {self.components} channels"


def survey(content: Content) -> Jpeg:
    """Walks over the markers of a JPEG; nothing is decoded.

    Args:
        content: All of its bytes; what follows its end does not matter.
    """
    process = precision = components = scans = 0
    for marker, position, _ in _segments(content):
        if marker == 0xD9:
            return Jpeg(process, precision, components, scans, scans > 0)
        if marker in _FRAMES and not process:
            process, precision, components = marker, *_frame(content[position : position + 8])
        scans += marker == 0xDA
    return Jpeg(process, precision, components, scans, False)


def with_whole_spectrum(content: bytes) -> bytes:
    """A sequential JPEG whose scans say that they hold all 64 frequencies, as they do; some encoders wrote zeros.

    Strict decoders refuse such files, others never look at these numbers. Any other process is left as it is.

    Args:
        content: All of its bytes.
    """
    mended = bytearray(content)
    for marker, position, length in _segments(content):
        if marker in _FRAMES and marker not in _SEQUENTIAL:
            return content
        if marker == 0xDA and 6 <= length <= len(content) - position:
            mended[position + length - 3 : position + length] = b"\0\x3f\0"
        if marker == 0xD9:
            break
    return bytes(mended)


def pixel_segments(content: Content) -> bytes:
    """A JPEG without the notes that its pixels and their rotation do not depend on, such as colour profiles and comments."""
    position = 2
    kept = [content[:2]]
    while position + 4 <= len(content):
        marker, length = content[position + 1], int.from_bytes(content[position + 2 : position + 4], "big")
        noted = 0xE0 <= marker <= 0xEF or marker == 0xFE
        if content[position] != 0xFF or not (noted or marker in _TABLES):
            break
        body = content[position + 4 : position + 2 + length]
        if not noted or any(
            marker == tag and body.startswith(start) and len(body) >= least for tag, start, least in _NOTES_FOR_PIXELS
        ):
            kept.append(content[position : position + 2 + length])
        position += 2 + length
    return b"".join([*kept, content[position:]])


def check_jpeg(jpeg: Jpeg, path: Path) -> None:
    """Checks that a JPEG can be decoded in reasonable time.

    Raises:
        DrifaError: More scans than MOST_SCANS.
    """
    if jpeg.scans > MOST_SCANS:
        raise DrifaError(
            f"image {path} is a JPEG of {jpeg.scans} scans, more than {MOST_SCANS}, which may take hours to decode; "
            f"save it again as an ordinary JPEG or PNG"
        )


def check_ordinary(jpeg: Jpeg, path: Path) -> None:
    """Checks that a JPEG outside of DICOM is of a kind that Pillow reads.

    Raises:
        DrifaError: Lossless, of 12 bits, or the like; or of too many scans.
    """
    check_jpeg(jpeg, path)
    ordinary = jpeg.process in _ORDINARY and jpeg.precision == 8 and jpeg.components in (1, 3, 4)
    if jpeg.process and not ordinary:
        raise unsupported(path, f"is a {jpeg.kind}")


def _segments(content: Content) -> Iterator[tuple[int, int, int]]:
    """Low byte of each marker, where its segment starts, and how long that says it is."""
    found = _MARKER.search(content, 2)
    while found:
        marker, position = found[1][0], found.end()
        length = int.from_bytes(content[position : position + 2], "big")
        yield marker, position, length
        # Stand-alone markers have no length.
        found = _MARKER.search(content, position + (0 if marker in (0xD8, 0x01) else length))


def _frame(segment: bytes) -> tuple[int, int]:
    return (segment[2], segment[7]) if len(segment) == 8 else (0, 0)
