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
from drifa.data.reading.png import SIGNATURE, is_short, pixel_chunks
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


def _plain(size: tuple[int, int], depth: int, colour: int, rows: bytes, extra: bytes = b"") -> bytes:
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", *size, depth, colour, 0, 0, 0))
    return SIGNATURE + header + extra + _chunk(b"IDAT", zlib.compress(rows)) + _chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("depth", "row", "mark", "seen"),
    [
        (1, b"\x50", 1, [0, 0, 0, 0]),
        (2, b"\xe4", 3, [0, 170, 85, 0]),
        (4, b"\xf8\x0f", 15, [0, 136, 0, 0]),
        (8, bytes([255, 136, 0, 255]), 255, [0, 136, 0, 0]),
        (16, struct.pack(">4H", 65535, 34952, 0, 65535), 65535, [0, 136, 0, 0]),
    ],
)
def test_a_transparent_grey_value_is_black_whatever_the_bits(
    tmp_path: Path, depth: int, row: bytes, mark: int, seen: list[int]
) -> None:
    content = _plain((4, 1), depth, 0, b"\0" + row, _chunk(b"tRNS", struct.pack(">H", mark)))
    np.testing.assert_array_equal(_read(tmp_path, content)[0, :, 0], seen)


def test_a_transparent_colour_of_16_bits_is_refused(tmp_path: Path) -> None:
    content = _plain((1, 1), 16, 2, bytes(7), _chunk(b"tRNS", struct.pack(">3H", 65535, 255, 0)))
    with pytest.raises(DrifaError, match=r"one colour of 16 bits as transparent: the file is complete.*alpha channel"):
        _read(tmp_path, content)


def test_rows_that_lack_are_never_black(tmp_path: Path) -> None:
    whole = _plain((5, 4), 8, 0, bytes(4 * 6))
    assert not is_short(whole)
    assert (_read(tmp_path, whole) == 0).all()
    with pytest.raises(DrifaError, match=r"damaged or cut short \(its rows end before the 4 of its header\)"):
        _read(tmp_path, _plain((5, 4), 8, 0, b"\0" + b"\xff" * 5))
    # Seven passes, each with a filter byte before every row of its own.
    passes = sum(rows * (columns + 1) for columns, rows in ((1, 1), (1, 1), (2, 0), (1, 1), (3, 1), (2, 2), (5, 2)) if rows)
    for count in (passes, passes - 1):
        rows = _plain((5, 4), 8, 0, bytes(count)).replace(b"\x08\0\0\0\0", b"\x08\0\0\0\1")
        assert is_short(rows) == (count < passes)


def test_a_palette_holds_the_colours_that_are_used(tmp_path: Path) -> None:
    colours = _chunk(b"PLTE", bytes([10, 20, 30, 40, 50, 60]))
    np.testing.assert_array_equal(_read(tmp_path, _plain((2, 1), 8, 3, b"\0\0\1", colours))[0, 1], [40, 50, 60])
    for extra, count in ((colours, 2), (b"", 0)):
        with pytest.raises(DrifaError, match=f"uses colour number 9, but its palette has {count}; save it again as RGB"):
            _read(tmp_path, _plain((2, 1), 8, 3, b"\0\0\x09", extra))
