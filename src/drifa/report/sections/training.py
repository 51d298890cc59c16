"""How the networks came to be: their losses, their learning rate, and the epoch that was kept."""

from __future__ import annotations

import math
from typing import Any

from drifa.report import explanation_figures, figures, words
from drifa.report.data_link import data_link
from drifa.report.judged import judged_tasks
from drifa.runs.files import RunFiles

#: What the history tells of the validation beside the loss, by the head of its columns; the task follows.
SCORES = {"val_accuracy/": "accuracy, %", "val_dice/": "Dice, %", "val_mae/": "mean error"}


def record(files: RunFiles) -> dict[str, Any]:
    """One entry per network: its figures and what the kept epoch reached; the columns of the table; what training noted."""
    members = [_member(member, history) for member, history in files.histories.items()]
    gates = [_gates(member, files.gates[member]) for member in files.histories if member in files.gates]
    scores = list(members[0]["scores"]) if members else []
    units = {task.name: task.unit for task in judged_tasks(files, "number")}
    notes = [
        {"member": member, "text": str(text)} for member, told in files.trainings.items() for text in told.get("notes") or ()
    ]
    return {
        "members": members,
        "notes": notes,
        "scores": [{"key": key, "label": _label(key, units)} for key in scores],
        "gates": [one for one in gates if one is not None],
        "kinds": explanation_figures.GATE_STYLES,
    }


def _gates(member: int, rows: list[dict[str, Any]]) -> dict[str, Any] | None:
    spreads = explanation_figures.largest_spreads(rows)
    if not spreads:
        return None
    table = [{"epoch": epoch, "kind": kind, "spread": value} for kind, own in spreads.items() for epoch, value in own.items()]
    return {
        "member": member,
        "kinds": list(spreads),
        "figure": explanation_figures.gate_curves(member, spreads),
        "data": data_link(f"gates-{member}", table),
    }


def _label(column: str, units: dict[str, str]) -> str:
    """``Validation accuracy, %: cell`` for ``val_accuracy/cell``."""
    head, task = column.split("/", 1)
    unit = units.get(task)
    return f"Validation {SCORES[f'{head}/']}{f', {unit}' if unit else ''}: {task}"


def _member(member: int, history: list[dict[str, float]]) -> dict[str, Any]:
    # People count from 1.
    history = [{**row, "epoch": row.get("epoch", math.nan) + 1} for row in history]
    validated = [row for row in history if math.isfinite(row.get("val_loss", math.nan))]
    best = min(validated, key=lambda row: row["val_loss"]) if validated else None
    return {
        "member": member,
        "epochs": len(history),
        "best_epoch": words.number(best.get("epoch"), 0) if best else words.MISSING,
        "val_loss": words.number(best["val_loss"]) if best else words.MISSING,
        "scores": {key: _score(key, best[key]) for key in best if key.startswith(tuple(SCORES))} if best else {},
        "time": words.duration(sum(row["seconds"] for row in history if math.isfinite(row.get("seconds", math.nan)))),
        "data": data_link(f"training-{member}", history),
        "loss": figures.loss_curves(member, history, best.get("epoch") if best else None),
        "rate": figures.rate_curve(member, history),
    }


def _score(column: str, value: float) -> str:
    return words.written_as("unit", {"value": value})["text"] if column.startswith("val_mae/") else words.share(value)
