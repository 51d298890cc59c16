"""From the stored values of a grey DICOM image to its brightness, as its own header says.

References:
    DICOM PS3.3 C.11.1 (modality LUT), C.11.2 (VOI LUT and window functions), C.7.5.1.1.2 (pixel padding).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset

from drifa.data.reading.blocks import to_bytes
from drifa.data.reading.dicom_numbers import count, name_of, number, single
from drifa.data.reading.dicom_tables import read_table
from drifa.errors import DrifaError

_Map = Callable[[np.ndarray], np.ndarray]


def shade(pixels: np.ndarray, dataset: Dataset, path: Path, signed: bool, bits: int, little: bool) -> np.ndarray:
    """Brightness of stored values: rescale or modality table, then window or VOI table, then MONOCHROME1 turned around.

    Args:
        pixels: Stored values.
        dataset: The header.
        path: The file, for errors.
        signed: Whether they may be negative.
        bits: Of every value.
        little: Byte order of the file.

    Shape:
        [H, W] -> uint8 [H, W].

    Raises:
        DrifaError: A rescale, window or table that has no meaning; or more than 16 bits without a window.
    """
    modality, ends = _modality(dataset, path, signed, little, _ends(pixels, path, signed, bits))
    display = _display(dataset, path, little, ends, bits)
    inverted = dataset.PhotometricInterpretation == "MONOCHROME1"

    def brightness(block: np.ndarray) -> np.ndarray:
        return 255 * np.clip(display(modality(block.astype(np.float64))), 0, 1)

    grey = to_bytes(pixels, brightness)
    return 255 - grey if inverted else grey


def rescaled(pixels: np.ndarray, dataset: Dataset, path: Path, signed: bool, bits: int, little: bool) -> np.ndarray:
    """Stored values in the unit of the modality, as Hounsfield units: rescale or modality table alone; as :func:`shade`.

    Shape:
        [H, W] -> float32 [H, W].
    """
    modality, _ = _modality(dataset, path, signed, little, _ends(pixels, path, signed, bits))
    return modality(pixels.astype(np.float64)).astype(np.float32)


def _ends(pixels: np.ndarray, path: Path, signed: bool, bits: int) -> tuple[int, int]:
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    if pixels.size and not low <= int(pixels.min()) <= int(pixels.max()) <= high:
        raise DrifaError(
            f"image {path} holds {pixels.min()} to {pixels.max()}, beyond its {bits} bits of {name_of('BitsStored')}; "
            f"correct its header"
        )
    return low, high


def _modality(
    dataset: Dataset, path: Path, signed: bool, little: bool, ends: tuple[float, float]
) -> tuple[_Map, tuple[float, float]]:
    where = _functional(dataset, "PixelValueTransformationSequence", "RescaleSlope")
    if where.get("ModalityLUTSequence"):
        table = read_table(where.ModalityLUTSequence[0], path, signed, little)
        return table, (0, table.top)
    slope, intercept = single(where, "RescaleSlope", path), single(where, "RescaleIntercept", path)
    a, b = 1.0 if slope is None else slope, intercept or 0.0
    ends = (ends[0] * a + b, ends[1] * a + b)
    if a == 0 or not np.isfinite(ends).all():
        raise DrifaError(
            f"image {path} has {a:g} as {name_of('RescaleSlope')}, under which its values vanish; correct its header"
        )
    return (lambda values: values * a + b), ends


def _display(dataset: Dataset, path: Path, little: bool, ends: tuple[float, float], bits: int) -> _Map:
    window = _functional(dataset, "FrameVOILUTSequence", "WindowCenter")
    centre, width = number(window, "WindowCenter", path), number(window, "WindowWidth", path)
    if count(window, "WindowCenter") != count(window, "WindowWidth"):
        raise DrifaError(
            f"image {path} has {count(window, 'WindowCenter')} values of {name_of('WindowCenter')} and "
            f"{count(window, 'WindowWidth')} of {name_of('WindowWidth')}; correct its header, so that each window has both"
        )
    if centre is not None or width is not None:
        return _window(centre, width, str(window.get("VOILUTFunction") or "LINEAR"), path)
    if dataset.get("VOILUTSequence"):
        table = read_table(dataset.VOILUTSequence[0], path, min(ends) < 0, little)
        return lambda values: table(values) / table.top
    if bits > 16:
        raise DrifaError(f"image {path} holds {bits}-bit values without a window; add one, as (0028,1050) and (0028,1051)")
    low, high = min(ends), max(ends)
    return lambda values: (values - low) / (high - low)


def _window(centre: float | None, width: float | None, function: str, path: Path) -> _Map:
    """From values to brightness 0 to 1, by the window's own function."""
    if centre is None or width is None or not width > 0:
        raise DrifaError(f"image {path} has a window of centre {centre} and width {width}; correct (0028,1050) and (0028,1051)")
    if function == "SIGMOID":
        return lambda values: 1 / (1 + np.exp(np.clip(-4 * (values - centre) / width, -700, 700)))
    # LINEAR has no meaning below a width of 1; scaled values, as of PET, have such widths all the same.
    if function == "LINEAR_EXACT" or (function == "LINEAR" and width < 1):
        return lambda values: (values - centre) / width + 0.5
    if function == "LINEAR":
        if width == 1:
            return lambda values: (values > centre - 0.5).astype(np.float64)
        return lambda values: (values - (centre - 0.5)) / (width - 1) + 0.5
    raise DrifaError(f"image {path} has the unknown window function {function!r}; use LINEAR, LINEAR_EXACT or SIGMOID")


def _functional(dataset: Dataset, sequence: str, keyword: str) -> Dataset:
    """Where an attribute of the only frame stands: at the top, or in the functional groups of an enhanced image."""
    if keyword in dataset:
        return dataset
    for groups in ("PerFrameFunctionalGroupsSequence", "SharedFunctionalGroupsSequence"):
        for group in dataset.get(groups) or ():
            for item in group.get(sequence) or ():
                if keyword in item:
                    return item
    return dataset
