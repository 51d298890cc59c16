"""Brightness of stored values is what the header says, and a header that says nonsense is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset

from drifa.data.reading.dicom_grey import shade
from drifa.errors import DrifaError

VALUES = np.arange(4096, dtype=np.uint16).reshape(64, 64)


def _shade(pixels: np.ndarray = VALUES, bits: int = 12, **tags: Any) -> np.ndarray:
    dataset = Dataset()
    dataset.PhotometricInterpretation = "MONOCHROME2"
    for name, value in tags.items():
        setattr(dataset, name, value)
    return shade(pixels, dataset, Path("a.dcm"), pixels.dtype.kind == "i", bits, little=True)


def _table(first: int) -> Dataset:
    table = Dataset()
    table.LUTDescriptor = [4096, first, 16]
    table.add_new("LUTData", "OW", (16 * np.arange(4096)).astype("<u2").tobytes())
    return table


def test_a_table_behind_a_rescale_sees_negative_values() -> None:
    plain = _shade(VOILUTSequence=[_table(0)])
    moved = _shade(VOILUTSequence=[_table(-1024)], RescaleSlope="1", RescaleIntercept="-1024")
    np.testing.assert_array_equal(moved, plain)
    assert (plain.min(), plain.max()) == (0, 255)


def test_a_modality_table_takes_the_place_of_the_rescale() -> None:
    np.testing.assert_array_equal(_shade(ModalityLUTSequence=[_table(0)]), np.round(VALUES * 16 / 65535 * 255))


def test_a_linear_window_of_width_one_is_a_step() -> None:
    image = _shade(WindowCenter="2000", WindowWidth="1")
    np.testing.assert_array_equal(image, np.where(VALUES >= 2000, 255, 0))


def test_a_narrow_window_serves_scaled_values() -> None:
    image = _shade(RescaleSlope="0.0002", WindowCenter="0.4", WindowWidth="0.5")
    np.testing.assert_allclose(image, np.clip((VALUES * 0.0002 - 0.4) / 0.5 + 0.5, 0, 1) * 255, atol=0.51)


def test_32_bit_values_are_exact_in_a_narrow_window() -> None:
    large = VALUES.astype(np.uint32) + 2_000_000_000
    np.testing.assert_array_equal(
        _shade(large, 32, WindowCenter="2000002000", WindowWidth="900"), _shade(WindowCenter="2000", WindowWidth="900")
    )


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ({"RescaleSlope": "0"}, r"has 0 as \(0028,1053\) Rescale Slope, under which its values vanish"),
        ({"RescaleSlope": "1e307"}, r"Rescale Slope, under which its values vanish"),
        ({"RescaleSlope": [1, 2]}, r"Rescale Slope, which should be one number"),
        ({"WindowCenter": "40"}, r"has 1 values of \(0028,1050\) Window Center and 0 of \(0028,1051\) Window Width"),
        ({"WindowWidth": "40"}, r"has 0 values of \(0028,1050\) Window Center and 1 of"),
        ({"WindowCenter": [40, 50], "WindowWidth": 400}, r"has 2 values of .* and 1 of .*so that each window has both"),
        ({"WindowCenter": "40", "WindowWidth": "-3"}, "window of centre 40.0 and width -3.0"),
        ({"VOILUTSequence": [Dataset()]}, "a lookup table without a valid"),
    ],
)
def test_a_header_that_says_nonsense_is_refused(tags: dict[str, Any], message: str) -> None:
    with pytest.raises(DrifaError, match=message):
        _shade(**tags)


def test_values_beyond_the_stored_bits_are_refused() -> None:
    with pytest.raises(DrifaError, match=r"holds 0 to 4095, beyond its 8 bits of \(0028,0101\) Bits Stored"):
        _shade(bits=8)
