"""drifa predict, for segmentation: masks for new volumes, from any subset of the modalities."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from drifa.data.reading.slicing import centre, prepare_volumes
from drifa.data.reading.volumes import read_volume
from drifa.errors import DrifaError, suggest
from drifa.evaluation.judge_volumes import answer_slices, mask_files, mask_suffixes, slice_seeds, write_predictions
from drifa.prediction.predict import Case, check_values
from drifa.runs.run import Run


def predict_volumes(folder: str | Path, cases: Sequence[Case], out: str | Path) -> dict[str, Any]:
    """Segments the volumes of some cases and writes a mask per case and task, on the grid of the case's own volumes.

    Args:
        folder: A segmentation run.
        cases: What to segment; a case may lack modalities.
        out: Folder for the masks.

    Returns:
        ``run``, ``mode`` and ``cases``: per case the subject, its images, and per task the files written, and per region its
        volume (ml) and the mean entropy (nats) of the voxels predicted as it.

    Raises:
        DrifaError: There is no case, a modality is unknown, a volume cannot be read, those of a case lie on different grids,
            or a mask's file exists already.
    """
    run = Run.open(folder)
    if not run.segments:
        raise DrifaError(f"{run.folder} classifies images; leave --out away and name a file with --json or --csv")
    if not cases:
        raise DrifaError("no volume to segment; give --image MODALITY=PATH or --table FILE")
    known = run.info["modalities"]
    for case in cases:
        for name in case.images:
            if name not in known:
                raise DrifaError(f"modality {name!r} of subject {case.subject!r} is not one of this run{suggest(name, known)}")
    check_values(cases, run.encoders)
    _check_targets(run, cases, Path(out))
    nets = run.networks()
    passes = run.config.evaluate.passes
    answers = [_segment(run, nets, case, Path(out)) for case in cases]
    mode = ("ensemble_mc" if passes else "ensemble") if len(nets) > 1 else "mc" if passes else "deterministic"
    return {"run": str(run.folder), "mode": mode, "cases": answers}


def _check_targets(run: Run, cases: Sequence[Case], out: Path) -> None:
    owner: dict[Path, str] = {}
    for case in cases:
        for task, regions in run.info["regions"].items():
            for path in mask_files(out, case.subject, task, mask_suffixes(regions)).values():
                if path in owner:
                    raise DrifaError(
                        f"subjects {owner[path]!r} and {case.subject!r} would both be written to {path}; rename one of them"
                    )
                if path.exists():
                    raise DrifaError(f"{path} exists already; choose another --out, or move it away")
                owner[path] = case.subject


def _segment(run: Run, nets: Sequence[Any], case: Case, out: Path) -> dict[str, Any]:
    settings, known = run.config.evaluate, run.info["modalities"]
    volumes = {name: read_volume(path) for name, path in case.images.items()}
    prepared = prepare_volumes(volumes, run.info["image_size"])
    slices = prepared.geometry.slices
    images = {
        name: centre(torch.from_numpy(planes).half().float()[:, None], max(slices[1:]))
        for name, planes in prepared.images.items()
    }
    present = torch.tensor([[name in images for name in known]]).expand(slices[0], -1)
    first = prepared.geometry.start[2]
    seeds = slice_seeds([f"{settings.seed}/{case.subject}/{first + z}" for z in range(slices[0])])
    sums: dict[str, np.ndarray] = {}
    for net in nets:
        for start in range(0, slices[0], settings.batch_size):
            rows = slice(start, start + settings.batch_size)
            some = {name: image[rows] for name, image in images.items()}
            found = answer_slices(net, some, present[rows], seeds[rows], settings.passes)
            for task, values in found["drawn" if settings.passes else "fixed"].items():
                sums.setdefault(task, np.zeros((slices[0], *values.shape[1:]), dtype=np.float32))[rows] += values / len(nets)
    volume = next(iter(volumes.values()))
    tasks = {}
    for task, probabilities in sums.items():
        regions = run.info["regions"][task]
        whole = prepared.geometry.restore(probabilities)
        files = write_predictions(out, case.subject, task, regions, whole >= 0.5, volume)
        tasks[task] = {
            "files": [str(path) for path in files],
            "regions": {name: _figures(whole[..., k], volume.spacing) for k, name in enumerate(regions)},
        }
    used = {name: str(path) for name, path in case.images.items()}
    return {"subject": case.subject, "images": used, "tasks": tasks}


def _figures(probability: np.ndarray, spacing: Sequence[float]) -> dict[str, float | None]:
    inside = probability[probability >= 0.5].astype(np.float64)
    entropy = -(inside * np.log(inside) + (1 - inside) * np.log(np.maximum(1 - inside, 1e-12)))
    return {
        "volume_ml": float(len(inside) * np.prod(spacing) / 1000),
        "predictive_entropy": float(entropy.mean()) if len(inside) else None,
    }
