"""A number of a header is read in full or refused by name, in whatever representation it stands."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from drifa.data.reading.dicom_numbers import name_of, number, whole
from drifa.errors import DrifaError

PATH = Path("a.dcm")


def _raw(vr: str | None, value: bytes | None, tag: int = 0x00281050) -> Dataset:
    """A header with one element, as a reader meets it."""
    dataset = Dataset()
    dataset[tag] = RawDataElement(Tag(tag), vr, len(value or b""), value, 0, vr is None, True)
    return dataset


@pytest.mark.parametrize("vr", ["DS", "LO", "SH", "UT", "ST", "CS", "OB", "UN", None])
def test_a_number_is_the_same_in_every_representation_of_text(vr: str | None) -> None:
    for text in (b"2048", b" 2048 ", b"2048\0", b"2048\\40", b"+2.048e3", b"2048.\\not a number"):
        assert number(_raw(vr, text), "WindowCenter", PATH) == 2048


def test_binary_numbers_and_values_set_by_hand_are_read() -> None:
    assert number(_raw("US", b"\x00\x08"), "WindowCenter", PATH) == 2048
    assert number(_raw("FL", b"\x00\x00\x00\x3f"), "WindowCenter", PATH) == 0.5
    dataset = Dataset()
    dataset.WindowCenter = [40, 300]
    assert number(dataset, "WindowCenter", PATH) == 40


@pytest.mark.parametrize("vr", ["DS", "UT", None])
@pytest.mark.parametrize(
    "text",
    [b"2048,0", b"2048/40", b"2048 40", b"2048HU", b"BRAIN", b"\\2048", b"nan", b"inf", b"1e999", b"1_000", b"0x10", b"--1"],
)
def test_what_is_no_finite_number_is_refused_by_name(vr: str | None, text: bytes) -> None:
    with pytest.raises(DrifaError, match=r"a\.dcm has .* as \(0028,1050\) Window Center, which is no finite number"):
        number(_raw(vr, text), "WindowCenter", PATH)


def test_nothing_is_nothing() -> None:
    assert number(Dataset(), "WindowCenter", PATH) is None
    for empty in (b"", b"  ", b"\0", None):
        assert number(_raw("DS", empty), "WindowCenter", PATH) is None


def test_whole_numbers_are_whole_and_there() -> None:
    assert whole(_raw("IS", b"12", 0x00280008), "NumberOfFrames", PATH) == 12
    assert whole(Dataset(), "NumberOfFrames", PATH, 1) == 1
    with pytest.raises(DrifaError, match=r"lacks \(0028,0101\) Bits Stored"):
        whole(Dataset(), "BitsStored", PATH)
    with pytest.raises(DrifaError, match=r"has 1\.5 as \(0028,0008\) Number of Frames"):
        whole(_raw("IS", b"1.5", 0x00280008), "NumberOfFrames", PATH)
    with pytest.raises(DrifaError, match=r"has '1\\\\2' as \(0028,0008\) Number of Frames, which should be one number"):
        whole(_raw("IS", b"1\\2", 0x00280008), "NumberOfFrames", PATH)
    assert name_of("RescaleSlope") == "(0028,1053) Rescale Slope"
