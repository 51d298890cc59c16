"""BMP, PNG, JPEG and TIFF become uint8 pixels, and what has no natural 8-bit scale is refused."""

from __future__ import annotations

import struct
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from drifa.data.reading.images import read_image, resize
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


def test_sixteen_bits_become_eight_by_a_fixed_scale(tmp_path: Path) -> None:
    values = np.array([[0, 257, 4095], [32768, 65278, 65535]], dtype=np.uint16)
    for ending in ("png", "tif"):
        Image.fromarray(values).save(tmp_path / f"deep.{ending}")
        np.testing.assert_array_equal(read_image(tmp_path / f"deep.{ending}", 1)[:, :, 0], [[0, 1, 15], [127, 254, 255]])


def _tiff(path: Path, values: np.ndarray, photometric: int, sample_format: int = 1) -> Path:
    """A TIFF as scanners write it: one uncompressed strip, and the tags that say what its numbers mean."""
    height, width = values.shape
    size, bits = values.nbytes, 8 * values.itemsize
    tags = {256: width, 257: height, 258: bits, 259: 1, 262: photometric, 273: 8, 277: 1, 278: height, 279: size}
    entries = [struct.pack("<HHII", tag, 4, 1, value) for tag, value in (tags | {339: sample_format}).items()]
    directory = struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4)
    path.write_bytes(b"II*\0" + struct.pack("<I", 8 + size) + values.tobytes() + directory)
    return path


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_a_tiff_with_white_at_zero_is_the_negative_of_one_with_black_there(tmp_path: Path, kind: type) -> None:
    values = np.linspace(0, np.iinfo(kind).max, 24).astype(kind).reshape(4, 6)
    black = read_image(_tiff(tmp_path / "black.tif", values, 1), 1)
    white = read_image(_tiff(tmp_path / "white.tif", values, 0), 1)
    assert (black[0, 0, 0], black[-1, -1, 0]) == (0, 255)
    np.testing.assert_array_equal(white, 255 - black)


def test_signed_bytes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DrifaError, match="signed 8-bit pixels"):
        read_image(_tiff(tmp_path / "a.tif", np.array([[-128, 0, 127]], dtype=np.int8), 1, sample_format=2), 1)


def test_transparency_is_laid_on_black(tmp_path: Path) -> None:
    alpha = np.full((9, 14, 1), 255, dtype=np.uint8)
    alpha[0] = 0
    Image.fromarray(np.concatenate([PIXELS, alpha], axis=2)).save(tmp_path / "a.png")
    image = read_image(tmp_path / "a.png", 3)
    assert (image[0] == 0).all()
    np.testing.assert_array_equal(image[1:], PIXELS[1:])


@pytest.mark.parametrize("ending", ["png", "tif"])
def test_an_image_that_is_transparent_everywhere_is_refused(tmp_path: Path, ending: str) -> None:
    Image.fromarray(np.concatenate([PIXELS, np.zeros((9, 14, 1), dtype=np.uint8)], axis=2)).save(tmp_path / f"a.{ending}")
    with pytest.raises(DrifaError, match="transparent everywhere, so that nothing of it is seen; save it without its alpha"):
        read_image(tmp_path / f"a.{ending}", 3)


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


@pytest.mark.parametrize("ending", ["png", "jpg", "bmp", "tif"])
def test_a_file_cut_short_is_never_half_read(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a.{ending}"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(path)
    content = path.read_bytes()
    for length in (len(content) // 2, 20):
        path.write_bytes(content[:length])
        with pytest.raises(DrifaError, match=str(path)):
            read_image(path, 3)


def test_several_pages_and_floats_are_refused(tmp_path: Path) -> None:
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


def test_the_limit_of_pillow_plays_no_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for ending in ("png", "jpg", "bmp", "tif"):
        Image.fromarray(PIXELS).save(tmp_path / f"a.{ending}")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for ending in ("png", "jpg", "bmp"):
            assert read_image(tmp_path / f"a.{ending}", 3).shape == PIXELS.shape
    # Its TIFF reader looks at the limit once more; the error at least does not call the file damaged.
    with pytest.raises(DrifaError, match=r"a\.tif is too large for Pillow"):
        read_image(tmp_path / "a.tif", 3)
