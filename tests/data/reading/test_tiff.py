"""A TIFF's tags say what its numbers mean: honoured, or refused by name, never guessed."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from drifa.data.reading.files import read_head
from drifa.data.reading.images import read_image
from drifa.data.reading.tiff import survey
from drifa.errors import DrifaError

GREY = np.tile(np.linspace(0, 255, 16).astype(np.uint8), (8, 1))
RGB = np.dstack([GREY, GREY // 2, 255 - GREY])
DEEP = RGB.astype(np.uint16) * 257
Entry = tuple[int, int, list[int]]


def tiff(path: Path, array: np.ndarray, *extra: Entry, planar: bool = False, payload: bytes | None = None) -> Path:
    """An uncompressed TIFF of one strip per plane; each of `extra` (tag, type, values) replaces a tag, or adds one."""
    channels = 1 if array.ndim == 2 else array.shape[2]
    strips = [np.ascontiguousarray(array[..., c]).tobytes() for c in range(channels)] if planar else [array.tobytes()]
    strips = [payload] if payload else strips
    offsets = [8 + sum(map(len, strips[:number])) for number in range(len(strips))]
    kind = {"u": 1, "i": 2, "f": 3}[array.dtype.kind]
    tags = {
        256: (4, [array.shape[1]]),
        257: (4, [array.shape[0]]),
        258: (3, [8 * array.dtype.itemsize] * channels),
        259: (3, [1]),
        262: (3, [2 if channels in (3, 4) else 1]),
        273: (4, offsets),
        277: (3, [channels]),
        278: (4, [array.shape[0]]),
        279: (4, [len(strip) for strip in strips]),
        284: (3, [2 if planar else 1]),
        339: (3, [kind] * channels),
    }
    tags |= {tag: (code, values) for tag, code, values in extra}
    start = 8 + sum(map(len, strips))
    entries, tail = b"", b""
    for tag, (code, values) in sorted(tags.items()):
        value = struct.pack("<" + {1: "B", 2: "B", 3: "H", 4: "I"}[code] * len(values), *values)
        place = start + 6 + 12 * len(tags) + len(tail)
        tail += value if len(value) > 4 else b""
        value = struct.pack("<I", place) if len(value) > 4 else value.ljust(4, b"\0")
        entries += struct.pack("<HHI", tag, code, len(values)) + value
    directory = struct.pack("<H", len(tags)) + entries + bytes(4) + tail
    path.write_bytes(b"II*\0" + struct.pack("<I", start) + b"".join(strips) + directory)
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.tif"


def test_channels_are_right_in_planes_and_interleaved_and_what_pillow_mixes_up_is_refused(path: Path) -> None:
    for array, planar in ((RGB, False), (RGB, True), (DEEP, False)):
        np.testing.assert_array_equal(read_image(tiff(path, array, planar=planar), 3), RGB)
    with pytest.raises(DrifaError, match=r"holds 3 channels of 16 bits, in planes: .* interleaved channels"):
        read_image(tiff(path, DEEP, planar=True), 3)


@pytest.mark.parametrize("subsampling", [[], [(530, 3, [1, 1])], [(530, 3, [2, 2])], [(530, 3, [2, 1])]])
def test_uncompressed_ycbcr_is_refused_whatever_its_subsampling(path: Path, subsampling: list[Entry]) -> None:
    with pytest.raises(
        DrifaError, match=r"3 channels of 8 bits, YCbCr, uncompressed: the file is complete, .* the colours RGB"
    ):
        read_image(tiff(path, RGB, (262, 3, [6]), *subsampling), 3)


@pytest.mark.parametrize("compression", ["jpeg", "tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_compressed_ycbcr_has_the_colours_it_was_made_of(path: Path, compression: str) -> None:
    Image.fromarray(RGB).convert("YCbCr").save(
        path, compression=compression, **({"quality": 95} if compression == "jpeg" else {})
    )
    assert survey(path, read_head(path)).photometric == 6
    np.testing.assert_allclose(read_image(path, 3).astype(int), RGB, atol=12 if compression == "jpeg" else 4)


def test_cmyk_and_cielab_become_rgb_and_other_meanings_are_refused_by_name(path: Path) -> None:
    ink = np.dstack([255 - RGB, np.zeros_like(GREY)])
    np.testing.assert_array_equal(read_image(tiff(path, ink, (262, 3, [5])), 3), RGB)
    grey = np.dstack([GREY, np.zeros_like(RGB[..., :2])])  # lightness alone
    image = read_image(tiff(path, grey, (262, 3, [8])), 3)
    np.testing.assert_allclose(image.max(axis=2).astype(int) - image.min(axis=2), 0, atol=1)
    assert (np.diff(image[0, :, 0].astype(int)) > 0).all()
    for code, meaning in ((9, "ICCLab"), (4, "a mask"), (32803, "a sensor's mosaic")):
        with pytest.raises(DrifaError, match=f"holds 3 channels of 8 bits, {meaning}: the file is complete"):
            read_image(tiff(path, RGB, (262, 3, [code])), 3)


def test_white_at_zero_is_turned_around_or_refused_by_name(path: Path) -> None:
    for array in (GREY, GREY.astype(np.uint16) * 257):
        np.testing.assert_array_equal(read_image(tiff(path, array, (262, 3, [0])), 1)[:, :, 0], 255 - GREY)
    with pytest.raises(DrifaError, match="holds 1 channels of 12 bits, white at zero: the file is complete"):
        read_image(tiff(path, GREY, (258, 3, [12]), (262, 3, [0])), 1)


def test_twelve_bits_have_their_white_at_4095(path: Path) -> None:
    values = np.linspace(0, 4095, 16).astype(int)
    packed = b"".join(
        bytes([a >> 4, (a & 15) << 4 | b >> 8, b & 255]) for a, b in values.reshape(-1, 2).tolist() for _ in range(1)
    )
    image = read_image(tiff(path, GREY[:1], (258, 3, [12]), payload=packed), 1)
    np.testing.assert_allclose(image[0, :, 0], values / 4095 * 255, atol=1)


def test_unsigned_32_bits_are_never_negative(path: Path) -> None:
    with pytest.raises(DrifaError, match="holds 0 to 4294967295; window it"):
        read_image(tiff(path, GREY.astype(np.uint32) * 0x01010101), 1)
    np.testing.assert_array_equal(read_image(tiff(path, GREY.astype(np.uint32) * 257), 1)[:, :, 0], GREY)


KINDS: dict[str, tuple[np.ndarray, list[Entry], str]] = {
    "float64": (GREY / 255, [], "holds floating-point pixels"),
    "float16 RGB": ((RGB / 255).astype(np.float16), [], "holds floating-point pixels"),
    "uint64": (GREY.astype(np.uint64), [], "holds 1 channels of 64 bits: the file is complete"),
    "complex": (
        GREY.astype(np.uint32),
        [(339, 3, [6])],
        "holds 1 channels of complex or untyped 32 bits: the file is complete",
    ),
    "signed RGB": (RGB.astype(np.int8), [], "holds signed 8-bit pixels, -128 to 127"),
    "five channels": (np.dstack([GREY] * 5), [(338, 3, [0] * 4)], "holds 5 channels of 8 bits: the file is complete"),
    "mixed bits": (RGB, [(258, 3, [8, 8, 16])], r"mixes channels of \[8, 16\] bits"),
    "LERC": (GREY, [(259, 3, [34887])], r"compressed by LERC \(34887\): the file is complete"),
    "unheard of": (GREY, [(259, 3, [60123])], r"compressed by code \(60123\): the file is complete"),
}


@pytest.mark.parametrize("name", KINDS)
def test_an_intact_file_of_another_kind_is_not_called_damaged(path: Path, name: str) -> None:
    array, extra, message = KINDS[name]
    with pytest.raises(DrifaError, match=message):
        read_image(tiff(path, array, *extra), 1)


def test_a_cut_file_is_damaged_whatever_its_kind(path: Path) -> None:
    content = tiff(path, GREY).read_bytes()
    for length in (9, 100, len(content) - 20):
        path.write_bytes(content[:length])
        with pytest.raises(DrifaError, match="damaged or cut short"):
            read_image(path, 1)
    with pytest.raises(DrifaError, match=rf"pixels up to byte {8 + 10 * GREY.size} announced"):
        read_image(tiff(path, GREY, (279, 4, [10 * GREY.size])), 1)


@pytest.mark.parametrize("tag", [700, 34665, 34675, 34853, 40965, 65000])
def test_odd_notes_leave_the_pixels_as_they_are(path: Path, tag: int) -> None:
    for entry in ((tag, 2, [65, 66, 0, 255, 9]), (tag, 3, [65535]), (tag, 4, [2**32 - 1]), (tag, 1, [])):
        np.testing.assert_array_equal(read_image(tiff(path, GREY, entry), 1)[:, :, 0], GREY)


def test_the_tags_of_the_first_page_are_told(path: Path) -> None:
    page = survey(tiff(path, DEEP, planar=False), read_head(path))
    assert (page.bits, page.channels, page.planar, page.always_read) == (16, 3, False, True)
    assert page.kind == "holds 3 channels of 16 bits"
