"""Reads the runs of results/metadata/run.sh and writes results.json and README.md beside this file.

python results/metadata/summarise.py runs/metadata results/metadata
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from drifa.files import write_json, write_text
from drifa.metrics.intervals import seed_interval
from drifa.runs.run import Run

ARMS = {"image": "image alone", "metadata": "image + age, sex, site"}
SPLITS = ("train", "val", "test")
METRICS = ("accuracy", "balanced_accuracy", "f1", "auc", "ece")


def cell(values: list[float]) -> str:
    found = seed_interval(values)
    if found["low"] is None or found["high"] is None:
        return f"{100 * found['mean']:.1f}"  # type: ignore[operator]
    return f"{100 * found['mean']:.1f} [{100 * found['low']:.1f}, {100 * found['high']:.1f}]"  # type: ignore[operator]


def main() -> None:
    folder, out = Path(sys.argv[1]), Path(sys.argv[2])
    values: dict[str, dict[str, list[float]]] = {}
    subsets: dict[str, dict[str, list[float]]] = {}
    hashes: dict[str, list[str]] = {}
    runs: dict[str, list[Run]] = {arm: [Run.open(path) for path in sorted(folder.glob(f"{arm}-*"))] for arm in ARMS}
    for arm, arm_runs in runs.items():
        metrics = [json.loads((run.folder / "metrics.json").read_text())["skin_lesion"]["deterministic"] for run in arm_runs]
        values[arm] = {name: [one[name]["value"] for one in metrics] for name in METRICS}
        hashes[arm] = [json.loads((run.folder / "split_receipt.json").read_text())["sha256"] for run in arm_runs]
    assert hashes["image"] == hashes["metadata"], "the arms do not share their splits"
    for run in runs["metadata"]:
        found = json.loads((run.folder / "evaluation.json").read_text())["subsets"]["skin_lesion"]
        for subset, metrics in found.items():
            for name in METRICS:
                subsets.setdefault(subset, {}).setdefault(name, []).append(metrics[name]["value"])
    difference = {
        name: [a - b for a, b in zip(values["metadata"][name], values["image"][name], strict=True)] for name in METRICS
    }
    environment = json.loads((runs["metadata"][0].folder / "environment.json").read_text())
    receipt = json.loads((runs["metadata"][0].folder / "split_receipt.json").read_text())
    result: dict[str, Any] = {
        "command": "sh results/metadata/run.sh",
        "seeds": [run.config.train.seed for run in runs["metadata"]],
        "environment": environment,
        "subjects": receipt["subjects"],
        "split_sha256": hashes["image"],
        "values": values,
        "subsets": subsets,
        "difference": {name: seed_interval(each) for name, each in difference.items()},
    }
    write_json(out / "results.json", result)
    names = ", ".join(METRICS)
    lines = [
        "# HAM10000: does it help to know age, sex and site?",
        "",
        "Made by `sh results/metadata/run.sh`: `drifa` in the quick config (32 px, a quarter of ResNet18's width, 4 epochs),",
        "on the same lesion-disjoint splits with and without the table's columns as a second modality.",
        "",
        f"- Date {environment['date']}, drifa {environment['drifa']}, torch {environment['torch']}, {environment['system']}, "
        f"one CPU thread, GPU: {environment['gpu']}. Seeds {result['seeds']} (of split and network).",
        f"- Subjects of seed 0, train / val / test: {' / '.join(str(receipt['subjects'][k]) for k in SPLITS)}.",
        f"- Deterministic pass; {names} in %; mean over seeds with its Student-t 95 % interval.",
        "",
        "| trained on | " + " | ".join(METRICS) + " |",
        "|---" * (len(METRICS) + 1) + "|",
        *(f"| {title} | " + " | ".join(cell(values[arm][name]) for name in METRICS) + " |" for arm, title in ARMS.items()),
        "| difference, points | " + " | ".join(cell(difference[name]) for name in METRICS) + " |",
        "",
        "The network trained on both, asked with less (`drifa evaluate --subsets`; no modality dropout in training):",
        "",
        "| asked with | " + " | ".join(METRICS) + " |",
        "|---" * (len(METRICS) + 1) + "|",
        *(f"| {subset} | " + " | ".join(cell(found[name]) for name in METRICS) + " |" for subset, found in subsets.items()),
    ]
    write_text(out / "README.md", "\n".join(lines) + "\n")
    print(f"wrote {out}/results.json and {out}/README.md")


if __name__ == "__main__":
    main()
