"""A DICOM image looks as its own window says, and every DICOM file that is no single image says so."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.data import get_testdata_file
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.pixels import apply_modality_lut, apply_voi_lut
from pydicom.uid import (
    MPEG2MPML,
    ExplicitVRLittleEndian,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLSLossless,
    RLELossless,
    SecondaryCaptureImageStorage,
)

from drifa.data.reading.images import read_image
from drifa.errors import DrifaError

VALUES = np.random.default_rng(0).integers(0, 4096, (6, 9), dtype=np.uint16)


def make(pixels: np.ndarray = VALUES, **tags: Any) -> Dataset:
    """A secondary capture with 12 of 16 bits used."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID, dataset.SOPInstanceUID = SecondaryCaptureImageStorage, "1.2.3"
    dataset.PatientName = "Doe^Jane"
    dataset.Rows, dataset.Columns = pixels.shape[:2]
    dataset.SamplesPerPixel = 3 if pixels.ndim == 3 else 1
    dataset.PhotometricInterpretation = "RGB" if pixels.ndim == 3 else "MONOCHROME2"
    dataset.PlanarConfiguration = 0
    dataset.BitsAllocated = 8 * pixels.dtype.itemsize
    dataset.BitsStored = min(12, dataset.BitsAllocated)
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
    dataset.PixelData = pixels.tobytes() + b"\0" * (pixels.nbytes % 2)
    for name, value in tags.items():
        setattr(dataset, name, value)
    return dataset


@pytest.fixture
def grey(tmp_path: Path) -> Callable[..., np.ndarray]:
    """Writes a file and reads it as grey pixels."""

    def read(dataset: Dataset) -> np.ndarray:
        dataset.save_as(tmp_path / "image", enforce_file_format=True)  # DICOM files often have no ending
        return read_image(tmp_path / "image", 1)[:, :, 0].astype(int)

    return read


def test_without_a_window_the_stored_bits_fill_the_scale(grey: Callable[..., np.ndarray]) -> None:
    expected = np.round(VALUES / 4095 * 255)
    np.testing.assert_array_equal(grey(make()), expected)
    # Rescaling is a straight line, so it cannot matter here; a negative one turns the scale around.
    np.testing.assert_array_equal(grey(make(RescaleSlope="2.5", RescaleIntercept="-1024")), expected)
    assert np.abs(grey(make(RescaleSlope="-1", RescaleIntercept="0")) - (255 - expected)).max() <= 1
    signed = (VALUES.astype(np.int16) - 2048).astype(np.int16)
    np.testing.assert_array_equal(grey(make(signed)), expected)


def test_the_first_window_is_taken_on_rescaled_values(grey: Callable[..., np.ndarray]) -> None:
    dataset = make(RescaleSlope="1", RescaleIntercept="-1024", WindowCenter=["40", "300"], WindowWidth=["400", "1500"])
    image = grey(dataset)
    hounsfield = VALUES.astype(int) - 1024
    assert (image[hounsfield <= -160] == 0).all()
    assert (image[hounsfield >= 240] == 255).all()
    inside = (hounsfield > -160) & (hounsfield < 240)
    assert inside.any()
    np.testing.assert_allclose(image[inside], (hounsfield[inside] - 39.5) / 399 * 255 + 127.5, atol=0.51)


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
def test_window_functions_agree_with_the_reference_library(grey: Callable[..., np.ndarray], function: str) -> None:
    dataset = make(WindowCenter="2000", WindowWidth="900", VOILUTFunction=function)
    reference = apply_voi_lut(apply_modality_lut(VALUES, dataset), dataset) / 4095 * 255
    np.testing.assert_allclose(grey(dataset), reference, atol=0.51)


def test_a_lookup_table_serves_where_there_is_no_window(grey: Callable[..., np.ndarray]) -> None:
    table = Dataset()
    table.LUTDescriptor = [4096, 0, 16]
    table.add_new("LUTData", "OW", (65535 - 16 * np.arange(4096)).astype("<u2").tobytes())
    dataset = make(VOILUTSequence=[table])
    np.testing.assert_allclose(grey(dataset), 255 - VALUES / 4095 * 255, atol=1.5)


