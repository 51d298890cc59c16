"""The notes of a PNG cannot keep its pixels from being read."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from drifa.data.reading.images import read_image
from drifa.data.reading.png import SIGNATURE, pixel_chunks
from drifa.errors import DrifaError

PIXELS = np.random.default_rng(0).integers(0, 256, (9, 14, 3), dtype=np.uint8)
TURN = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"  # EXIF that asks for a quarter turn


def _png(**options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(PIXELS).save(buffer, "PNG", **options)
    return buffer.getvalue()


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _read(tmp_path: Path, content: bytes) -> np.ndarray:
    (tmp_path / "a.png").write_bytes(content)
    return read_image(tmp_path / "a.png", 3)


LARGE = zlib.compress(bytes(5_000_000))
NOTES = {
    "text that unpacks to megabytes": (b"zTXt", b"Comment\0\0" + LARGE),
    "camera notes that unpack to megabytes": (b"zTXt", b"Raw profile type exif\0\0" + LARGE),
    "large XMP": (b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + LARGE),
    "large colour profile": (b"iCCP", b"profile\0\0" + LARGE),
    "text without a keyword": (b"tEXt", b""),
    "EXIF of nonsense": (b"eXIf", b"nonsense"),
    "empty EXIF": (b"eXIf", b""),
    "empty gamma": (b"gAMA", b""),
    "half a resolution": (b"pHYs", b"\0\0"),
    "half a white point": (b"cHRM", b"\0"),
    "private": (b"prVt", b"anything"),
}


@pytest.mark.parametrize("name", NOTES)
@pytest.mark.parametrize("behind", [False, True])
def test_odd_notes_leave_the_pixels_as_they_are(tmp_path: Path, name: str, behind: bool) -> None:
    plain = _png()
    place = len(plain) - 12 if behind else 33  # before the end mark, or behind the header
    np.testing.assert_array_equal(_read(tmp_path, plain[:place] + _chunk(*NOTES[name]) + plain[place:]), PIXELS)


def test_the_rotation_survives_wherever_it_is_written(tmp_path: Path) -> None:
    plain, turned = _png(), np.rot90(PIXELS, -1)
    raw = b"\nexif\n%8d\n" % (len(TURN) + 6) + (b"Exif\0\0" + TURN).hex().encode()
    for kind, body in (
        (b"eXIf", TURN),
        (b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(raw)),
        (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + b'<x tiff:Orientation="6"/>'),
    ):
        odd = _chunk(*NOTES["large colour profile"])
        np.testing.assert_array_equal(_read(tmp_path, plain[:33] + odd + _chunk(kind, body) + plain[33:]), turned)


def test_a_cut_file_is_damaged_a_foreign_extension_is_not(tmp_path: Path) -> None:
    plain = _png()
    for length in (30, 50, len(plain) // 2, len(plain) - 1):
        with pytest.raises(DrifaError, match="damaged or cut short"):
            _read(tmp_path, plain[:length])
    with pytest.raises(DrifaError, match="needs the PNG extension 'CgBI': the file is complete"):
        _read(tmp_path, SIGNATURE + _chunk(b"CgBI", b"\0\0\0\0") + plain[8:])


def test_a_flipped_bit_among_the_pixels_is_noticed_and_one_among_the_notes_is_not(tmp_path: Path) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", "a scan")
    content = bytearray(_png(pnginfo=info))
    content[content.index(b"a scan")] ^= 1
    np.testing.assert_array_equal(_read(tmp_path, bytes(content)), PIXELS)
    content[content.index(b"IDAT") + 9] ^= 1
    with pytest.raises(DrifaError, match="damaged or cut short"):
        _read(tmp_path, bytes(content))


def test_an_animation_is_several_pages_and_transparency_is_kept(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    frames = [Image.fromarray(PIXELS), Image.fromarray(255 - PIXELS)]
    frames[0].save(buffer, "PNG", save_all=True, append_images=frames[1:])
    with pytest.raises(DrifaError, match="has 2 pages"):
        _read(tmp_path, buffer.getvalue())
    assert b"tRNS" in pixel_chunks(_png(transparency=(1, 2, 3)), Path("a.png"))
