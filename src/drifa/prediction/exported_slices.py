"""What `drifa export` asks of a run that segments, on which slices it is compared, and how its reader prepares volumes."""

from __future__ import annotations

from typing import Any

import torch

from drifa.data.reading.slicing import NATIVE
from drifa.errors import DrifaError
from drifa.export.program import PRESENT, Examples
from drifa.export.slices import AskedRegions, SliceProgram
from drifa.prediction.cases import Case
from drifa.prediction.predictor import Predictor
from drifa.prediction.segmenting import read_slices
from drifa.prediction.trust import Trust
from drifa.tasks import Regions

#: Side of the noise that is asked where the run takes slices of any size.
NOISE = 96
PREPARED = {
    "axes": "nearest of x to the right, y to anterior, z to superior (RAS); all volumes of a case on one grid",
    "foreground": "voxels that differ from the value that all eight corners share, or from 0 where they differ",
    "normalise": "each volume to mean 0, standard deviation 1 over its foreground, clipped to -5 ... 5; its background 0",
    "crop": "the smallest box that holds the foreground of all volumes of the case",
    "slices": "planes of the box along z, H along x, W along y; zeros around them to a square, (side - H) // 2 before H",
}
BACK = {
    "resize": "to the side of the square, as above",
    "crop": "the zeros around the box are taken off",
    "place": "at the box; outside of it the probability is 0",
    "threshold": 0.5,
}


def region_tasks(predictor: Predictor, trust: Trust | None) -> dict[str, AskedRegions]:
    """What is asked of the networks.

    Args:
        predictor: A run that segments.
        trust: What it has learned of its answers, as far as that holds for the program.
    """
    learned = {} if trust is None else trust.regions
    return {
        task: AskedRegions(kind.output, learned.get(task))
        for task, kind in predictor.kinds.items()
        if isinstance(kind, Regions)
    }


def slice_examples(predictor: Predictor, count: int) -> Examples:
    """Slices of cases of the run's study that lack nothing, the test split's first; noise where there is none at hand.

    Args:
        predictor: A run that segments.
        count: Of the slices: the middle ones of as many cases, or, as slices of any size are of one size in a case, of one.
    """
    run = predictor.run
    size, names = run.info.image_size, list(run.info.modalities)
    try:
        study = run.study()
        subjects = study.subjects()
        images = subjects.image[:, [subjects.modalities.index(name) for name in names]]
        order = [*subjects.in_split("test"), *subjects.in_split("val"), *subjects.in_split("train")]
        whole = [k for k in order if (images[k] >= 0).all()][: 1 if size == NATIVE else count]
        if not whole:
            raise DrifaError("no case of the study has all modalities")
        found: list[dict[str, torch.Tensor]] = []
        for k in whole:
            files = {name: study.image_path(int(row)) for name, row in zip(names, images[k], strict=True)}
            _, geometry, slices = read_slices(run, Case(str(subjects.ids[k]), files))
            planes = torch.arange(1, 1 + count // len(whole)) * geometry.slices[0] // (1 + count // len(whole))
            found.append({name: x[planes] for name, x in slices.items()})
        return Examples({name: torch.cat([one[name] for one in found]) for name in names}, True, size == NATIVE)
    except DrifaError:
        generator, side = torch.Generator().manual_seed(0), NOISE if size == NATIVE else size
        noise = {name: torch.randn(count, 1, side, side, generator=generator).half().float() for name in names}
        return Examples(noise, False, size == NATIVE)


def described_slices(predictor: Predictor, members: SliceProgram, names: list[str]) -> dict[str, Any]:
    """What a program of another language needs to know to ask.

    Args:
        predictor: A run that segments.
        members: Its program.
        names: Of the outputs.
    """
    info = predictor.run.info
    sides = ["height", "width"] if info.image_size == NATIVE else [info.image_size] * 2
    inputs: dict[str, Any] = {name: {"type": "float32", "shape": ["batch", 1, *sides]} for name in info.modalities}
    inputs[PRESENT] = {"type": "bool", "shape": ["batch", len(info.modalities)], "columns": list(info.modalities)}
    outputs, calibration = {}, {}
    for name in names:
        kind, task = name.split("_", 1)
        regions, asked = predictor.regions[task], members.tasks[task]
        assert isinstance(asked, AskedRegions)
        learned = asked.temperatures
        outputs[name] = {
            "task": task,
            "type": "float32",
            "shape": ["batch", len(regions), *sides],
            "regions": list(regions),
            "mask_values": {region: list(values) for region, values in regions.items()},
            "calibrated": kind == "probabilities" and learned is not None,
        }
        if learned is not None:
            calibration[task] = {"temperatures": dict(zip(learned.regions, learned.temperatures, strict=True))}
    filtered = {"height": info.image_size, "width": info.image_size, "filter": "bilinear, antialiased"}
    return {
        "kind": "axial slices of volumes",
        "volumes": PREPARED,
        "resize": None if info.image_size == NATIVE else filtered,
        "inputs": inputs,
        "outputs": outputs,
        "back": BACK,
        "calibration": calibration,
    }
