"""Our reader against independent arithmetic, pixel for pixel, over the files that other packages carry with them.

Where both read a file, they agree within rounding; what is meant to differ stands here by name, so that a new difference fails.
"""

from __future__ import annotations

import logging
import re
import sysconfig
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
import torchvision
from PIL import Image
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi_lut, pixel_array

from drifa.data.reading.images import read_image
from drifa.data.reading.volumes import read_volume
from drifa.errors import DrifaError

ROUNDING = 0.5 + 1e-6

#: Files that pydicom shows and we refuse, with what our message says.
REFUSED = {
    "SC_rgb_rle_2frame.dcm": "a row of a study is one image",
    "SC_rgb_rle_16bit_2frame.dcm": "a row of a study is one image",
    "SC_rgb_rle_32bit_2frame.dcm": "a row of a study is one image",
    "examples_ybr_color.dcm": "a row of a study is one image",
    "rtdose.dcm": "a row of a study is one image",
    "rtdose_expb.dcm": "a row of a study is one image",
    "rtdose_rle.dcm": "a row of a study is one image",
    "rtdose_1frame.dcm": "32-bit values without a window",
    "rtdose_expb_1frame.dcm": "32-bit values without a window",
    "rtdose_rle_1frame.dcm": "32-bit values without a window",
    "image_dfl.dcm": "write it again uncompressed",
}
#: Files that we show and pydicom does not.
READ_BY_US_ALONE = {"JPEG-lossy.dcm"}  # its only scan denies its frequencies; needs the extra `dicom`


