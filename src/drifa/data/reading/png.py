"""PNG without its notes: texts, colour profiles and camera notes cannot keep an image from being read.

References:
    W3C, Portable Network Graphics (third edition), chapters 5 and 11: chunks.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from pathlib import Path

from PIL import PngImagePlugin

from drifa.data.reading.files import Content, damaged, unsupported
from drifa.errors import DrifaError

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CRITICAL = (b"IHDR", b"PLTE", b"IDAT", b"IEND")
# Texts in which some programs hide the camera's notes, and with them the rotation.
_CAMERA = (b"Raw profile type exif\0", b"XML:com.adobe.xmp\0")
_NO_PIXELS = bytes(4) + b"IDAT" + bytes(4)
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
# Columns and rows of the seven passes of an interlaced picture: first one and step.
_PASSES = ((0, 8, 0, 8), (4, 8, 0, 8), (0, 4, 4, 8), (2, 4, 0, 4), (0, 2, 2, 4), (1, 2, 0, 2), (0, 1, 1, 2))


def pixel_chunks(content: Content, path: Path) -> bytes:
    """The parts of a PNG that its pixels and their rotation depend on.

    Args:
        content: The file.
        path: Its name, for errors.

    Raises:
        DrifaError: It ends before its end mark, holds an animation, or a chunk that is needed and unknown.
    """
    kept, position = [SIGNATURE], len(SIGNATURE)
    while True:
        length, kind = int.from_bytes(content[position : position + 4], "big"), content[position + 4 : position + 8]
        end = position + 12 + length
        if len(kind) < 4 or end > len(content):
            raise damaged(path, f"it ends at byte {len(content)} within a chunk")
        frames = int.from_bytes(content[position + 8 : position + 12], "big") if kind == b"acTL" else 1
        if frames > 1:
            raise DrifaError(f"image {path} has {frames} pages; a row of a study is one image: save the page you mean")
        # A capital first letter means that nobody may skip it.
        if kind[0] < 97 and kind not in _CRITICAL:
            raise unsupported(path, f"needs the PNG extension {kind.decode('latin-1')!r}")
        chunk, checksum = content[position:end], int.from_bytes(content[end - 4 : end], "big")
        if kind in _CRITICAL and zlib.crc32(chunk[4:-4]) != checksum:
            # Pillow does not look at those of the pixels.
            raise damaged(path, f"the checksum of its chunk {kind.decode()} does not fit")
        if kind in _CRITICAL or kind == b"tRNS" or _rotates(kind, chunk, b"".join(kept[:2])):
            kept.append(chunk)
        if kind == b"IEND":
            return b"".join(kept)
        position = end


def transparent_level(content: bytes, value: int) -> int:
    """The grey value of a decoded picture that its tRNS chunk marks: Pillow stretches 2 and 4 bits to 8, but not the mark."""
    depth = content[24]
    return value * 255 // (2**depth - 1) if depth in (2, 4) else value


def check_transparency(content: bytes, path: Path) -> None:
    """Refuses a mark of 16-bit colours, which are compared after they became 8 bits.

    Raises:
        DrifaError: As above.
    """
    if content[24:26] == b"\x10\x02" and any(kind == b"tRNS" for kind, _ in _chunks(content)):
        raise unsupported(path, "marks one colour of 16 bits as transparent", "save it with an alpha channel")


def is_short(content: bytes) -> bool:
    """Whether the rows of a picture end before its height, which decoders pass over: they leave the rest black.

    Args:
        content: Of :func:`pixel_chunks`.
    """
    header = content[16:29]
    width, height = int.from_bytes(header[:4], "big"), int.from_bytes(header[4:8], "big")
    bits = header[8] * _CHANNELS.get(header[9], 1)
    needed = 0
    for left, across, top, down in _PASSES if header[12] else ((0, 1, 0, 1),):
        columns, rows = -(-(width - left) // across), -(-(height - top) // down)
        needed += rows * (1 + -(-columns * bits // 8)) if columns > 0 and rows > 0 else 0
    unpacked, found = zlib.decompressobj(), 0
    for kind, body in _chunks(content):
        while kind == b"IDAT" and body and found < needed:
            found += len(unpacked.decompress(body, 2**20))
            body = unpacked.unconsumed_tail
    return found + len(unpacked.flush()) < needed


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    position = len(SIGNATURE)
    while position < len(content):
        length = int.from_bytes(content[position : position + 4], "big")
        yield content[position + 4 : position + 8], content[position + 8 : position + 8 + length]
        position += 12 + length


def _rotates(kind: bytes, chunk: bytes, header: bytes) -> bool:
    """Whether a chunk holds notes of a camera that Pillow can read."""
    if kind not in (b"eXIf", b"tEXt", b"zTXt", b"iTXt") or (kind != b"eXIf" and not chunk[8:].startswith(_CAMERA)):
        return False
    try:
        with PngImagePlugin.PngImageFile(io.BytesIO(header + chunk + _NO_PIXELS)) as probe:
            if kind == b"eXIf":  # for the others it would look at the pixels first
                probe.getexif()
    except Exception:
        return False
    return True
