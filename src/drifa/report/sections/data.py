"""From which images: the study, and the split with its receipt."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from drifa.data.study.checks import CALIBRATION
from drifa.report import about
from drifa.report.data_link import data_link
from drifa.report.flow_figures import Part, data_flow, flow_rows
from drifa.report.statements import statements
from drifa.runs.files import RunFiles

SPLITS = ("train", "val", CALIBRATION, "test")
SPLIT_NAMES = {"train": "training", "val": "validation", CALIBRATION: "calibration", "test": "test"}


def record(files: RunFiles) -> dict[str, Any]:
    """The study, its split and the drawing of where its images went; the latter two are None without a receipt."""
    return {
        "study": about.study(files),
        "split": _split(files),
        "flow": _flow(files),
        "statements": statements(files, "data"),
    }


def _flow(files: RunFiles) -> dict[str, Markup] | None:
    """The drawing and its numbers; subjects and groups are the receipt's, images those of the study if it is there."""
    receipt = files.receipt
    if receipt is None:
        return None
    told = [receipt.get(key) or {} for key in ("subjects", "groups")]
    names = dict.fromkeys(name for counts in told for name in counts)
    order = [*(split for split in SPLITS if split in names), *(split for split in names if split not in SPLITS)]
    if not order:
        return None
    parts = [Part(SPLIT_NAMES.get(name, name), told[0].get(name), told[1].get(name), _images(files, [name])) for name in order]
    unused, shared = receipt.get("unused"), receipt.get("groups_in_two_splits")
    if unused:
        parts.append(Part("left out of every split", unused, None, _images(files, order, inside=False)))
    subjects = [part.subjects for part in parts]
    groups = [part.groups for part in parts]
    # A sum of groups counts those in two splits twice.
    of_all = None if None in groups or shared != 0 else sum(filter(None, groups))
    study = Part(
        "all of the study",
        None if None in subjects else sum(filter(None, subjects)),
        of_all if files.study is None else int(files.study.table["group"].nunique()),
        {} if files.study is None else _images(files, [], inside=False),
    )
    return {"figure": data_flow(study, parts, shared), "data": data_link("data-flow", flow_rows(study, parts))}


def _images(files: RunFiles, splits: list[str], inside: bool = True) -> dict[str, int]:
    """Images by modality of the subjects in some splits, or of those in none of them; empty without the study."""
    if files.study is None:
        return {}
    table = files.study.table
    images = table[(table["path"] != "") & (table["split"].isin(splits) == inside)]
    counted = images["modality"].value_counts()
    return {name: int(counted.get(name, 0)) for name in files.study.modalities if (table["modality"] == name).any()}


def _split(files: RunFiles) -> dict[str, Any] | None:
    """The split receipt as one table per task, classes by splits; None without a receipt."""
    receipt = files.receipt
    if receipt is None:
        return None
    counts = receipt.get("counts") or {}
    splits = [*(split for split in SPLITS if split in counts), *(split for split in counts if split not in SPLITS)]
    return {
        "splits": [SPLIT_NAMES.get(split, split) for split in splits],
        "tables": [_table(task, splits, files) for task in dict.fromkeys(task for split in splits for task in counts[split])],
        "shared": receipt.get("groups_in_two_splits"),
        "absent": receipt.get("classes_missing") or [],
        "protocol": _protocol(receipt),
        "group_meaning": receipt.get("group_meaning"),
        "note": receipt.get("note"),
        "unused": receipt.get("unused"),
        "sha256": receipt.get("sha256"),
    }


def _table(task: str, splits: list[str], files: RunFiles) -> dict[str, Any]:
    """How many subjects of a task are in each split, by class, in the order of the study; a number is counted in parts."""
    counts = (files.receipt or {})["counts"]
    by_split = [counts[split].get(task) or {} for split in splits]
    counted = list(dict.fromkeys(name for of_split in by_split for name in of_split))
    known = ((files.model or {}).get("tasks") or {}).get(task) or {}
    order = [name for name in known.get("classes") or () if name in counted]
    classes = [*order, *(name for name in counted if name not in order)]
    cells = {name: [of_split.get(name) or {} for of_split in by_split] for name in classes}
    return {
        "task": task,
        "noun": "part" if files.kinds.get(task) == "number" else "class",
        "rows": [{"class": name, "cells": cells[name]} for name in classes],
        "totals": [sum(cells[name][column].get("subjects") or 0 for name in classes) for column in range(len(splits))],
    }


def _protocol(receipt: dict[str, Any]) -> str:
    """The protocol with the settings that apply to it."""
    parts = [str(receipt["protocol"]) if receipt.get("protocol") else ""]
    if receipt.get("folds"):
        parts.append(f"fold {receipt.get('fold')} of {receipt['folds']} (from 0)")
    if receipt.get("column"):
        parts.append(f"column {receipt['column']}")
    if receipt.get("seed") is not None:
        parts.append(f"seed {receipt['seed']}")
    return ", ".join(part for part in parts if part)