def _files(package: str, folder: str) -> list[Path]:
    root = Path(str(resources.files(package))) / folder
    return sorted(path for path in root.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc"))


def _needs(files: list[Path], package: str) -> None:
    if not files:
        pytest.skip(f"{package} is installed without its test files")


DICOM = [
    *_files("pydicom", "data/test_files"),
    *_files("pydicom", "data/charset_files"),
    *_files("nibabel", "nicom/tests/data"),
]


@contextmanager
def _quiet() -> Iterator[None]:
    """The libraries comment on odd headers, of which test files are full."""
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(logging.NOTSET)


def _shown(dataset: Dataset) -> np.ndarray:
    """Pixels 0 to 255 by the arithmetic of pydicom, in floating point."""
    pixels = dataset.pixel_array
    kind = dataset.PhotometricInterpretation
    if kind == "PALETTE COLOR":
        colours = apply_color_lut(pixels, dataset).astype(np.float64)
        return colours / (255 if colours.max() < 256 else 65535) * 255
    if dataset.SamplesPerPixel == 3:
        return pixel_array(dataset).astype(np.float64) / (2**dataset.BitsStored - 1) * 255
    values = apply_voi_lut(apply_modality_lut(pixels, dataset), dataset, prefer_lut=False).astype(np.float64)
    bits, signed = dataset.BitsStored, dataset.PixelRepresentation
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    if "ModalityLUTSequence" in dataset:
        low, high = 0, 2 ** dataset.ModalityLUTSequence[0].LUTDescriptor[2] - 1
    elif "RescaleSlope" in dataset:
        low, high = (end * float(dataset.RescaleSlope) + float(dataset.RescaleIntercept) for end in (low, high))
    if "VOILUTSequence" in dataset and "WindowCenter" not in dataset:
        low, high = 0, 2 ** dataset.VOILUTSequence[0].LUTDescriptor[2] - 1
    grey = (values - min(low, high)) / abs(high - low) * 255
    return 255 - grey if kind == "MONOCHROME1" else grey


def test_dicom_files_look_as_the_reference_library_shows_them() -> None:
    _needs(DICOM, "pydicom")
    compared, refused, alone = set(), {}, set()
    for path in DICOM:
        ours = reference = None
        with _quiet():
            try:
                ours = read_image(path, 3)
            except DrifaError as error:
                message = str(error)
            try:
                reference = _shown(pydicom.dcmread(path, force=True))
            except Exception:
                if ours is not None:
                    alone.add(path.name)
                continue
        if ours is None:
            refused[path.name] = message
            continue
        reference = reference if reference.ndim == 3 else np.repeat(reference[:, :, None], 3, axis=2)
        assert ours.shape == reference.shape, path
        assert np.abs(ours - reference).max() <= ROUNDING, path
        compared.add(path.name)
    assert len(compared) > 50
    assert alone <= READ_BY_US_ALONE
    assert refused.keys() == REFUSED.keys()
    for name, message in refused.items():
        assert re.search(REFUSED[name], message), (name, message)


def _ct() -> Dataset:
    dataset = pydicom.dcmread(get_testdata_file("CT_small.dcm", download=False))
    dataset.WindowCenter, dataset.WindowWidth = 40, 400
    return dataset


def test_padding_is_black_where_the_reference_library_shows_it_as_a_grey_value(tmp_path: Path) -> None:
    dataset = _ct()
    stored = dataset.pixel_array
    dataset.PixelPaddingValue = value = int(stored.max())
    dataset.save_as(tmp_path / "a.dcm")
    ours, reference = read_image(tmp_path / "a.dcm", 1)[:, :, 0], _shown(dataset)
    assert (reference[stored == value] == 255).all()
    assert (ours[stored == value] == 0).all()
    assert np.abs(ours - reference)[stored != value].max() <= ROUNDING


def test_the_high_bit_is_honoured_where_the_reference_library_passes_over_it(tmp_path: Path) -> None:
    dataset = _ct()
    dataset.PixelRepresentation, dataset.BitsStored, dataset.HighBit = 0, 12, 11
    reference = _shown(dataset)
    dataset.PixelData = (dataset.pixel_array.astype("<u2") << 4).tobytes()
    dataset.HighBit = 15
    dataset.save_as(tmp_path / "a.dcm")
    assert np.abs(read_image(tmp_path / "a.dcm", 1)[:, :, 0] - reference).max() <= ROUNDING
    assert np.abs(_shown(dataset) - reference).max() > 100


def test_nifti_files_hold_what_nibabel_reads(tmp_path: Path) -> None:
    files = _files("nibabel", "tests/data")
    _needs(files, "nibabel")
    whole, points = set(), set()
    for path in files:
        with _quiet():
            try:
                image = nibabel.load(path)
            except Exception:
                continue
        if not isinstance(image, nibabel.Nifti1Image):  # of one file; pairs and other formats are refused
            with pytest.raises(DrifaError):
                read_volume(path)
            continue
        if not np.isfinite(image.get_fdata()).all():  # `resampled_anat_moved.nii`
            with pytest.raises(DrifaError, match="not finite"):
                read_volume(path)
            continue
        place = path
        if image.ndim > 3:
            with pytest.raises(DrifaError, match=r"has \d dimensions|crop it"):
                read_volume(path)
            if image.ndim > 4 or isinstance(image, nibabel.Cifti2Image):
                continue
            image = image.slicer[..., image.shape[3] - 1]
            place = tmp_path / f"{path.name.split('.')[0]}.nii.gz"
            nibabel.save(image, place)
            image = nibabel.load(place)  # saving rounds
            points.add(path.name)
        else:
            whole.add(path.name)
        expected, volume = nibabel.as_closest_canonical(image), read_volume(place)
        np.testing.assert_array_equal(volume.array, expected.get_fdata().astype(np.float32), err_msg=path.name)
        np.testing.assert_allclose(volume.affine, expected.affine, atol=1e-5, err_msg=path.name)
    assert {"anatomical.nii", "reoriented_anat_moved.nii", "standard.nii.gz"} <= whole
    assert {"functional.nii", "example4d.nii.gz", "example_nifti2.nii.gz"} <= points


PICTURES = [
    path
    for package in ("sklearn", "networkx", "sympy", "werkzeug", "mkdocs", "material")
    for path in Path(sysconfig.get_paths()["purelib"], package).rglob("*")
    if path.suffix in (".png", ".jpg")
]


def _decoded(path: Path) -> np.ndarray:
    """RGB by the decoders of torchvision, with transparency laid on black: float64 [H, W, 3]."""
    mode = torchvision.io.ImageReadMode.RGB_ALPHA if path.suffix == ".png" else torchvision.io.ImageReadMode.RGB
    pixels = torchvision.io.decode_image(str(path), mode).permute(1, 2, 0).numpy()
    if pixels.shape[2] == 3:
        return pixels.astype(np.float64)
    return pixels[:, :, :3].astype(np.float64) * pixels[:, :, 3:] / 255


def test_pictures_look_as_another_decoder_shows_them() -> None:
    _needs(PICTURES, "none of the packages that carry pictures")
    for path in PICTURES:
        assert np.abs(read_image(path, 3) - _decoded(path)).max() <= (1 if path.suffix == ".png" else 3), path


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGB", "RGBA", "I;16"])
@pytest.mark.parametrize(("ending", "compression"), [("png", None), ("tif", None), ("tif", "tiff_lzw"), ("tif", "packbits")])
def test_every_mode_of_a_picture_is_read_as_pillow_converts_it(
    tmp_path: Path, mode: str, ending: str, compression: str | None
) -> None:
    _needs(PICTURES, "none of the packages that carry pictures")
    picture = Image.open(next(path for path in PICTURES if path.suffix == ".jpg")).crop((200, 100, 300, 180))
    if mode == "I;16":
        picture = Image.fromarray(np.asarray(picture.convert("L"), dtype=np.uint16) * 255)
    else:
        picture = picture.convert(mode)
    if "A" in mode:
        picture.putalpha(Image.linear_gradient("L").resize(picture.size))
    path = tmp_path / f"a.{ending}"
    picture.save(path, compression=compression)
    if mode == "I;16":
        expected = np.asarray(picture) / 65535 * 255 - 0.5  # rounded down
    elif "A" in mode:
        alpha = np.asarray(picture.getchannel("A"))[:, :, None] / 255
        expected = np.asarray(picture.convert("RGBA"))[:, :, :3] * alpha
    else:
        expected = np.asarray(picture.convert("RGB"))
    expected = expected if expected.ndim == 3 else expected[:, :, None]
    assert np.abs(read_image(path, 3) - expected).max() <= (ROUNDING if mode == "I;16" else 1 if "A" in mode else 0)
