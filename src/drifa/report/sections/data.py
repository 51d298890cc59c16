"""From which images: the study, and the split with its receipt."""

from __future__ import annotations

from typing import Any

from drifa.report import about
from drifa.report.statements import statements
from drifa.runs.files import RunFiles

SPLITS = ("train", "val", "test")
SPLIT_NAMES = {"train": "training", "val": "validation", "test": "test"}


def record(files: RunFiles) -> dict[str, Any]:
    """The study, and its split; the split is None without a receipt."""
    return {"study": about.study(files), "split": _split(files), "statements": statements(files, "data")}


def _split(files: RunFiles) -> dict[str, Any] | None:
    """The split receipt as one table per task, classes by splits; None without a receipt."""
    receipt = files.receipt
    if receipt is None:
        return None
    counts = receipt.get("counts") or {}
    splits = [*(split for split in SPLITS if split in counts), *(split for split in counts if split not in SPLITS)]
    groups = receipt.get("groups") or {}
    counted = dict.fromkeys(split for split in [*splits, *groups] if split in groups)
    return {
        "splits": [SPLIT_NAMES.get(split, split) for split in splits],
        "tables": [_table(task, splits, files) for task in dict.fromkeys(task for split in splits for task in counts[split])],
        "groups": [(SPLIT_NAMES.get(split, split), groups[split]) for split in counted],
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