def test_monochrome1_is_the_negative(grey: Callable[..., np.ndarray]) -> None:
    plain = grey(make(WindowCenter="2000", WindowWidth="900"))
    np.testing.assert_array_equal(
        grey(make(WindowCenter="2000", WindowWidth="900", PhotometricInterpretation="MONOCHROME1")), 255 - plain
    )


def test_an_enhanced_image_of_one_frame_has_its_window_in_the_functional_groups(grey: Callable[..., np.ndarray]) -> None:
    window, rescale, shared = Dataset(), Dataset(), Dataset()
    window.WindowCenter, window.WindowWidth = "40", "400"
    rescale.RescaleSlope, rescale.RescaleIntercept = "1", "-1024"
    shared.FrameVOILUTSequence, shared.PixelValueTransformationSequence = [window], [rescale]
    plain = make(RescaleSlope="1", RescaleIntercept="-1024", WindowCenter="40", WindowWidth="400")
    np.testing.assert_array_equal(grey(make(NumberOfFrames=1, SharedFunctionalGroupsSequence=[shared])), grey(plain))


def test_colour_is_read_as_it_is(tmp_path: Path) -> None:
    rgb = np.random.default_rng(1).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    make(rgb).save_as(tmp_path / "a.dcm", enforce_file_format=True)
    np.testing.assert_array_equal(read_image(tmp_path / "a.dcm", 3), rgb)


def test_every_coding_of_one_colour_image_looks_the_same() -> None:
    reference = read_image(get_testdata_file("SC_rgb_dcmtk_+eb+cr.dcm", download=False), 3).astype(int)
    for name in ("SC_rgb_rle.dcm", "SC_rgb_rle_16bit.dcm", "SC_rgb_rle_32bit.dcm", "SC_rgb_dcmtk_+eb+cy+n1.dcm"):
        other = read_image(get_testdata_file(name, download=False), 3)
        assert np.median(np.abs(other - reference)) <= 1, name  # some share colours among neighbouring pixels


def test_every_coding_of_one_mr_image_looks_the_same_though_its_preamble_is_a_tiff_header() -> None:
    names = ["MR_small.dcm", "MR_small_implicit.dcm", "MR_small_bigendian.dcm", "MR_small_RLE.dcm", "MR_small_jp2klossless.dcm"]
    images = [read_image(get_testdata_file(name, download=False), 1) for name in names]
    assert images[0].std() > 20
    for image in images[1:]:
        np.testing.assert_array_equal(image, images[0])


def test_files_that_hold_no_single_image_are_named_with_the_remedy(tmp_path: Path) -> None:
    for name, message in {
        "test-SR.dcm": r"without an image \(Comprehensive SR Storage\)",
        "rtplan.dcm": r"without an image \(RT Plan Storage\)",
        "rtdose.dcm": "has 15 frames",
        "rtdose_1frame.dcm": "32-bit values without a window",
        "image_dfl.dcm": "Deflated Explicit VR Little Endian; write it again",
        "MR_truncated.dcm": "damaged or cut short",
        "badVR.dcm": r"'1A' as \(0028,0008\) Number of Frames",
    }.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the library comments on odd values before it gives up
            with pytest.raises(DrifaError, match=message):
                read_image(get_testdata_file(name, download=False), 1)


