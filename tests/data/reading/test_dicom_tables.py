"""Lookup tables give the entry of every value, and entries narrower than their words do not turn an image black."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset

from drifa.data.reading.dicom_tables import Table, read_palette, read_table
from drifa.errors import DrifaError

PATH = Path("a.dcm")
RAMP = np.arange(256)
COLOURS = ("Red", "Green", "Blue")


def _palette(bits: int, data: bytes, count: int = 256, first: int = 0) -> Dataset:
    dataset = Dataset()
    for colour in COLOURS:
        setattr(dataset, f"{colour}PaletteColorLookupTableDescriptor", [count, first, bits])
        setattr(dataset, f"{colour}PaletteColorLookupTableData", data)
    return dataset


def _item(bits: int, data: object, vr: str, count: int = 4, first: int = 0) -> Dataset:
    item = Dataset()
    item.LUTDescriptor = [count, first, bits]
    item.add_new("LUTData", vr, data)
    return item


def test_values_outside_take_the_nearest_entry_and_fractions_the_one_below() -> None:
    table = Table(np.array([10, 20, 30]), -1, 255)
    assert table(np.array([-9, -1, 0, 0.9, 1, 50])).tolist() == [10, 10, 20, 20, 30, 30]


@pytest.mark.parametrize(
    ("bits", "data"),
    [
        (8, RAMP.astype("u1").tobytes()),
        (8, RAMP.astype("<u2").tobytes()),  # padded to words
        (16, RAMP.astype("<u2").tobytes()),  # 8-bit entries, and a header that claims more
        (16, (RAMP * 257).astype("<u2").tobytes()),
        (8, (RAMP * 257).astype("<u2").tobytes()),
    ],
)
def test_a_palette_is_as_bright_as_it_was_meant(bits: int, data: bytes) -> None:
    palette = read_palette(_palette(bits, data), PATH, signed=False, little=True)
    np.testing.assert_array_equal(palette(RAMP)[:, 1] * 255 // palette.top, RAMP)


def test_byte_order_and_first_value_are_honoured() -> None:
    big = read_palette(_palette(16, (RAMP * 257).astype(">u2").tobytes()), PATH, signed=False, little=False)
    assert big(np.array([255]))[0].tolist() == [65535] * 3
    for first in (-100, 65436):  # the same number, as signed files write it and as others do
        dataset = _palette(8, RAMP.astype("u1").tobytes())
        for colour in COLOURS:
            dataset.add_new(f"{colour}PaletteColorLookupTableDescriptor", "SS" if first < 0 else "US", [256, first, 8])
        assert read_palette(dataset, PATH, signed=True, little=True)(np.array([-100, 0, 155]))[:, 0].tolist() == [0, 100, 255]


def test_more_than_256_colours_do_not_wrap() -> None:
    entries = np.linspace(0, 65535, 1000).astype("<u2")
    palette = read_palette(_palette(16, entries.tobytes(), 1000), PATH, signed=False, little=True)
    np.testing.assert_array_equal(palette(np.arange(1000))[:, 2], entries)


def test_palettes_that_make_no_sense_are_refused_by_name() -> None:
    dark = (RAMP * 15).astype("<u2").tobytes()
    for dataset, message in (
        (_palette(16, dark), "palette of 16 bits whose brightest entry is 3825"),
        (_palette(12, dark), "of 8 or 16 bits"),
        (_palette(8, bytes(100)), "a lookup table of 100 bytes for 256 entries"),
    ):
        with pytest.raises(DrifaError, match=message):
            read_palette(dataset, PATH, signed=False, little=True)
    for keyword, message in (
        ("GreenPaletteColorLookupTableData", "Green Palette"),
        ("RedPaletteColorLookupTableDescriptor", "Red"),
    ):
        dataset = _palette(8, bytes(256))
        delattr(dataset, keyword)
        with pytest.raises(DrifaError, match=message):
            read_palette(dataset, PATH, signed=False, little=True)


def test_tables_of_words_bytes_and_numbers_agree() -> None:
    for data, vr in (
        ([0, 100, 200, 255], "US"),
        (np.array([0, 100, 200, 255], "<u2").tobytes(), "OW"),
        (bytes([0, 100, 200, 255]), "OW"),
    ):
        table = read_table(_item(8, data, vr), PATH, signed=False, little=True)
        assert (table(np.array([0, 1, 2, 9])).tolist(), table.top) == ([0, 100, 200, 255], 255)


def test_a_table_that_contradicts_itself_is_refused() -> None:
    for item, message in (
        (_item(8, [0, 1, 2, 300], "US"), "up to 300, but says 4 of 8 bits"),
        (_item(8, [0, 1], "US"), "2 entries up to 1, but says 4"),
        (Dataset(), r"without a valid \(0028,3002\) LUT Descriptor"),
    ):
        with pytest.raises(DrifaError, match=message):
            read_table(item, PATH, signed=False, little=True)
