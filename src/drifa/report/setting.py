"""What the report says about how the model came to be: study, split, training."""

from __future__ import annotations

import math
from typing import Any

from drifa.report import figures, words
from drifa.runs.files import RunFiles

SPLITS = ("train", "val", "test")
SPLIT_NAMES = {"train": "training", "val": "validation", "test": "test"}
#: What the history tells of the validation beside the loss, by the head of its columns.
SCORES = ("val_accuracy/", "val_dice/")


def study(files: RunFiles) -> dict[str, Any]:
    """Name, licence, source and so on of the study; a link only where the source is a web address."""
    told = (files.model or {}).get("study") or {}
    page = {key: told.get(key) for key in ("licence", "citation", "source", "notes")}
    page["link"] = str(page["source"]).startswith(("https://", "http://"))
    return {**page, "name": told.get("name") or files.folder.resolve().name}


def network(files: RunFiles) -> dict[str, Any]:
    """The network in a line of facts; empty where ``model.json`` says nothing."""
    model = files.model or {}
    parameters, size, members = model.get("parameters"), model.get("image_size"), model.get("members")
    facts = [
        f"fusion {model['fusion']}" if model.get("fusion") else "",
        _backbone(model.get("backbone")),
        " + ".join(model.get("modalities") or {}),
        f"{size} × {size} pixels" if size else "slices as they are" if size == 0 else "",
        f"{parameters / 1e6:.1f} million parameters" if parameters else "",
        f"{members} networks" if members and members > 1 else "",
    ]
    return {"facts": [fact for fact in facts if fact], "modalities": list(model.get("modalities") or {})}


def _backbone(told: Any) -> str:
    """One name, or one per modality."""
    if isinstance(told, dict):
        return "backbones " + ", ".join(f"{name}: {backbone}" for name, backbone in told.items())
    return f"backbone {told}" if told else ""


def split_tables(files: RunFiles) -> dict[str, Any] | None:
    """The split receipt as one table per task, classes by splits; None without a receipt."""
    receipt = files.receipt
    if receipt is None:
        return None
    counts = receipt.get("counts") or {}
    splits = [split for split in SPLITS if split in counts] + [split for split in counts if split not in SPLITS]
    known = (files.model or {}).get("tasks") or {}
    tables = []
    for task in dict.fromkeys(task for split in splits for task in counts[split]):
        named = list(dict.fromkeys(name for split in splits for name in counts[split].get(task, {})))
        order = [name for name in known.get(task, []) if name in named]
        classes = order + [name for name in named if name not in order]
        cells = {name: [counts[split].get(task, {}).get(name) or {} for split in splits] for name in classes}
        tables.append(
            {
                "task": task,
                "rows": [{"class": name, "cells": cells[name]} for name in classes],
                "totals": [sum(cells[name][column].get("subjects") or 0 for name in classes) for column in range(len(splits))],
            }
        )
    groups = receipt.get("groups") or {}
    return {
        "splits": [SPLIT_NAMES.get(split, split) for split in splits],
        "tables": tables,
        "groups": [(SPLIT_NAMES.get(split, split), groups[split]) for split in [*splits, *groups] if split in groups][
            : len(groups)
        ],
        "shared": receipt.get("groups_in_two_splits"),
        "sharing": (receipt.get("subjects_sharing_a_group_with_train") or {}).get("test"),
        "absent": receipt.get("classes_missing") or [],
        "protocol": _protocol(receipt),
        "group_meaning": receipt.get("group_meaning"),
        "note": receipt.get("note"),
        "unused": receipt.get("unused"),
        "sha256": receipt.get("sha256"),
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


def training(files: RunFiles) -> list[dict[str, Any]]:
    """One dict per member: its figures and what the kept epoch reached."""
    return [_member(member, history) for member, history in files.histories.items()]


def _member(member: int, history: list[dict[str, float]]) -> dict[str, Any]:
    validated = [row for row in history if math.isfinite(row.get("val_loss", math.nan))]
    best = min(validated, key=lambda row: row["val_loss"]) if validated else None
    return {
        "member": member,
        "epochs": len(history),
        "best_epoch": words.number(best.get("epoch"), 0) if best else words.MISSING,
        "val_loss": words.number(best["val_loss"]) if best else words.MISSING,
        "scores": {key: words.share(best[key]) for key in best if key.startswith(SCORES)} if best else {},
        "time": words.duration(sum(row["seconds"] for row in history if math.isfinite(row.get("seconds", math.nan)))),
        "loss": figures.loss_curves(member, history, best.get("epoch") if best else None),
        "rate": figures.rate_curve(member, history),
    }
