"""DICOM: one frame, through the window that the file itself names. Only pixels are read; no name or date goes anywhere.

References:
    DICOM PS3.3 C.7.6.3 (image pixel module); PS3.5 8.1 (how stored bits lie in words) and annex A.4 (compressed pixels).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, get_frame
from pydicom.filereader import read_dataset, read_preamble
from pydicom.pixels import get_decoder, pixel_array
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    JPEG2000TransferSyntaxes,
    JPEGLSTransferSyntaxes,
    JPEGTransferSyntaxes,
    RLELossless,
)

from drifa.data.reading import jpeg
from drifa.data.reading.blocks import to_bytes
from drifa.data.reading.dicom_grey import rescaled, shade
from drifa.data.reading.dicom_header import GREY, PALETTE, Pixels, check_header
from drifa.data.reading.dicom_numbers import name_of, number, whole
from drifa.data.reading.dicom_tables import read_palette
from drifa.data.reading.files import damaged, unsupported
from drifa.errors import DrifaError

_INSTALL = "pip install 'drifa[dicom]'"


@dataclass(frozen=True, eq=False)
class _Stored:
    """What a file stores, before its header says how it looks; `padded` marks pixels outside the image."""

    dataset: Dataset
    layout: Pixels
    pixels: np.ndarray
    padded: np.ndarray | None
    little: bool


def read_dicom(path: Path, max_pixels: float) -> np.ndarray:
    """Decodes a file with one frame.

    Grey values go through the rescale slope and intercept and then through the first window (or the VOI LUT, where there is
    no window) onto 0 to 255. Without either, the full range of the stored bits goes onto 0 to 255. MONOCHROME1 is inverted.
    Padding is black.

    Shape:
        uint8 [H, W] or [H, W, 3].

    Raises:
        DrifaError: Not readable, without pixels, of several frames, too large, with a header that contradicts itself,
            compressed in a way that no installed package reads, or of a pixel type without a natural 8-bit scale.
    """
    with _damage_named(path):
        stored = _load(path, max_pixels)
        dataset, layout, pixels = stored.dataset, stored.layout, stored.pixels
        if dataset.PhotometricInterpretation in GREY:
            grey = shade(pixels, dataset, path, layout.signed, layout.stored, stored.little)
            if stored.padded is not None:
                grey[stored.padded] = 0
            return grey
        if dataset.PhotometricInterpretation == PALETTE:
            palette = read_palette(dataset, path, layout.signed, stored.little)
            return to_bytes(pixels, lambda block: palette(block) * (255 / palette.top), (3,))
        top = 2**layout.stored - 1
        if pixels.max() > top:
            raise DrifaError(
                f"image {path} holds values up to {pixels.max()}, beyond its {layout.stored} bits of {name_of('BitsStored')}; "
                f"correct its header"
            )
        return to_bytes(pixels, lambda block: block * (255 / top))


def read_header(path: Path) -> Dataset:
    """Everything before the pixels.

    Raises:
        DrifaError: Damaged, or packed as a whole.
    """
    with _damage_named(path):
        _, dataset = _opened(path, pixels=False)
        return dataset


def read_values(path: Path, max_pixels: float) -> np.ndarray:
    """Decodes a grey file with one frame to the unit of its modality, as Hounsfield units; windows play no part.

    Shape:
        float32 [H, W].

    Raises:
        DrifaError: As :func:`read_dicom`, or not grey.
    """
    with _damage_named(path):
        stored = _load(path, max_pixels)
        dataset, layout = stored.dataset, stored.layout
        if dataset.PhotometricInterpretation not in GREY:
            raise DrifaError(f"image {path} is {dataset.PhotometricInterpretation}, no grey values; a volume has one channel")
        return rescaled(stored.pixels, dataset, path, layout.signed, layout.stored, stored.little)


@contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    try:
        yield
    except DrifaError:
        raise
    except Exception as error:
        raise damaged(path, error) from None


def _load(path: Path, max_pixels: float) -> _Stored:
    syntax, dataset = _opened(path)
    layout = check_header(dataset, path, max_pixels)
    if not syntax:
        dataset.file_meta.TransferSyntaxUID = pydicom.uid.ImplicitVRLittleEndian
    else:
        _check_syntax(syntax, path)
    little = not syntax or syntax.is_little_endian
    pixels, padded = _decoded(dataset, layout, syntax, path)
    if pixels.shape[:2] != (dataset.Rows, dataset.Columns):
        raise damaged(path, f"{dataset.Columns}x{dataset.Rows} pixels announced, {pixels.shape[1]}x{pixels.shape[0]} found")
    return _Stored(dataset, layout, pixels, padded, little)


def _opened(path: Path, pixels: bool = True) -> tuple[UID, Dataset]:
    syntax = _transfer_syntax(path)
    if syntax == DeflatedExplicitVRLittleEndian:
        # Its size is known only once it is unpacked, which may fill any memory.
        raise DrifaError(f"image {path} is stored as {syntax.name}; write it again uncompressed, as with `dcmconv +te`")
    return syntax, pydicom.dcmread(path, force=True, stop_before_pixels=not pixels)


def _transfer_syntax(path: Path) -> UID:
    # Only the elements of group 2, which are never packed; dcmread would unpack the rest at once.
    with open(path, "rb") as file:
        read_preamble(file, True)
        meta = read_dataset(file, False, True, stop_when=lambda tag, vr, length: tag >> 16 != 2)
        return UID(meta.get("TransferSyntaxUID", ""))


def _check_syntax(syntax: UID, path: Path) -> None:
    if not syntax.is_transfer_syntax:
        raise DrifaError(f"image {path} has the unknown transfer syntax {syntax}; write it again uncompressed")
    if syntax.is_encapsulated:
        try:
            available = get_decoder(syntax).is_available
        except NotImplementedError:
            raise DrifaError(f"image {path} is stored as {syntax.name}, no still image; save the frame you mean") from None
        if not available:
            raise _needs_package(syntax, path)


def _needs_package(syntax: UID, path: Path, variant: str = "") -> DrifaError:
    return DrifaError(f"image {path} is stored as {syntax.name} ({syntax}){variant}, which needs another package: {_INSTALL}")


def _decoded(dataset: Dataset, layout: Pixels, syntax: UID, path: Path) -> tuple[np.ndarray, np.ndarray | None]:
    """The stored values, and where they are padding."""
    if syntax and syntax.is_encapsulated:
        pixels = _unpacked(dataset, layout, syntax, path)
        return pixels, _padding(pixels, dataset, layout, path)
    _check_frame(dataset, layout, path)
    # Whole words first: padding may use bits beyond the stored ones, and these may lie anywhere in the word.
    dataset.BitsStored, dataset.HighBit = layout.allocated, layout.allocated - 1
    words = pixel_array(dataset)
    padded = _padding(words, dataset, layout, path)
    if layout.stored < layout.allocated:
        words = words << (layout.allocated - 1 - layout.high)
        words >>= layout.allocated - layout.stored
    return words, padded


def _check_frame(dataset: Dataset, layout: Pixels, path: Path) -> None:
    """Refuses uncompressed pixels of more than the frame that the header tells of; the decoder would read them all."""
    frame = -(-dataset.Rows * dataset.Columns * layout.samples * layout.allocated // 8)
    if dataset.PhotometricInterpretation == "YBR_FULL_422":
        frame = frame * 2 // 3
    found = len(dataset.PixelData)
    if found - frame >= max(frame, 2):
        raise DrifaError(
            f"image {path} holds {found} bytes of pixels where its header tells of one frame of {frame}; correct "
            f"{name_of('NumberOfFrames')}, {name_of('Rows')} or {name_of('Columns')}, or save the frame you mean"
        )


def _padding(words: np.ndarray, dataset: Dataset, layout: Pixels, path: Path) -> np.ndarray | None:
    if number(dataset, "PixelPaddingValue", path) is None or layout.samples > 1:
        return None
    first = whole(dataset, "PixelPaddingValue", path)
    last = whole(dataset, "PixelPaddingRangeLimit", path, first)
    # Files write -2000 as 63536 and the other way round.
    ends = [int(np.array([end % 2**layout.allocated], dtype=np.uint64).astype(words.dtype)[0]) for end in (first, last)]
    padded = (words >= min(ends)) & (words <= max(ends))
    return padded if padded.any() else None


def _unpacked(dataset: Dataset, layout: Pixels, syntax: UID, path: Path) -> np.ndarray:
    if layout.high != layout.stored - 1:
        raise DrifaError(
            f"image {path} has {layout.high} as {name_of('HighBit')} for {layout.stored} stored bits, which compressed pixels "
            f"cannot have; correct its header"
        )
    frame = get_frame(dataset.PixelData, 0, number_of_frames=1)
    survey = jpeg.survey(frame) if syntax in (*JPEGTransferSyntaxes, *JPEGLSTransferSyntaxes) else None
    if survey:
        jpeg.check_jpeg(survey, path)
        if not survey.complete:
            # Some decoders fill up what is missing without a word.
            raise damaged(path, f"the {survey.kind} has no end")
        dataset.PixelData = encapsulate([jpeg.with_whole_spectrum(frame)])
    if syntax == RLELossless:
        _check_runs(frame, dataset.Rows * dataset.Columns, path)
    try:
        return pixel_array(dataset)
    except Exception as error:
        end = frame.rstrip(b"\0")[-2:] == b"\xff\xd9"
        if not survey and not (end and syntax in JPEG2000TransferSyntaxes):
            raise damaged(path, error) from None
        if not any("pylibjpeg" in name for name in get_decoder(syntax).available_plugins):
            # The only decoder there lacks a variant, such as 12 bits.
            raise _needs_package(syntax, path, f", {layout.samples} times {layout.stored} bits") from None
        reason = " ".join(str(error).split())
        raise unsupported(path, f"is stored as {syntax.name} ({reason})", "write it again uncompressed") from None


def _check_runs(frame: bytes, plane: int, path: Path) -> None:
    """Checks that no segment of run lengths unpacks to far more than its plane: the decoder itself has no limit."""
    count = int.from_bytes(frame[:4], "little")
    starts = [int.from_bytes(frame[4 * number : 4 * number + 4], "little") for number in range(1, min(count, 15) + 1)]
    for start, end in zip(starts, [*starts[1:], len(frame)], strict=True):
        if 64 * (end - start) > 2**26:
            unpacked, position = 0, start
            while position < end and unpacked <= 2 * plane:
                length = frame[position]
                unpacked += 257 - length if length > 128 else (length + 1) % 129
                position += 2 if length > 128 else 2 + length if length < 128 else 1
            if unpacked > 2 * plane:
                raise damaged(path, f"run lengths unpack to more than twice the {plane} bytes of a plane")