def test_a_file_without_pixels_or_cut_short_is_refused(tmp_path: Path) -> None:
    dataset = make()
    del dataset.PixelData
    dataset.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    with pytest.raises(DrifaError, match="has a DICOM header but no pixels"):
        read_image(tmp_path / "a.dcm", 1)
    make().save_as(tmp_path / "b.dcm", enforce_file_format=True)
    content = (tmp_path / "b.dcm").read_bytes()
    for length in (140, 200, len(content) // 2, len(content) - 30):
        (tmp_path / "b.dcm").write_bytes(content[:length])
        with pytest.raises(DrifaError, match=r"b\.dcm"):
            read_image(tmp_path / "b.dcm", 1)


def test_a_compression_that_nothing_here_reads_names_the_package(tmp_path: Path) -> None:
    pixels = make()
    pixels.PixelData = pydicom.encaps.encapsulate([b"\xff\xd8\xff\xf7\x00\x00"])
    pixels["PixelData"].VR = "OB"
    for syntax, message in ((JPEGLSLossless, r"JPEG-LS Lossless .*1.2.840.10008.1.2.4.80"), (MPEG2MPML, "no still image")):
        pixels.file_meta.TransferSyntaxUID = syntax
        pixels.save_as(tmp_path / "a.dcm", enforce_file_format=True)
        if syntax == JPEGLSLossless:
            installed = pydicom.pixels.get_decoder(syntax).is_available
            message = "damaged or cut short" if installed else message + r".*pip install 'drifa\[dicom\]'"
        with pytest.raises(DrifaError, match=message):
            read_image(tmp_path / "a.dcm", 1)


def test_a_variant_that_the_only_decoder_lacks_names_the_package(tmp_path: Path) -> None:
    dataset = pydicom.dcmread(get_testdata_file("JPEG-lossy.dcm", download=False))  # JPEG of 12 bits
    path = tmp_path / "a.dcm"
    dataset.save_as(path)
    if any("pylibjpeg" in name for name in pydicom.pixels.get_decoder(JPEGExtended12Bit).available_plugins):
        assert read_image(path, 1).std() > 0
    else:
        with pytest.raises(DrifaError, match=r"JPEG Extended .*1 times 12 bits.*pip install 'drifa\[dicom\]'"):
            read_image(path, 1)


@pytest.mark.parametrize(
    "name",
    ["JPEG-lossy.dcm", "JPGExtended.dcm", "SC_rgb_jpeg_dcmtk.dcm", "SC_rgb_jpeg_gdcm.dcm", "MR_small_jpeg_ls_lossless.dcm"],
)
def test_a_cut_frame_is_never_filled_up(tmp_path: Path, name: str) -> None:
    dataset = pydicom.dcmread(get_testdata_file(name, download=False))
    frame = pydicom.encaps.get_frame(dataset.PixelData, 0, number_of_frames=1)
    for length in (len(frame) // 2, len(frame) * 9 // 10, frame.rindex(b"\xff\xd9")):
        dataset.PixelData = pydicom.encaps.encapsulate([frame[:length]])
        dataset.save_as(tmp_path / "a.dcm")
        installed = pydicom.pixels.get_decoder(dataset.file_meta.TransferSyntaxUID).is_available
        with pytest.raises(DrifaError, match="damaged or cut short" if installed else "needs another package"):
            read_image(tmp_path / "a.dcm", 1)


def test_high_bits_anywhere_in_the_word_are_found_and_what_lies_beside_them_is_not_seen(
    grey: Callable[..., np.ndarray],
) -> None:
    expected = grey(make())
    beside = np.random.default_rng(1).integers(0, 16, VALUES.shape, dtype=np.uint16)
    np.testing.assert_array_equal(grey(make(VALUES << 4 | beside, HighBit=15)), expected)
    np.testing.assert_array_equal(grey(make(VALUES | beside << 12)), expected)
    negative = (VALUES.astype(np.int16) - 2048).astype(np.int16)
    np.testing.assert_array_equal(grey(make(negative << 4, HighBit=15)), grey(make(negative)))


@pytest.mark.parametrize("kind", ["MONOCHROME1", "MONOCHROME2"])
def test_padding_is_black_however_its_sign_is_written(grey: Callable[..., np.ndarray], kind: str) -> None:
    window = {"WindowCenter": "2000", "WindowWidth": "900", "PhotometricInterpretation": kind}
    plain = grey(make(VALUES.astype(np.int16), **window))
    padded = VALUES.astype(np.int16)
    padded[:2] = -2000
    for value, vr in ((-2000, "SS"), (63536, "US")):
        dataset = make(padded, **window)
        dataset.add_new("PixelPaddingValue", vr, value)
        image = grey(dataset)
        assert (image[:2] == 0).all()
        np.testing.assert_array_equal(image[2:], plain[2:])
    dataset.add_new("PixelPaddingRangeLimit", "US", 65535)
    padded[1] = -1  # the range reaches from -2000 to -1
    dataset.PixelData = padded.tobytes()
    assert (grey(dataset)[:2] == 0).all()


def _run_lengths(tmp_path: Path, segment: bytes) -> Path:
    dataset = make(np.zeros((8, 16), np.uint8), BitsStored=8, HighBit=7)
    header = np.array([1, 64, *[0] * 14], dtype="<u4").tobytes()
    dataset.file_meta.TransferSyntaxUID = RLELossless
    dataset.PixelData = pydicom.encaps.encapsulate([header + segment])
    dataset["PixelData"].VR = "OB"
    dataset.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    return tmp_path / "a.dcm"


def test_run_lengths_that_unpack_to_far_more_are_refused_before_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = bytes([257 - 128, 200])
    assert (read_image(_run_lengths(tmp_path, run), 1) == 200).all()
    path = _run_lengths(tmp_path, run * 2**20)
    monkeypatch.setattr("drifa.data.reading.dicom.pixel_array", lambda *_: pytest.fail("it was unpacked"))
    with pytest.raises(DrifaError, match="more than twice the 128 bytes of a plane"):
        read_image(path, 1)


def test_a_jpeg_of_thousands_of_scans_is_refused(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((16, 16), np.uint8)).save(buffer, "JPEG", progressive=True)
    content = buffer.getvalue()
    content = content[:-2] + content[content.rindex(b"\xff\xda") : -2] * 3000 + b"\xff\xd9"
    dataset = make(np.zeros((16, 16), np.uint8), BitsStored=8, HighBit=7)
    dataset.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    dataset.PixelData = pydicom.encaps.encapsulate([content])
    dataset["PixelData"].VR = "OB"
    dataset.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    with pytest.raises(DrifaError, match=r"a JPEG of 30\d\d scans"):
        read_image(tmp_path / "a.dcm", 1)


def test_private_elements_of_nonsense_play_no_part(tmp_path: Path, grey: Callable[..., np.ndarray]) -> None:
    dataset = make()
    for tag, vr, value in (
        (0x00091001, "SQ", b"\xff\xff"),
        (0x00091002, "DS", b"nonsense"),
        (0x00291010, "UN", b"\0" * 9 + b"\1"),
    ):
        dataset[tag] = RawDataElement(pydicom.tag.Tag(tag), "UN" if vr == "SQ" else vr, len(value), value, 0, False, True)
    np.testing.assert_array_equal(grey(dataset), grey(make()))


def test_a_deflated_file_is_refused_before_it_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unpack(*_: object) -> bytes:
        pytest.fail("a deflated file was unpacked, whatever its size")

    monkeypatch.setattr("zlib.decompress", unpack)
    source = Path(str(get_testdata_file("image_dfl.dcm", download=False)))
    for start in (0, 132):  # with and without its preamble
        (tmp_path / "a.dcm").write_bytes(source.read_bytes()[start:])
        with pytest.raises(DrifaError, match="Deflated Explicit VR Little Endian; write it again"):
            read_image(tmp_path / "a.dcm", 1)


def test_a_file_without_preamble_is_recognised(tmp_path: Path) -> None:
    path = tmp_path / "old.dcm"
    make().save_as(path, enforce_file_format=True)
    whole = read_image(path, 1)
    path.write_bytes(path.read_bytes()[132:])
    np.testing.assert_array_equal(read_image(path, 1), whole)


def test_a_dicom_image_named_as_png_is_still_dicom(tmp_path: Path) -> None:
    make().save_as(tmp_path / "a.png", enforce_file_format=True)
    with pytest.raises(Exception, match="cannot identify"):
        Image.open(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png", 3).shape == (6, 9, 3)
