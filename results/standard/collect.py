"""Adds one finished run to results/standard: its figures to results.json, its answers to answers/, and writes README.md anew.

    python results/standard/collect.py RUN [RUN …]

Networks of one table are trained in several goes, on one thread each; the differences between them are paired over test images.
"""

from __future__ import annotations

import datetime
import functools
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from drifa.experiments.telling import STARRED, star
from drifa.files import write_json, write_text
from drifa.metrics.intervals import paired_difference, seed_interval
from drifa.runs.files import MAIN_CONDITIONS
from drifa.runs.run import Run

HERE = Path(__file__).parent
SHOWN = ("accuracy", "balanced_accuracy", "auc", "ece")
#: Rows and columns of the overview.
FUSIONS = ("drifa", "concat", "single", "se_matched", "se_matched_paper", "gloria", "mttu_net", "caf", "mtf_ma")
TASKS = {
    "skin_lesion": "lesions, HAM10000",
    "cell": "cells, SIPaKMeD",
    "tumour_type": "brain MRI, Nickparvar",
    "lung": "lung CT, IQ-OTH/NCCD",
}


def collect(folder: Path) -> tuple[str, dict[str, Any], pd.DataFrame]:
    """Name, record and answers of a run: deterministic, with its headline condition."""
    run = Run.open(folder)
    member = json.loads((run.member(0) / "config.json").read_text())["training"]
    history = pd.read_csv(run.member(0) / "history.csv")
    receipt = json.loads((folder / "split_receipt.json").read_text())
    answers = pd.read_parquet(folder / "predictions.parquet")
    answers = answers[(answers["mode"] == "deterministic") & answers["condition"].isin(MAIN_CONDITIONS)]
    metrics = json.loads((folder / "metrics.json").read_text())
    pair = "_".join(sorted(run.info.tasks))
    fusion = run.config.model.fusion
    if fusion == "se_matched" and run.networks()[0].config["fusion_args"].get("start", "paper") == "paper":
        fusion += "_paper"
    name = f"{pair}/{fusion}-{run.config.train.seed}"
    record = {
        "pair": pair,
        "fusion": fusion,
        "seed": run.config.train.seed,
        "backbone": run.config.model.backbone,
        "image_size": run.config.data.image_size,
        "epochs": len(history),
        "best_epoch": member["best_epoch"],
        "seconds": round(member["seconds"]),
        "parameters": run.info.parameters,
        "classes": {task: list(kind["classes"]) for task, kind in run.info.tasks.items()},
        "partners": run.config.evaluate.partners,
        "split": {
            key: receipt[key] for key in ("protocol", "seed", "sha256", "subjects", "groups", "counts") if key in receipt
        },
        "environment": json.loads((folder / "environment.json").read_text()),
        "date": datetime.date.today().isoformat(),
        "history": history.round(5).to_dict("list"),
        "test": {task: modes["deterministic"] for task, modes in metrics.items()},
    }
    table = answers[["task", "subject", "group", "label"]].copy()
    table["probabilities"] = [np.asarray(p, dtype=np.float32).round(5).tolist() for p in answers["probabilities"]]
    return name, record, table.sort_values(["task", "subject"]).reset_index(drop=True)


def answers_of(name: str, task: str) -> pd.DataFrame:
    table = pd.read_parquet(HERE / "answers" / f"{name.replace('/', '-')}.parquet")
    return table[table["task"] == task]


def page(found: dict[str, Any]) -> str:
    """The tables, from what has been collected so far."""
    lines = [HEAD, STARRED, "", *overview(found)]
    for pair in sorted({record["pair"] for record in found.values()}):
        own = {name: record for name, record in found.items() if record["pair"] == pair}
        hashes = {record["split"]["sha256"] for record in own.values()}
        assert len(hashes) == 1, f"the runs of {pair} do not share one split"
        some = next(iter(own.values()))
        told_of = f"Split `{some['split']['sha256'][:12]}…`; {some['epochs']} epochs, {some['image_size']} px."
        lines += ["", f"## {pair}", "", told_of, ""]
        for task in some["test"]:
            lines += table_of(own, task)
    return "\n".join(lines) + "\n"


def overview(found: dict[str, Any]) -> list[str]:
    """Accuracy, the number of networks where it is more than one, and how much more `drifa` has."""
    lines = ["| fusion | " + " | ".join(TASKS.values()) + " |", "|---|" + "---|" * len(TASKS)]
    for fusion in FUSIONS:
        cells = []
        for task in TASKS:
            own = {name: record for name, record in found.items() if task in record["test"]}
            values = [one["test"][task]["accuracy"]["value"] for one in own.values() if one["fusion"] == fusion]
            cell = f"{100 * np.mean(values):.1f}" if values else ""
            cell += f" ({len(values)})" if len(values) > 1 else ""
            if values and fusion != "drifa":
                cell += f"; {paired(own, task, fusion, 'accuracy')}{star(telling(own, task, fusion))}"
            cells.append(cell)
        lines.append(f"| `{fusion}` | " + " | ".join(cells) + " |")
    return lines


