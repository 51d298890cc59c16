"""Every kind of file that a hospital exports becomes uint8 pixels, and every other one a sentence that says why not."""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from drifa.data.reading.images import read_image, resize
from drifa.errors import DrifaError

PIXELS = np.random.default_rng(0).integers(0, 256, (9, 14, 3), dtype=np.uint8)
GREY = PIXELS[:, :, 0]


def test_grey_and_rgb_convert_into_each_other(tmp_path: Path) -> None:
    Image.fromarray(GREY).save(tmp_path / "grey.png")
    np.testing.assert_array_equal(read_image(tmp_path / "grey.png", 3), np.repeat(GREY[:, :, None], 3, axis=2))
    Image.fromarray(PIXELS).save(tmp_path / "rgb.png")
    luma = PIXELS @ np.array([0.299, 0.587, 0.114])
    assert np.abs(read_image(tmp_path / "rgb.png", 1)[:, :, 0] - luma).max() <= 1


def test_resizing_stretches_to_a_square_and_conserves_the_mean() -> None:
    large = np.random.default_rng(1).integers(0, 256, (60, 90, 3), dtype=np.uint8)
    small = resize(large, 16)
    assert small.shape == (16, 16, 3)
    assert small.dtype == np.uint8
    np.testing.assert_allclose(small.mean((0, 1)), large.mean((0, 1)), atol=2)
    assert small.std() < 0.5 * large.std()  # averaged, not picked
    assert resize(large[:, :, :1], 16).shape == (16, 16, 1)
    square = large[:16, :16]
    np.testing.assert_array_equal(resize(square, 16), square)


def _header_only_png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"is empty \(0 bytes\)"),
        (b"subject,modality\n", "is not a BMP, PNG, JPEG, TIFF, DICOM or NIfTI image"),
        (b"\x00" * 400, "is not a BMP, PNG, JPEG, TIFF, DICOM or NIfTI image"),
        (b"GIF89a\x01\x00\x01\x00\x80\x00\x00", "is a GIF picture; save it as PNG"),
        (b"RIFF\x24\0\0\0WEBPVP8 ", "is a WebP picture; save it as PNG"),
        (b"\0\0\0\x0cjP  \r\n\x87\n\0\0\0\x14ftypjp2 ", "is a JPEG 2000 picture; save it as PNG"),
        (b"\xff\x4f\xff\x51\0\x2f", "is a JPEG 2000 picture; save it as PNG"),
        (b"\0\0\0\x1cftypheic\0\0\0\0", "is a HEIC picture; save it as PNG"),
        (b"\0\0\0\x1cftypavif\0\0\0\0", "is an AVIF picture; save it as PNG"),
        (b"\0\0\0\x1cftypisom\0\0\0\0", "is a film; save the frame you mean as PNG"),
        (bytes(257) + b"ustar\0" + bytes(200), "is a TAR archive; unpack it"),
        (b"PK\x03\x04\x14\x00", "is a ZIP archive; unpack it"),
        (b"%PDF-1.4\n", "is a PDF document; export its image"),
        (b"\n <!DOCTYPE HTML><title>Sign in", "is a web page: the download was refused"),
        (b"version https://git-lfs.github.com/spec/v1\n", "is a Git LFS pointer"),
        (_header_only_png(20, 20), "is damaged or cut short"),
        (_header_only_png(11000, 10000), "11000x10000 pixels, more than 100 megapixels"),
        (_header_only_png(60000, 60000), "60000x60000 pixels, more than 100 megapixels"),
    ],
)
def test_files_that_are_no_image_are_named_with_the_remedy(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with pytest.raises(DrifaError, match=message) as caught:
        read_image(path, 3)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(("kind", "name"), [("WEBP", "a WebP"), ("JPEG2000", "a JPEG 2000"), ("AVIF", "an AVIF")])
def test_intact_pictures_of_other_kinds_are_named(tmp_path: Path, kind: str, name: str) -> None:
    try:
        Image.fromarray(PIXELS).save(tmp_path / "a.png", kind)
    except (KeyError, OSError):
        pytest.skip(f"this Pillow writes no {kind}")
    with pytest.raises(DrifaError, match=f"a.png is {name} picture; save it as PNG, or remove its row"):
        read_image(tmp_path / "a.png", 3)


def test_an_image_packed_by_gzip_is_to_be_unpacked(tmp_path: Path) -> None:
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(gzip.compress((tmp_path / "a.png").read_bytes()))
    with pytest.raises(DrifaError, match=r"b\.png is packed by gzip and holds an image; unpack it"):
        read_image(tmp_path / "b.png", 3)


def test_the_size_limit_is_the_callers(tmp_path: Path) -> None:
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png", 3, max_megapixels=126e-6).shape == (9, 14, 3)
    with pytest.raises(DrifaError, match=r"14x9 pixels, more than 0.000125 megapixels"):
        read_image(tmp_path / "a.png", 3, max_megapixels=125e-6)


def test_the_content_decides_and_not_the_ending(tmp_path: Path) -> None:
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    (tmp_path / "a.png").rename(tmp_path / "a.dcm")
    np.testing.assert_array_equal(read_image(tmp_path / "a.dcm", 3), PIXELS)
