"""Findings on the masks of segmentation tasks: unreadable, off the images' grid, or with labels that the task does not know;
and on volumes declared as colour images."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from drifa.data.audit.findings import Finding, finding
from drifa.data.audit.reading import Facts, Progress
from drifa.data.study.schema import Task
from drifa.data.study.study import Study
from drifa.data.targets import RegionTarget
from drifa.errors import DrifaError, plural

if TYPE_CHECKING:
    from drifa.data.reading.volumes import Volume

_RULES = {
    "unreadable_mask": ("cannot be read", "fetch these files again, or empty their place in the table"),
    "mask_grid_differs": ("lie on another grid than the subject's volumes", "resample the masks onto the grid of the volumes"),
    "unknown_mask_label": (
        "hold labels that the task does not know",
        "add the labels to a region in study.yaml, or correct the masks",
    ),
}


def mask_findings(study: Study, facts: Facts, progress: Progress | None = None) -> list[Finding]:
    """Reads every mask of a study once, as training would.

    Args:
        study: The audited study.
        facts: From one pass over its images.
        progress: Called as ``progress(done, total, what)``.
    """
    tasks = [task for task in study.tasks.values() if isinstance(task.target, RegionTarget)]
    asked = {name for task in tasks for name in task.modalities}
    wrong = [name for name, modality in study.modalities.items() if name in asked and modality.channels != 1]
    found = [
        finding("error", "colour_volumes", f"modality {name!r} holds volumes, which are grey", "say channels: 1 in study.yaml")
        for name in wrong
    ]
    return found + [one for task in tasks for one in _task_findings(study, facts, task, progress)]


def _task_findings(study: Study, facts: Facts, task: Task, progress: Progress | None) -> Iterator[Finding]:
    subjects = study.subjects()
    masks = subjects.targets[task.name]
    marked = np.flatnonzero(subjects.known_of(task.name)).tolist()

    def faults(number: int) -> dict[str, str]:
        rows = zip(subjects.modalities, subjects.image[number], strict=True)
        grids = {name: facts.grids[row] for name, row in rows if row >= 0 and facts.grids[row]}
        return _faults(study.root / masks[number], task, dict(list(grids.items())[:1]))

    found: list[dict[str, str]] = []
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for one in pool.map(faults, marked):
            found.append(one)
            if progress is not None:
                progress(len(found), len(marked), f"reading masks of {task.name}")
    for rule, (what, remedy) in _RULES.items():
        reasons = {str(masks[number]): one[rule] for number, one in zip(marked, found, strict=True) if rule in one}
        if reasons:
            told = list(reasons.values())
            text = f"{len(reasons)} of {plural(len(marked), 'mask')} of task {task.name!r} {what}; the first: {told[0]}"
            yield finding("error", rule, text, remedy, list(reasons), {"task": task.name, "reasons": told[:20]})


def _faults(path: Path, task: Task, reference: dict[str, Volume]) -> dict[str, str]:
    """Reason by rule."""
    from drifa.data.reading.volumes import check_grids, read_volume

    target = task.target
    assert isinstance(target, RegionTarget)
    try:
        mask = read_volume(path)
    except DrifaError as error:
        return {"unreadable_mask": str(error)}
    except MemoryError:
        return {"unreadable_mask": f"{path} does not fit into memory; scale it down"}
    checks: dict[str, Callable[[], object]] = {
        "mask_grid_differs": lambda: check_grids({**reference, "its mask": mask}),
        "unknown_mask_label": lambda: target.checked_mask(mask, task.name),
    }
    faults = {}
    for rule, check in checks.items():
        try:
            check()
        except DrifaError as error:
            faults[rule] = str(error)
    return faults
