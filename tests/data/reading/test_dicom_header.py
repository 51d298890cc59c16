"""A header that contradicts itself, or announces too much, is refused by name before any pixel is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from drifa.data.reading.images import read_image
from drifa.errors import DrifaError
from tests.data.reading.test_dicom import VALUES, make


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ({"NumberOfFrames": 2}, r"has 2 frames \(9x6x2\)"),
        ({"Rows": 60000, "Columns": 60000}, "60000x60000 pixels, more than 100 megapixels"),
        ({"Rows": 1000, "Columns": 1000, "NumberOfFrames": 101}, "1000x1000x101 pixels, more than 100 megapixels"),
        ({"Rows": 12}, "damaged or cut short"),
        ({"Rows": 0}, r"has 0 as \(0028,0010\) Rows; it should be 1 or more: correct its header"),
        ({"Columns": 0}, r"has 0 as \(0028,0011\) Columns; it should be 1 or more"),
        ({"Rows": [6, 6]}, r"has '6\\\\6' as \(0028,0010\) Rows, which should be one number; correct its header"),
        ({"Rows": 3}, r"holds 108 bytes of pixels where its header tells of one frame of 54; correct .* Number of Frames"),
        ({"PixelData": bytes(324)}, r"holds 324 bytes of pixels where its header tells of one frame of 108"),
        ({"HighBit": 9}, r"has 9 as \(0028,0102\) High Bit; it should be 11"),
        ({"BitsStored": 17, "HighBit": 16}, r"has 17 as \(0028,0101\) Bits Stored; it should be 1 to 16"),
        ({"BitsAllocated": 12}, r"has 12 as \(0028,0100\) Bits Allocated"),
        ({"PixelRepresentation": 2}, r"has 2 as \(0028,0103\) Pixel Representation; it should be 0"),
        ({"SamplesPerPixel": 3}, r"has 3 as \(0028,0002\) Samples per Pixel; MONOCHROME2 has 1"),
        ({"PresentationLUTShape": "INVERSE"}, "MONOCHROME2 contradicts it"),
        ({"PixelPresentation": "COLOR"}, "colours over grey values are not read"),
        ({"PhotometricInterpretation": "YBR_PARTIAL_420"}, "photometric interpretation 'YBR_PARTIAL_420'"),
        ({"WindowCenter": "40", "WindowWidth": "0"}, "window of centre 40.0 and width 0.0"),
        ({"PhotometricInterpretation": "CMYK"}, "photometric interpretation 'CMYK'"),
        ({"WindowCenter": "1", "WindowWidth": "2", "VOILUTFunction": "CUBIC"}, "unknown window function 'CUBIC'"),
    ],
)
def test_faults_of_the_header_are_named(tmp_path: Path, tags: dict[str, Any], message: str) -> None:
    make(**tags).save_as(tmp_path / "a.dcm", enforce_file_format=True)
    with pytest.raises(DrifaError, match=message) as caught:
        read_image(tmp_path / "a.dcm", 1)
    assert str(tmp_path / "a.dcm") in str(caught.value)
    assert "Jane" not in str(caught.value)


def test_a_few_bytes_behind_the_frame_are_padding(tmp_path: Path) -> None:
    for surplus in (2, 106):
        make(PixelData=VALUES.tobytes() + bytes(surplus)).save_as(tmp_path / "a.dcm", enforce_file_format=True)
        np.testing.assert_array_equal(read_image(tmp_path / "a.dcm", 1)[:, :, 0], np.round(VALUES / 4095 * 255))
    make(np.array([[7]], np.uint8)).save_as(tmp_path / "a.dcm", enforce_file_format=True)
    assert read_image(tmp_path / "a.dcm", 1).tolist() == [[[7]]]


def test_an_image_is_bounded_by_its_bytes_and_not_only_by_its_pixels(tmp_path: Path) -> None:
    make(np.zeros((10, 10, 3), np.uint16)).save_as(tmp_path / "a.dcm", enforce_file_format=True)
    assert read_image(tmp_path / "a.dcm", 3, max_megapixels=2e-4).shape == (10, 10, 3)
    with pytest.raises(DrifaError, match=r"10x10 pixels of 3 times 16 bits, 0.0006 MB, more than 0.0003 MB"):
        read_image(tmp_path / "a.dcm", 3, max_megapixels=1e-4)
