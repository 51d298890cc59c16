"""What the header of a DICOM file says of its pixels, checked before any of them is read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.uid import UID

from drifa.data.reading.dicom_numbers import name_of, whole
from drifa.errors import DrifaError

COLOUR = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
GREY = ("MONOCHROME1", "MONOCHROME2")
PALETTE = "PALETTE COLOR"
#: Bytes per allowed pixel that an image may take uncompressed: three colours of 8 bits, or one of 16 and some.
BYTES_PER_PIXEL = 3


@dataclass(frozen=True)
class Pixels:
    """How the pixels lie in the file."""

    allocated: int
    stored: int
    high: int
    signed: bool
    samples: int


def check_header(dataset: Dataset, path: Path, max_pixels: float) -> Pixels:
    """How the pixels of a file with one frame lie in it.

    Args:
        dataset: The header.
        path: Of the file, for errors.
        max_pixels: Refused above, before any memory is taken.

    Raises:
        DrifaError: No pixels, several frames, too large, of no known kind, or a header that contradicts itself.
    """
    if "Rows" not in dataset or "Columns" not in dataset:
        kind = UID(str(dataset.get("SOPClassUID", "")))
        what = f" ({kind.name})" if kind else ""
        raise DrifaError(f"{path} is a DICOM file without an image{what}; remove its row from the study")
    frames = whole(dataset, "NumberOfFrames", path, 1) or 1
    width, height = whole(dataset, "Columns", path), whole(dataset, "Rows", path)
    for keyword, side in (("Rows", height), ("Columns", width)):
        if side < 1:
            raise DrifaError(f"image {path} has {side} as {name_of(keyword)}; it should be 1 or more: correct its header")
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
    if kind not in (*GREY, *COLOUR, PALETTE):
        raise DrifaError(f"image {path} has the photometric interpretation {kind!r}; convert it to MONOCHROME2 or RGB")
    layout = _layout(dataset, path)
    needed = width * height * layout.samples * layout.allocated // 8
    if needed > BYTES_PER_PIXEL * max_pixels:
        raise DrifaError(
            f"image {path} has {size} pixels of {layout.samples} times {layout.allocated} bits, {needed / 1e6:.4g} MB, "
            f"more than {BYTES_PER_PIXEL * max_pixels / 1e6:g} MB; scale it down"
        )
    return layout


def _layout(dataset: Dataset, path: Path) -> Pixels:
    def refuse(keyword: str, value: object, remedy: str) -> DrifaError:
        return DrifaError(f"image {path} has {value!r} as {name_of(keyword)}; {remedy}")

    samples = whole(dataset, "SamplesPerPixel", path)
    expected = 3 if dataset.PhotometricInterpretation in COLOUR else 1
    if samples != expected:
        raise refuse("SamplesPerPixel", samples, f"{dataset.PhotometricInterpretation} has {expected}: correct its header")
    allocated, stored = whole(dataset, "BitsAllocated", path), whole(dataset, "BitsStored", path)
    if allocated not in (1, 8, 16, 32):
        raise refuse("BitsAllocated", allocated, "write it again with 8 or 16 bits")
    if not 1 <= stored <= allocated:
        raise refuse("BitsStored", stored, f"it should be 1 to {allocated}, the bits allocated: correct its header")
    high = whole(dataset, "HighBit", path, stored - 1)
    if not stored - 1 <= high < allocated:
        raise refuse("HighBit", high, f"it should be {stored - 1} for {stored} stored bits: correct its header")
    sign = whole(dataset, "PixelRepresentation", path)
    if sign not in (0, 1) or (sign and samples > 1):
        raise refuse(
            "PixelRepresentation", sign, "it should be 0 (unsigned), or 1 (signed) for grey values: correct its header"
        )
    if samples > 1 and whole(dataset, "PlanarConfiguration", path) not in (0, 1):
        raise refuse("PlanarConfiguration", dataset.PlanarConfiguration, "it should be 0 or 1: correct its header")
    shape = dataset.get("PresentationLUTShape")
    if shape == "INVERSE" and dataset.PhotometricInterpretation == "MONOCHROME2":
        raise refuse("PresentationLUTShape", shape, "MONOCHROME2 contradicts it: correct one of them")
    if dataset.get("PixelPresentation") in ("MIXED", "COLOR"):
        raise refuse("PixelPresentation", dataset.PixelPresentation, "colours over grey values are not read: save it as RGB")
    return Pixels(allocated, stored, high, bool(sign), samples)