def table_of(own: dict[str, Any], task: str) -> list[str]:
    first = answers_of(next(iter(own)), task)
    classes, counts = np.unique(first["label"], return_counts=True)
    most = counts.max() / counts.sum()
    lines = [
        f"### {task}: {len(first)} test images; always {classes[counts.argmax()]!r}: {100 * most:.1f} % accuracy",
        "",
        "| fusion | seeds | parameters | minutes | " + " | ".join(SHOWN) + " |",
        "|---|---|---|---|" + "---|" * len(SHOWN),
    ]
    for fusion in sorted({record["fusion"] for record in own.values()}):
        records = [record for record in own.values() if record["fusion"] == fusion]
        cells = [told([record["test"][task][metric] for record in records]) for metric in SHOWN]
        minutes = np.mean([record["seconds"] for record in records]) / 60
        seeds = ", ".join(str(record["seed"]) for record in records)
        lines.append(f"| `{fusion}` | {seeds} | {records[0]['parameters']:,} | {minutes:.0f} | " + " | ".join(cells) + " |")
    return [*lines, "", *differences(own, task)]


def told(intervals: list[dict[str, float]]) -> str:
    """In percent: the mean over seeds with its t-interval, or of a single seed the value with its bootstrap interval."""
    one = seed_interval([part["value"] for part in intervals]) if len(intervals) > 2 else intervals[0]
    value = np.mean([part["value"] for part in intervals])
    return f"{100 * value:.1f} [{100 * one['low']:.1f}, {100 * one['high']:.1f}]"


def differences(own: dict[str, Any], task: str) -> list[str]:
    """Of drifa and each other fusion."""
    lines = []
    for other in sorted({record["fusion"] for record in own.values()} - {"drifa"}):
        few = star(telling(own, task, other))
        words = [f"{metric} {paired(own, task, other, metric)}{few}" for metric in ("accuracy", "balanced_accuracy")]
        seeds = ", ".join(map(str, shared_seeds(own, other)))
        lines += [f"`drifa` - `{other}` (seeds {seeds}; points, paired bootstrap over groups): {'; '.join(words)}.", ""]
    return lines


def shared_seeds(own: dict[str, Any], other: str) -> list[int]:
    """Of drifa and another fusion."""
    seeds = [{record["seed"] for record in own.values() if record["fusion"] == fusion} for fusion in ("drifa", other)]
    return sorted(set.intersection(*seeds))


@functools.cache
def stack_of(names: tuple[str, ...], task: str) -> np.ndarray[Any, Any]:
    """Probabilities of several networks, as they were before they were rounded for their file."""
    stack = np.stack([np.stack(list(answers_of(name, task)["probabilities"])) for name in names])
    return stack / stack.sum(-1, keepdims=True)


def telling(own: dict[str, Any], task: str, other: str) -> int:
    """Groups in which drifa and another fusion have different numbers of right answers."""
    pair, classes = next(iter(own)).partition("/")[0], np.array(next(iter(own.values()))["classes"][task])
    truth, right = answers_of(next(iter(own)), task), []
    for fusion in ("drifa", other):
        answers = stack_of(tuple(f"{pair}/{fusion}-{seed}" for seed in shared_seeds(own, other)), task).argmax(-1)
        right.append((classes[answers] == truth["label"].to_numpy()).sum(0))
    return int((pd.Series(right[0] - right[1]).groupby(truth["group"].to_numpy()).sum() != 0).sum())


def paired(own: dict[str, Any], task: str, other: str, metric: str) -> str:
    """Points that drifa has more than another fusion, paired over test images, of the seeds that both have."""
    pair = next(iter(own)).partition("/")[0]
    sides = [
        stack_of(tuple(f"{pair}/{fusion}-{seed}" for seed in shared_seeds(own, other)), task) for fusion in ("drifa", other)
    ]
    truth = answers_of(next(iter(own)), task)
    classes = next(iter(own.values()))["classes"][task]
    labels = truth["label"].map({name: number for number, name in enumerate(classes)}).to_numpy()
    one = paired_difference(labels, *sides, truth["group"].to_numpy(), metric)
    return f"{100 * one['value']:+.1f} [{100 * one['low']:+.1f}, {100 * one['high']:+.1f}]"


HEAD = """# The standard recipe

Networks with ImageNet weights (EfficientNet-Lite0) under `configs/standard/`, on splits that cut no group, one CPU thread
each. Deterministic pass; in unpaired studies the mean over 8 training partners. Accuracy, balanced accuracy, AUC and ECE in
percent: with three seeds or more the mean and its 95 % t-interval; with fewer the mean, and the bootstrap interval over groups
of the first. No setting was tuned on the test split. Minutes are of training, on a machine that did other work beside it,
and not to be compared between the arms. The gates of all arms begin open, so that they do not disturb what the trunk knows
(`start: identity`), but those of `se_matched_paper`, which begin near one half, as published.

```bash
WEIGHTS=tf_efficientnet_lite0.safetensors sh results/standard/run.sh drifa 0
```

trains and judges one network and adds it here: figures and learning curves to `results.json`, answers to `answers/`.

## Accuracy at a glance

In percent: the mean where there are several networks (their number in brackets), then by how many points `drifa` is above
it, of the seeds that both have, paired over the same test images, with its 95 % interval over groups, not adjusted for
several comparisons."""


def main() -> None:
    path = HERE / "results.json"
    found = json.loads(path.read_text()) if path.is_file() else {}
    for folder in sys.argv[1:]:
        name, record, table = collect(Path(folder))
        found[name] = record
        (HERE / "answers").mkdir(exist_ok=True)
        table.to_parquet(HERE / "answers" / f"{name.replace('/', '-')}.parquet", index=False)
    write_json(path, dict(sorted(found.items())))
    write_text(HERE / "README.md", page(found))


if __name__ == "__main__":
    main()
