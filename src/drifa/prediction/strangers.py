"""What a run has learned about the images that it was trained on: the content of `strangers.npz`, and how it is asked."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from drifa.data.sampling.batch import Shown
from drifa.errors import DrifaError
from drifa.files import atomic_path, digest, read_json
from drifa.metrics.weighted import Floats
from drifa.networks.fusionnet import FusionNet
from drifa.prediction.trust import FILE as TRUST_FILE
from drifa.tasks.base import CaseWarning
from drifa.uncertainty.image_statistics import statistics_of
from drifa.uncertainty.outliers import OutlierCheck

FILE = "strangers.npz"
#: Most bytes that the arrays of a file may take: what is written here stays far below.
MOST_BYTES = 2**28
#: So many depths of a network are looked at, from its first stage to its last.
DEPTHS = 5


class Looks(NamedTuple):
    """What a check sees of images.

    Attributes:
        features: Of each depth, from the first on. ``[N, F]`` each
        statistics: ``[N, S]``; None where the modality is neither grey nor RGB.
    """

    features: tuple[Floats, ...]
    statistics: Floats | None


def look(net: FusionNet, modality: str, pixels: Tensor, shown: Shown | None = None) -> Looks:
    """Pooled features of a modality by itself at several depths, and statistics of the images as resized for the network.

    Args:
        net: In evaluation mode; the first member of a run.
        modality: Its name.
        pixels: uint8 ``[N, C, H, W]``
        shown: What the network reads instead, such as the maps of a frozen encoder.
    """
    with torch.inference_mode():
        images = net.to_input({modality: pixels if shown is None else shown})[modality]
        maps = net.stage_maps({modality: images})[modality]
        depths = sorted({round(depth) for depth in np.linspace(0, len(maps) - 1, DEPTHS)})
        features = tuple(maps[depth].mean(dim=(2, 3)).cpu().numpy().astype(np.float64) for depth in depths)
    grey_or_colour = pixels.shape[1] in (1, 3)
    return Looks(features, statistics_of(pixels.permute(0, 2, 3, 1).numpy()) if grey_or_colour else None)


def find_strangers(
    net: FusionNet, checks: Mapping[str, OutlierCheck], pixels: Sequence[Mapping[str, Tensor]]
) -> list[tuple[CaseWarning, ...]]:
    """A warning for every image of each case that is a stranger.

    Args:
        net: As in :func:`look`.
        checks: Modality -> its check.
        pixels: Of each case, modality -> uint8 ``[C, H, W]``.
    """
    found: list[list[CaseWarning]] = [[] for _ in pixels]
    for name, check in checks.items():
        rows = [row for row, images in enumerate(pixels) if name in images]
        if not rows:
            continue
        looks, rate = look(net, name, torch.stack([pixels[row][name] for row in rows])), check.record.rate
        for row, strange, p in zip(rows, check.strange(*looks), check(*looks), strict=True):
            text = f"not my kind of image: unlike those of training (p = {p:.2g}, and {rate:g} is the limit)"
            found[row] += [CaseWarning(name, text)] if strange else []
    return [tuple(own) for own in found]


def write_strangers(folder: Path, checks: Mapping[str, OutlierCheck]) -> dict[str, Any]:
    """Writes the arrays of the checks of a run.

    Args:
        folder: The run.
        checks: Modality -> its check.

    Returns:
        What `calibration.json` keeps beside them: ``digest``, and ``checks`` by modality.
    """
    arrays = {f"{number}.{name}": a for number, one in enumerate(checks.values()) for name, a in one.arrays().items()}
    with atomic_path(folder / FILE) as temporary, open(temporary, "wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]  # its stubs take the names for the option allow_pickle
    return {"digest": digest(folder / FILE), "checks": {name: one.to_json() for name, one in checks.items()}}


def read_strangers(folder: Path) -> dict[str, OutlierCheck]:
    """The checks of a run, by modality; none where it has not learned any.

    Args:
        folder: The run.

    Raises:
        DrifaError: The files are damaged, or do not belong to each other.
    """
    told = (read_json(folder / TRUST_FILE) or {}).get("strangers_file")
    if told is None:
        return {}
    path, remedy = folder / FILE, f"run `drifa calibrate {folder}` again"
    checks = told.get("checks") if isinstance(told, dict) else None
    if not isinstance(checks, dict):
        raise DrifaError(f"{folder / TRUST_FILE} says nothing of the modalities of {FILE}: {remedy}")
    if not path.is_file() or digest(path) != told.get("digest"):
        raise DrifaError(f"{path} is missing or not the one that {TRUST_FILE} tells of: {remedy}")
    try:
        with zipfile.ZipFile(path) as packed:
            size = sum(part.file_size for part in packed.infolist())
        if size > MOST_BYTES:
            raise DrifaError(f"{path} holds {size} bytes of arrays, and up to {MOST_BYTES} are read: {remedy}")
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, MemoryError, zipfile.BadZipFile) as error:
        raise DrifaError(f"{path} cannot be read ({error}): {remedy}") from error
    found = {}
    for number, (name, record) in enumerate(checks.items()):
        own = {key.partition(".")[2]: array for key, array in arrays.items() if key.partition(".")[0] == str(number)}
        odd = [key for key, array in own.items() if array.dtype.kind != "f"]
        if odd or not isinstance(record, dict):
            raise DrifaError(f"{path} holds no numbers as {odd[0] if odd else name!r}: {remedy}")
        try:
            found[name] = OutlierCheck.from_arrays(record, own, f"{path}: {name}")
        except DrifaError as error:
            raise DrifaError(f"{error}: {remedy}") from None
    return found
