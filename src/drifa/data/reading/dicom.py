"""DICOM: one frame, through the window that the file itself names. Only pixels are read; no name or date goes anywhere.

References:
    DICOM PS3.3 C.11.1 (modality LUT), C.11.2 (VOI LUT and window functions), C.7.6.3 (image pixel module).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset, read_preamble
from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi, get_decoder, pixel_array
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian

from drifa.data.reading.files import damaged
from drifa.errors import DrifaError

_COLOUR = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_PARTIAL_420", "YBR_ICT", "YBR_RCT", "PALETTE COLOR")
_GREY = ("MONOCHROME1", "MONOCHROME2")


def read_dicom(path: Path, max_pixels: float) -> np.ndarray:
    """Decodes a file with one frame.

    Grey values go through the rescale slope and intercept and then through the first window (or the VOI LUT, where there is
    no window) onto 0 to 255. Without either, the full range of the stored bits goes onto 0 to 255. MONOCHROME1 is inverted.

    Shape:
        uint8 [H, W] or [H, W, 3].

    Raises:
        DrifaError: Not readable, without pixels, of several frames, too large, compressed in a way that no installed package
            reads, or of a pixel type without a natural 8-bit scale.
    """
    try:
        syntax = _transfer_syntax(path)
        if syntax == DeflatedExplicitVRLittleEndian:
            # Its size is known only once it is unpacked, which may fill any memory.
            raise DrifaError(f"image {path} is stored as {syntax.name}; write it again uncompressed, as with `dcmconv +te`")
        dataset = pydicom.dcmread(path, force=True)
        _check(dataset, path, max_pixels)
        if not syntax:
            dataset.file_meta.TransferSyntaxUID = pydicom.uid.ImplicitVRLittleEndian
        else:
            _check_syntax(syntax, path)
        pixels = _decoded(dataset, syntax, path)
        if pixels.shape[:2] != (dataset.Rows, dataset.Columns):
            raise damaged(path, f"{dataset.Columns}x{dataset.Rows} pixels announced, {pixels.shape[1]}x{pixels.shape[0]} found")
        if dataset.PhotometricInterpretation in _COLOUR:
            return _colour(pixels, dataset)
        return _grey(pixels, dataset, path)
    except DrifaError:
        raise
    except Exception as error:
        raise damaged(path, error) from None


def _transfer_syntax(path: Path) -> UID:
    # Only the elements of group 2, which are never packed; dcmread would unpack the rest at once.
    with open(path, "rb") as file:
        read_preamble(file, True)
        meta = read_dataset(file, False, True, stop_when=lambda tag, vr, length: tag >> 16 != 2)
        return UID(meta.get("TransferSyntaxUID", ""))


def _check(dataset: Dataset, path: Path, max_pixels: float) -> None:
    if "Rows" not in dataset or "Columns" not in dataset:
        kind = UID(str(dataset.get("SOPClassUID", "")))
        what = f" ({kind.name})" if kind else ""
        raise DrifaError(f"{path} is a DICOM file without an image{what}; remove its row from the study")
    frames = int(dataset.get("NumberOfFrames") or 1)
    width, height = int(dataset.Columns), int(dataset.Rows)
    size = f"{width}x{height}" + (f"x{frames}" if frames > 1 else "")
    if width * height * frames > max_pixels:
        raise DrifaError(f"image {path} has {size} pixels, more than {max_pixels / 1e6:g} megapixels; scale it down")
    if frames > 1:
        raise DrifaError(f"image {path} has {frames} frames ({size}); a row of a study is one image: save the frame you mean")
    if "FloatPixelData" in dataset or "DoubleFloatPixelData" in dataset:
        raise DrifaError(f"image {path} holds floating-point pixels, whose range is unknown; window it to 8 or 16 bits")
    if "PixelData" not in dataset:
        raise DrifaError(f"image {path} has a DICOM header but no pixels: it was cut short or stripped; fetch it again")
    kind = dataset.get("PhotometricInterpretation")
    if kind not in (*_GREY, *_COLOUR):
        raise DrifaError(f"image {path} has the photometric interpretation {kind!r}; convert it to MONOCHROME2 or RGB")


def _check_syntax(syntax: UID, path: Path) -> None:
    if not syntax.is_transfer_syntax:
        raise DrifaError(f"image {path} has the unknown transfer syntax {syntax}; write it again uncompressed")
    if syntax.is_encapsulated:
        try:
            available = get_decoder(syntax).is_available
        except NotImplementedError:
            raise DrifaError(f"image {path} is stored as {syntax.name}, no still image; save the frame you mean") from None
        if not available:
            raise DrifaError(f"image {path} is stored as {syntax.name} ({syntax}), which needs {_plugin(syntax)}")


def _decoded(dataset: Dataset, syntax: UID, path: Path) -> np.ndarray:
    try:
        return pixel_array(dataset)
    except Exception as error:
        if syntax.is_encapsulated and not any("pylibjpeg" in name for name in get_decoder(syntax).available_plugins):
            # The only decoder there may simply lack a variant, such as 12 bits.
            error = RuntimeError(
                f"{error}; if other viewers show it, it is stored as {syntax.name} and needs {_plugin(syntax)}"
            )
        raise damaged(path, error) from None


def _plugin(syntax: UID) -> str:
    plugin = "pylibjpeg-openjpeg" if "2000" in syntax.name else "pylibjpeg-libjpeg"
    return f"another package: pip install pylibjpeg {plugin}"


def _colour(pixels: np.ndarray, dataset: Dataset) -> np.ndarray:
    bits = int(dataset.BitsStored)
    if dataset.PhotometricInterpretation == "PALETTE COLOR":
        pixels = apply_color_lut(pixels, dataset)
        bits = 8 * pixels.dtype.itemsize
    return (pixels.astype(np.uint64) * 255 // (2**bits - 1)).astype(np.uint8)


def _grey(pixels: np.ndarray, dataset: Dataset, path: Path) -> np.ndarray:
    signed = int(dataset.PixelRepresentation) == 1
    bits = int(dataset.BitsStored)
    ends = np.array([-(2 ** (bits - 1)), 2 ** (bits - 1) - 1] if signed else [0, 2**bits - 1], dtype=np.float64)
    transform = _functional(dataset, "PixelValueTransformationSequence", "RescaleSlope")
    if "ModalityLUTSequence" in transform:
        values = apply_modality_lut(pixels, transform).astype(np.float64)
        ends = np.array([0, 2 ** int(transform.ModalityLUTSequence[0].LUTDescriptor[2]) - 1], dtype=np.float64)
    else:
        slope = float(transform.get("RescaleSlope", 1) or 1)
        intercept = float(transform.get("RescaleIntercept", 0) or 0)
        values, ends = pixels * slope + intercept, ends * slope + intercept
    window = _functional(dataset, "FrameVOILUTSequence", "WindowCenter")
    if _first(window, "WindowWidth") is not None:
        shade = _window(values, window, path)
    elif "VOILUTSequence" in dataset:
        shade = apply_voi(values.astype(pixels.dtype), dataset) / (2.0 ** int(dataset.VOILUTSequence[0].LUTDescriptor[2]) - 1)
    elif bits > 16:
        raise DrifaError(f"image {path} holds {bits}-bit values without a window; add one, as (0028,1050) and (0028,1051)")
    else:
        shade = (values - ends.min()) / (ends.max() - ends.min())
    grey = np.floor(np.clip(shade, 0, 1) * 255 + 0.5).astype(np.uint8)
    return 255 - grey if dataset.PhotometricInterpretation == "MONOCHROME1" else grey


def _window(values: np.ndarray, window: Dataset, path: Path) -> np.ndarray:
    """Brightness 0 to 1 of every value, by the window's own function."""
    centre, width = _first(window, "WindowCenter"), _first(window, "WindowWidth")
    if centre is None or width is None or not width > 0:
        raise DrifaError(f"image {path} has a window of centre {centre} and width {width}; correct (0028,1050) and (0028,1051)")
    function = str(window.get("VOILUTFunction") or "LINEAR")
    if function == "SIGMOID":
        return 1 / (1 + np.exp(np.clip(-4 * (values - centre) / width, -700, 700)))
    if function == "LINEAR_EXACT" or width <= 1:
        return (values - centre) / width + 0.5
    if function == "LINEAR":
        return (values - (centre - 0.5)) / (width - 1) + 0.5
    raise DrifaError(f"image {path} has the unknown window function {function!r}; use LINEAR, LINEAR_EXACT or SIGMOID")


def _first(dataset: Dataset, keyword: str) -> float | None:
    value: Any = dataset.get(keyword)
    if value is None or value == "":
        return None
    return float(value) if not hasattr(value, "__len__") else float(value[0]) if len(value) else None


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
