"""Why the networks answer as they do, from what `drifa explain` left."""

from __future__ import annotations

import base64
from typing import Any

from drifa.report import relevance, words
from drifa.runs.files import RunFiles

#: A gate that moves less than this over the cases scales its channels by a constant.
MOVES = 0.01
#: Largest figure that is put on the page, in bytes.
LARGEST = 150_000


def record(files: RunFiles) -> dict[str, Any] | None:
    """Shares, gates, space and cases; None for a run that only draws regions, which is not explained."""
    if not files.expects("classes", "number"):
        return None
    told = files.explanation or {}
    return {
        "explained": files.explanation is not None,
        "cases": told.get("cohort_cases"),
        "shares": [
            {"task": task, "rows": [{"name": name, **_share(task, row, files)} for name, row in rows.items()]}
            for task, rows in (told.get("cohort") or {}).items()
        ],
        "gates": _gates(told.get("gates") or []),
        "spaces": [
            {
                "task": task,
                "silhouette": words.number(space.get("silhouette"), 2),
                "votes": words.share(space.get("knn_accuracy")),
                "neighbours": space.get("neighbours"),
                "figure": _figure(files, space.get("files") or []),
            }
            for task, space in (told.get("embedding") or {}).items()
        ],
        **_maps(told),
    }


def alike(case: dict[str, Any]) -> str:
    """The training cases most like a case that was explained: subject, group and truths; empty where there are none."""
    return "; ".join(_neighbour(one) for one in case.get("neighbours") or [])


def _neighbour(one: dict[str, Any]) -> str:
    """``S00220 (group G7; surface ragged, depth thin; cosine 0.97)``"""
    truths = ", ".join(f"{task} {label}" for task, label in (one.get("labels") or {}).items())
    parts = [f"group {one['group']}" if one.get("group") else "", truths, f"cosine {words.number(one.get('cosine'), 2)}"]
    return f"{one.get('subject')} ({'; '.join(part for part in parts if part)})"


def _maps(told: dict[str, Any]) -> dict[str, Any]:
    """The cases that were explained, each with its maps, what their checks say, and the training cases like it."""
    cases = [
        {
            "subject": case.get("subject"),
            "alike": alike(case),
            "maps": [
                {
                    "task": task,
                    "modality": modality,
                    "told": f"{why.get('output')}, {words.number(why.get('answer'), 2)}",
                    "checks": relevance.checks(one),
                    "doubts": relevance.doubts(one),
                }
                for task, why in (case.get("tasks") or {}).items()
                for modality, one in (why.get("maps") or {}).items()
            ],
        }
        for case in told.get("cases") or []
    ]
    every = [
        one for case in told.get("cases") or [] for why in (case.get("tasks") or {}).values() for one in why["maps"].values()
    ]
    grids = sorted({tuple(one["cells"]) for one in every if one.get("cells")})
    return {
        "explained_cases": cases,
        "maps": len(every),
        "failed": sum(bool(relevance.doubts(one)) for one in every),
        "where": f"layer {told['layer']}" if told.get("layer") else str(told.get("method")),
        "cells": " or ".join(f"{rows} × {columns}" for rows, columns in grids),
        "coarse": any(relevance.too_coarse(grid) for grid in grids),
        "scale": relevance.scale_bar(),
        "rule": relevance.RULE,
    }


def _share(task: str, row: dict[str, Any], files: RunFiles) -> dict[str, str]:
    return words.written_as("unit" if files.kinds.get(task) == "number" else "number", row)


def _gates(gates: list[dict[str, Any]]) -> dict[str, Any] | None:
    """How many move with the image, and which most."""
    spreads = [gate for gate in gates if isinstance(gate.get("spread"), int | float)]
    if not spreads:
        return None
    most = max(spreads, key=lambda gate: gate["spread"])
    return {
        "count": len(spreads),
        "moving": sum(gate["spread"] >= MOVES for gate in spreads),
        "most": f"{most.get('kind')} {most.get('modality')} {most.get('block')}",
        "spread": words.number(most["spread"]),
    }


def _figure(files: RunFiles, names: list[str]) -> str:
    """The last figure of a space, t-SNE, as a picture: what another program wrote is never made part of the page."""
    folder = (files.folder / "explain").resolve()
    for name in reversed(names):
        path = (folder / str(name)).resolve()
        if path.is_relative_to(folder) and path.is_file() and path.stat().st_size <= LARGEST:
            return base64.b64encode(path.read_bytes()).decode()
    return ""
