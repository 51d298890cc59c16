"""Every kind of file that a hospital exports becomes uint8 pixels, and every other one a sentence that says why not."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from drifa.data.images import read_image, resize
from drifa.errors import DrifaError

PIXELS = np.random.default_rng(0).integers(0, 256, (9, 14, 3), dtype=np.uint8)
GREY = PIXELS[:, :, 0]


@pytest.mark.parametrize("ending", ["png", "bmp", "tif", "tiff"])
def test_lossless_formats_return_the_pixels_that_were_saved(tmp_path: Path, ending: str) -> None:
    Image.fromarray(PIXELS).save(tmp_path / f"rgb.{ending}")
    Image.fromarray(GREY).save(tmp_path / f"grey.{ending}")
    np.testing.assert_array_equal(read_image(tmp_path / f"rgb.{ending}", 3), PIXELS)
    np.testing.assert_array_equal(read_image(tmp_path / f"grey.{ending}", 1), GREY[:, :, None])


@pytest.mark.parametrize("ending", ["jpg", "jpeg"])
def test_jpeg_returns_nearly_the_pixels_that_were_saved(tmp_path: Path, ending: str) -> None:
    smooth = resize(PIXELS[:2, :2], 32)
    Image.fromarray(smooth).save(tmp_path / f"a.{ending}", quality=100, subsampling=0)
    assert np.abs(read_image(tmp_path / f"a.{ending}", 3).astype(int) - smooth).max() < 8


def test_grey_and_rgb_convert_into_each_other(tmp_path: Path) -> None:
    Image.fromarray(GREY).save(tmp_path / "grey.png")
    np.testing.assert_array_equal(read_image(tmp_path / "grey.png", 3), np.repeat(GREY[:, :, None], 3, axis=2))
    Image.fromarray(PIXELS).save(tmp_path / "rgb.png")
    luma = PIXELS @ np.array([0.299, 0.587, 0.114])
    assert np.abs(read_image(tmp_path / "rgb.png", 1)[:, :, 0] - luma).max() <= 1


def test_sixteen_bits_become_eight_by_a_fixed_scale(tmp_path: Path) -> None:
    values = np.array([[0, 257, 4095], [32768, 65278, 65535]], dtype=np.uint16)
    for ending in ("png", "tif"):
        Image.fromarray(values).save(tmp_path / f"deep.{ending}")
        np.testing.assert_array_equal(read_image(tmp_path / f"deep.{ending}", 1)[:, :, 0], [[0, 1, 15], [127, 254, 255]])


def test_transparency_is_laid_on_black(tmp_path: Path) -> None:
    alpha = np.full((9, 14, 1), 255, dtype=np.uint8)
    alpha[0] = 0
    Image.fromarray(np.concatenate([PIXELS, alpha], axis=2)).save(tmp_path / "a.png")
    image = read_image(tmp_path / "a.png", 3)
    assert (image[0] == 0).all()
    np.testing.assert_array_equal(image[1:], PIXELS[1:])


def test_palette_black_and_white_and_cmyk_are_read(tmp_path: Path) -> None:
    flat = np.zeros((8, 8, 3), dtype=np.uint8)
    flat[:4] = [200, 40, 10]
    Image.fromarray(flat).quantize(4).save(tmp_path / "palette.png")
    np.testing.assert_allclose(read_image(tmp_path / "palette.png", 3), flat, atol=4)
    Image.fromarray(flat).convert("CMYK").save(tmp_path / "cmyk.tif")
    np.testing.assert_allclose(read_image(tmp_path / "cmyk.tif", 3), flat, atol=4)
    Image.fromarray(flat[:, :, 0] > 100).save(tmp_path / "bits.png")
    np.testing.assert_array_equal(read_image(tmp_path / "bits.png", 1)[:, :, 0], 255 * (flat[:, :, 0] > 100))


def test_the_rotation_that_a_camera_noted_is_applied(tmp_path: Path) -> None:
    image = Image.fromarray(PIXELS)
    exif = image.getexif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise to view
    image.save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png", 3), np.rot90(PIXELS, -1))


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
        (b"subject,modality\n", "is not a BMP, PNG, JPEG, TIFF image"),
        (b"GIF89a\x01\x00\x01\x00\x80\x00\x00", "is not a BMP, PNG, JPEG, TIFF image"),
        (_header_only_png(20, 20), "is damaged or cut short"),
        (_header_only_png(11000, 10000), "11000x10000 pixels, more than 100 megapixels"),
        (_header_only_png(60000, 60000), "larger than the allowed 100 megapixels"),
    ],
)
def test_files_that_are_no_image_are_named_with_the_remedy(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with pytest.raises(DrifaError, match=message) as caught:
        read_image(path, 3)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("ending", ["png", "jpg", "bmp", "tif"])
def test_a_file_cut_short_is_never_half_read(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a.{ending}"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(path)
    content = path.read_bytes()
    for length in (len(content) // 2, 20):
        path.write_bytes(content[:length])
        with pytest.raises(DrifaError, match=str(path)):
            read_image(path, 3)


def test_a_missing_file_several_pages_and_floats_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DrifaError, match="no image file at"):
        read_image(tmp_path / "none.png", 3)
    page = Image.fromarray(GREY)
    page.save(tmp_path / "pages.tif", save_all=True, append_images=[page, page])
    with pytest.raises(DrifaError, match="has 3 pages"):
        read_image(tmp_path / "pages.tif", 1)
    Image.fromarray(GREY.astype(np.float32)).save(tmp_path / "float.tif")
    with pytest.raises(DrifaError, match="floating-point"):
        read_image(tmp_path / "float.tif", 1)
    Image.fromarray(np.array([[-5, 70000]], dtype=np.int32)).save(tmp_path / "int.tif")
    with pytest.raises(DrifaError, match="holds -5 to 70000"):
        read_image(tmp_path / "int.tif", 1)


def test_the_size_limit_is_the_callers(tmp_path: Path) -> None:
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png", 3, max_megapixels=126e-6).shape == (9, 14, 3)
    with pytest.raises(DrifaError, match=r"14x9 pixels, more than 0.000125 megapixels"):
        read_image(tmp_path / "a.png", 3, max_megapixels=125e-6)
