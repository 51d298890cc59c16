"""Why the networks answer as they do, from what `drifa explain` left."""

from __future__ import annotations

import base64
import csv
from collections import Counter
from pathlib import Path
from typing import Any

from drifa.report import explanation_figures, relevance, words
from drifa.report.data_link import data_link
from drifa.runs.files import RunFiles

#: Of the data behind the figure of the gates.
GATE_COLUMNS = ("kind", "modality", "block", "mean", "spread", "across", "samples")
#: Largest figure that is put on the page, in bytes.
LARGEST = 150_000


def record(files: RunFiles) -> dict[str, Any] | None:
    """Shares, gates, space and cases; of a run that draws regions its slices."""
    told = files.explanation or {}
    if files.expects("regions"):
        scale = relevance.scale_bar("entropy", "as likely as not (ln 2 nats)")
        return {"explained": files.explanation is not None, "slices": _slices(told), "scale": scale}
    return {
        "explained": files.explanation is not None,
        "cases": told.get("cohort_cases"),
        "shares": [_shares(task, rows, files) for task, rows in (told.get("cohort") or {}).items()],
        "gates": _gates(told.get("gates") or []),
        "spaces": [_space(task, space, files) for task, space in (told.get("embedding") or {}).items()],
        "seen": _seen(told.get("by_modality"), files),
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


def _slices(told: dict[str, Any]) -> list[dict[str, Any]]:
    """The slices that were drawn, each with what its picture shows."""
    return [
        {
            "subject": case.get("subject"),
            "task": task,
            "name": name,
            "true": task in (case.get("true") or ()),
            "told": f"{task}, plane {one.get('plane')} of {case.get('modality')}, {str(name).replace('_', ' ')}: "
            f"{words.number(one.get('entropy'))} nats a pixel",
        }
        for case in told.get("cases") or []
        for task, own in (case.get("tasks") or {}).items()
        for name, one in own.items()
    ]


def _shares(task: str, rows: dict[str, Any], files: RunFiles) -> dict[str, Any]:
    """What each modality adds, as a figure and as a table."""
    number = files.kinds.get(task) == "number"
    valued = [(name, row) for name, row in rows.items() if row.get("value") is not None]
    known = {name: (float(row["value"]), row.get("low"), row.get("high")) for name, row in valued}
    unit = "mean size of the share" if number else "mean share in the true class's probability"
    data = [{"part": name, "share": value, "low": low, "high": high} for name, (value, low, high) in known.items()]
    return {
        "task": task,
        "rows": [{"name": name, **words.written_as("unit" if number else "number", row)} for name, row in rows.items()],
        "figure": explanation_figures.share_bars(f"What each modality adds to {task}", known, unit) if known else "",
        "data": data_link(f"{task}-shares", data),
    }


def _gates(gates: list[dict[str, Any]]) -> dict[str, Any] | None:
    """How many move with the image, and which most."""
    spreads = [gate for gate in gates if isinstance(gate.get("spread"), int | float)]
    if not spreads:
        return None
    drawn = [gate for gate in spreads if isinstance(gate.get("mean"), int | float)]
    most = max(spreads, key=lambda gate: gate["spread"])
    return {
        "count": len(spreads),
        "moving": sum(gate["spread"] >= explanation_figures.MOVES for gate in spreads),
        "most": explanation_figures.gate_name(most),
        "spread": words.number(most["spread"]),
        "figure": explanation_figures.gate_rows(drawn) if drawn else "",
        "data": data_link("gates", [{key: gate.get(key) for key in GATE_COLUMNS} for gate in drawn]),
    }


def _space(task: str, space: dict[str, Any], files: RunFiles) -> dict[str, Any]:
    """Words on a space, and its drawing by class and by right and wrong answers."""
    names = [str(name) for name in space.get("files") or []]
    rows = _places(files, names, f"space-{task}.csv")
    form, how = space.get("form"), _how(space)
    figures = []
    for file, key, by in ((f"{form}-{task}.svg", "class", "class"), (f"right-{task}.svg", "answer", "right and wrong answers")):
        picture = _picture(files, names, file)
        if picture:
            counts = Counter(str(row.get(key)) for row in rows)
            told = "; ".join(f"{name}: {count}" for name, count in sorted(counts.items()))
            places = [{key: row.get(key), "x": row.get(f"{form}_1"), "y": row.get(f"{form}_2")} for row in rows]
            data = data_link(f"{task}-space-by-{key}", places)
            alt = f"Test cases in the network's space by {by} of {task}, {how}. {told}"
            figures.append({"picture": picture, "alt": alt, "by": by, "data": data})
    return {
        "task": task,
        "silhouette": words.number(space.get("silhouette"), 2),
        "votes": words.share(space.get("knn_accuracy")),
        "neighbours": space.get("neighbours"),
        "how": how,
        "figures": figures,
    }


def _seen(space: dict[str, Any] | None, files: RunFiles) -> dict[str, Any] | None:
    """Words on the space by what the networks see of a case, and its drawing; None where they see one modality only."""
    if not space:
        return None
    names = [str(name) for name in space.get("files") or []]
    rows = _places(files, names, "modalities.csv")
    counts = Counter(str(row.get("seen")) for row in rows)
    told = "; ".join(f"{name}: {count}" for name, count in sorted(counts.items()))
    form, how = space.get("form"), _how(space)
    places = [{"seen": row.get("seen"), "x": row.get(f"{form}_1"), "y": row.get(f"{form}_2")} for row in rows]
    return {
        "silhouette": words.number(space.get("silhouette"), 2),
        "alike": words.share(space.get("alike")),
        "by_chance": words.share(space.get("by_chance")),
        "neighbours": space.get("neighbours"),
        "how": how,
        "picture": _picture(files, names, f"modalities-{form}.svg"),
        "alt": f"Test cases in the networks' space by what is seen of them, {how}. {told}",
        "data": data_link("space-by-modality", places),
    }


def _how(space: dict[str, Any]) -> str:
    """How a figure of a space came about, and what not to read from it."""
    if space.get("form") == "pca":
        return "PCA"
    told = {"perplexity": words.number(space.get("perplexity"), 0)}
    if space.get("form") == "umap":
        told = {"n_neighbors": str(space.get("n_neighbors"))}
    name = "UMAP" if space.get("form") == "umap" else "t-SNE"
    settings = ", ".join(f"{key} {value}" for key, value in {**told, "seed": space.get("seed")}.items())
    return f"{name} by cosine, {settings}; distances between clusters mean nothing"


def _places(files: RunFiles, names: list[str], name: str) -> list[dict[str, Any]]:
    """The rows of a table that `drifa explain` left; none where it did not."""
    path = _inside(files, names, name)
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines())) if path is not None else []


def _picture(files: RunFiles, names: list[str], name: str) -> str:
    """A figure as a picture: what another program wrote is never made part of the page."""
    path = _inside(files, names, name)
    return base64.b64encode(path.read_bytes()).decode() if path is not None else ""


def _inside(files: RunFiles, names: list[str], name: str) -> Path | None:
    """A file that `explain.json` names, where it lies beside it and is not too large for the page."""
    folder = (files.folder / "explain").resolve()
    path = (folder / name).resolve()
    if name in names and path.is_relative_to(folder) and path.is_file() and path.stat().st_size <= LARGEST:
        return path
    return None
