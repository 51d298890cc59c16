"""Lookup tables of DICOM: the modality and VOI tables of grey images, and palettes.

References:
    DICOM PS3.3 C.7.6.3.1.5 and C.7.9 (palettes), C.11.1 (modality LUT), C.11.2 (VOI LUT).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.pixels import apply_color_lut

from drifa.data.reading.dicom_numbers import name_of
from drifa.errors import DrifaError

# Brightest entry of a palette of 16-bit words below which its entries must be narrower than they say.
_DARK = 2**12
_COLOURS = ("Red", "Green", "Blue")


class Table:
    """Entries by stored value; values before the first and after the last take the nearest entry.

    Args:
        entries: In order.
        first: The value that the first one stands for.
        top: The largest possible entry.
    """

    def __init__(self, entries: np.ndarray, first: int, top: int) -> None:
        self.entries, self.first, self.top = entries, first, top

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """The entry of every value. Shape: [...] -> [...] of the entries' type, with the entries' further axes."""
        index = np.clip(np.floor(values) - self.first, 0, len(self.entries) - 1)
        return self.entries[index.astype(np.int64)]


def read_table(item: Dataset, path: Path, signed: bool, little: bool) -> Table:
    """The table of an item of a Modality or VOI LUT Sequence.

    Args:
        item: The item.
        path: The file, for errors.
        signed: Whether the values that it is for may be negative.
        little: Byte order of the file.

    Raises:
        DrifaError: It lacks a part, or its entries do not fit what it says about them.
    """
    count, first, bits = _descriptor(item, "LUTDescriptor", path, signed)
    data = item.get("LUTData")
    if data is None:
        raise DrifaError(f"image {path} has a lookup table without {name_of('LUTData')}; correct its header")
    if isinstance(data, bytes):
        entries = _unpack(data, count, path, little)
    else:
        entries = np.atleast_1d(np.asarray(data, dtype=np.int64)) & 0xFFFF
    if len(entries) < count or not 1 <= bits <= 16 or entries.max() > 2**bits - 1:
        raise DrifaError(
            f"image {path} has a lookup table of {len(entries)} entries up to {entries.max(initial=0)}, but says {count} of "
            f"{bits} bits; correct {name_of('LUTDescriptor')}"
        )
    return Table(entries[:count], first, 2**bits - 1)


def read_palette(dataset: Dataset, path: Path, signed: bool, little: bool) -> Table:
    """The colours of a PALETTE COLOR image: entries [N, 3].

    Entries of 8 bits that stand in 16-bit words are told by their size.

    Raises:
        DrifaError: A colour is missing, the colours differ in length, or their entries do not fit what the header says.
    """
    if "AlphaPaletteColorLookupTableData" in dataset:
        raise DrifaError(f"image {path} has a palette with transparency; save it as RGB")
    descriptors = [_descriptor(dataset, f"{colour}PaletteColorLookupTableDescriptor", path, signed) for colour in _COLOURS]
    count, first, bits = descriptors[0]
    if len(set(descriptors)) > 1 or bits not in (8, 16):
        raise DrifaError(
            f"image {path} has palettes of (entries, first, bits) {descriptors}; they should be equal and of 8 or 16 bits: "
            f"correct {name_of('RedPaletteColorLookupTableDescriptor')} and its neighbours"
        )
    if "SegmentedRedPaletteColorLookupTableData" in dataset and "RedPaletteColorLookupTableData" not in dataset:
        entries = apply_color_lut(np.arange(first, first + count, dtype=np.int64), dataset).astype(np.int64)
    else:
        columns = []
        for colour in _COLOURS:
            keyword = f"{colour}PaletteColorLookupTableData"
            data = dataset.get(keyword)
            if not isinstance(data, bytes):
                raise DrifaError(f"image {path} has a palette without {name_of(keyword)}; correct its header")
            columns.append(_unpack(data, count, path, little))
        entries = np.stack(columns, axis=1)
    brightest = int(entries.max())
    if bits == 16 and 255 < brightest < _DARK:
        raise DrifaError(
            f"image {path} has a palette of 16 bits whose brightest entry is {brightest}; if its entries are narrower, "
            f"scale them to 65535, or save the image as RGB"
        )
    return Table(entries, first, 255 if brightest <= 255 else 65535)


def _descriptor(dataset: Dataset, keyword: str, path: Path, signed: bool) -> tuple[int, int, int]:
    """Number of entries, first value, and bits of a table."""
    try:
        count, first, bits = (int(part) & 0xFFFF for part in dataset[keyword].value)
    except (KeyError, TypeError, ValueError):
        raise DrifaError(f"image {path} has a lookup table without a valid {name_of(keyword)}; correct its header") from None
    # The value's type depends on the pixels', and files get it wrong.
    return count or 2**16, first - 2**16 if signed and first >= 2**15 else first, bits


def _unpack(data: bytes, count: int, path: Path, little: bool) -> np.ndarray:
    if len(data) in (2 * count, 2 * count + 1):
        return np.frombuffer(data[: 2 * count], dtype="<u2" if little else ">u2").astype(np.int64)
    if len(data) in (count, count + 1):
        return np.frombuffer(data[:count], dtype=np.uint8).astype(np.int64)
    raise DrifaError(f"image {path} has a lookup table of {len(data)} bytes for {count} entries; correct its header")
