"""Findings from counting: files that cannot be read, classes and groups by split, sizes, encodings, grids."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from drifa.data.audit.findings import Finding, finding
from drifa.data.audit.reading import Facts
from drifa.data.study.checks import CALIBRATION
from drifa.data.study.study import SPLITS, Study
from drifa.errors import DrifaError, plural

#: A class of fewer groups than this cannot be judged: one group is ten per cent of it or more.
FEW_GROUPS = 10


def image_count(study: Study) -> int:
    """Rows that name an image: all but those of tabular modalities."""
    return int((study.table["path"] != "").sum())


def file_findings(study: Study, facts: Facts) -> Iterator[Finding]:
    """Files that cannot be read, the reason of the first few in `data`, and files that lie elsewhere."""
    rows = np.flatnonzero(facts.errors != "")
    if len(rows):
        text = f"{len(rows)} of {plural(image_count(study), 'image')} cannot be read; the first: {facts.errors[rows[0]]}"
        paths = [str(study.table["path"].iloc[row]) for row in rows]
        data = {"reasons": [str(facts.errors[row]) for row in rows[:20]]}
        yield finding("error", "unreadable", text, "fetch these files again, or remove their rows", paths, data)
    # The table's own paths cannot leave the root; a link among the files or folders can.
    root = study.root.resolve()
    paths = [path for path in study.table["path"] if path and not _end(study, path).is_relative_to(root)]
    if paths:
        text = f"{plural(len(paths), 'image is', 'images are')} reached through links that leave {study.root}, of "
        text += f"{image_count(study)}"
        yield finding("info", "links_out_of_root", text, "give the study these files, not links, before you pass it on", paths)


def _end(study: Study, path: str) -> Path:
    # Not Path.resolve, which refuses a circle of links.
    return Path(os.path.realpath(study.root / path))


def count_findings(study: Study) -> Iterator[Finding]:
    """Classes by split, small classes, groups in two splits."""
    subjects = study.subjects()
    sides = [name for name in (*SPLITS, CALIBRATION) if (subjects.split == name).any()]
    for column, task in enumerate(study.tasks.values()):
        if not task.target.names or task.target.reads == "pixels":
            continue
        counts: dict[str, dict[str, int]] = {}
        for name, here in task.target.counted(subjects.targets[task.name], subjects.known[:, column]).items():
            counts[name] = {"subjects": int(here.sum()), "groups": len(np.unique(subjects.group[here]))}
            counts[name] |= {side: int((here & (subjects.split == side)).sum()) for side in sides}
        text = f"task {task.name!r}: " + ", ".join(f"{name} {count['subjects']}" for name, count in counts.items())
        yield finding("info", "class_counts", text, data={"task": task.name, "counts": counts})
        few = [name for name, count in counts.items() if count["groups"] < FEW_GROUPS]
        if few:
            listed = ", ".join(f"{name} ({counts[name]['groups']})" for name in few)
            text = f"classes of task {task.name!r} with fewer than {FEW_GROUPS} groups: {listed}"
            remedy = "collect more cases, merge the class with another, or give its figures no weight"
            yield finding("warning", "tiny_class", text, remedy, data={"task": task.name, "classes": few})
        absent = [f"{name} in {side}" for name, count in counts.items() for side in sides if not count[side]]
        if absent:
            text = f"classes of task {task.name!r} without an image in a split: {', '.join(absent)}"
            remedy = "split again with `drifa data split STUDY`, which deals every class to all splits where it can"
            yield finding("warning", "class_missing_in_split", text, remedy, data={"task": task.name, "classes": absent})
    if sides:
        owners: dict[str, set[str]] = {}
        for group, side in zip(subjects.group, subjects.split, strict=True):
            owners.setdefault(group, set()).add(side)
        cut = {group for group, found in owners.items() if len(found - {""}) > 1}
        if cut:
            rows = study.table["group"].isin(cut) & (study.table["path"] != "")
            text = f"{plural(len(cut), 'group lies', 'groups lie')} in two splits: figures from this split are too good"
            remedy = "split again with `drifa data split STUDY --protocol strict`"
            paths = [str(path) for path in study.table.loc[rows, "path"]]
            yield finding("error", "groups_across_splits", text, remedy, paths, {"groups": len(cut)})


def image_findings(study: Study, facts: Facts) -> Iterator[Finding]:
    """Sizes, value ranges and encodings by modality."""
    modality = study.table["modality"].to_numpy(dtype=object)
    for name in study.modalities:
        rows = np.flatnonzero((modality == name) & facts.readable)
        if not len(rows):
            continue
        sizes, encodings = facts.sizes[rows], Counter(facts.encodings[rows].tolist())
        shape = [_range(sizes[:, axis]) for axis in range(3)]
        coloured = float((facts.colourfulness[rows] > 1).mean())
        low, high = facts.extremes[rows, 0].min(), facts.extremes[rows, 1].max()
        text = f"{name}: {plural(len(rows), 'image')} of {shape[0]} x {shape[1]}" + (
            f" x {shape[2]}" if sizes[:, 2].max() > 1 else ""
        )
        text += f" pixels, values {low:g} to {high:g}, {coloured:.0%} in colour; "
        text += ", ".join(f"{kind} {count}" for kind, count in encodings.most_common())
        data: dict[str, Any] = {"modality": name, "images": len(rows), "coloured": coloured, "encodings": dict(encodings)}
        data |= {"height": _span(sizes[:, 0]), "width": _span(sizes[:, 1]), "depth": _span(sizes[:, 2])}
        data |= {"values": [float(low), float(high)]}
        yield finding("info", "image_statistics", text, data=data)


def grid_findings(study: Study, facts: Facts) -> Iterator[Finding]:
    """Subjects whose volumes training would refuse, as they lie on different grids."""
    from drifa.data.reading.volumes import check_grids

    subjects = study.subjects()
    paths, reasons = [], []
    for rows in subjects.image:
        own = {name: row for name, row in zip(subjects.modalities, rows, strict=True) if row >= 0 and facts.grids[row]}
        try:
            if own:
                check_grids({name: facts.grids[row] for name, row in own.items()})
        except DrifaError as error:
            reasons.append(str(error))
            paths += [str(study.table["path"].iloc[row]) for row in own.values()]
    if reasons:
        text = f"{plural(len(reasons), 'subject has', 'subjects have')} volumes on different grids (shape or position); "
        text += f"the first: {reasons[0]}"
        remedy = "register and resample the volumes of a subject onto one grid"
        data = {"subjects": len(reasons), "reasons": reasons[:20]}
        yield finding("error", "grids_differ", text, remedy, paths, data)


def _span(values: np.ndarray) -> list[int]:
    return [int(values.min()), int(np.median(values)), int(values.max())]


def _range(values: np.ndarray) -> str:
    low, _, high = _span(values)
    return str(low) if low == high else f"{low}–{high}"
