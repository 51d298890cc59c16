"""Reads the runs of results/leakage/run.sh and writes results.json and README.md beside this file.

python results/leakage/summarise.py runs/leakage results/leakage
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from drifa.files import write_json, write_text
from drifa.metrics.intervals import seed_interval
from drifa.runs.run import Run

ARMS = {
    "drifa": "drifa, 4 epochs (the quick config)",
    "concat": "concat, 20 epochs (learns its training images better)",
    "long": "concat, 60 epochs, ten seeds (the smallest set only)",
}
DATASETS = ("ham10000", "sipakmed", "iqothnccd")
PROTOCOLS = ("strict", "paper")
METRICS = ("accuracy", "balanced_accuracy", "auc", "ece")


def siblings(run: Run) -> dict[str, float | int]:
    """Accuracy of the test images with and without a member of their group in training."""
    split = pd.read_csv(run.folder / "split.csv", dtype=str, keep_default_na=False)
    leaked = set(split.loc[split["split"] == "train", "group"])
    table = pd.read_parquet(run.folder / "predictions.parquet")
    table = table[table["mode"] == "deterministic"]
    has = table["group"].isin(leaked).to_numpy()
    correct = table["correct"].to_numpy(dtype=bool)
    means = {name: float(correct[rows].mean()) if rows.any() else None for name, rows in (("with", has), ("without", ~has))}
    return {
        "images": len(table),
        "with_sibling_in_training": int(has.sum()),
        **{f"accuracy_{key}": v for key, v in means.items()},
    }


def last_row(run: Run) -> dict[str, float]:
    """Training accuracy of the epoch whose weights are judged: how well the training images are known."""
    history = pd.read_csv(run.member(0) / "history.csv")
    best = history.loc[history["val_loss"].idxmin()]
    name = next(column for column in history.columns if column.startswith("train_accuracy/"))
    return {"train_accuracy": float(best[name]), "best_epoch": int(best["epoch"])}


def cell(folder: Path, arm: str, data: str, protocol: str) -> dict[str, Any] | None:
    paths = sorted(path for path in folder.glob(f"{arm}-{data}-{protocol}-*") if (path / "metrics.json").is_file())
    if not paths:
        return None
    runs = [Run.open(path) for path in paths]
    metrics = [next(iter(json.loads((run.folder / "metrics.json").read_text()).values())) for run in runs]
    values = {name: [one["deterministic"][name]["value"] for one in metrics] for name in METRICS}
    return {
        "seeds": [run.config.train.seed for run in runs],
        "environment": json.loads((runs[0].folder / "environment.json").read_text()),
        "subjects": json.loads((runs[0].folder / "split_receipt.json").read_text())["subjects"],
        "values": values,
        "deterministic": {name: seed_interval(values[name]) for name in METRICS},
        "siblings": [siblings(run) for run in runs],
        "training": [last_row(run) for run in runs],
    }


def inflation(found: dict[str, Any]) -> dict[str, Any]:
    """paper minus strict, seed by seed."""
    paper, strict = (found[protocol]["values"] for protocol in ("paper", "strict"))
    return {name: seed_interval([a - b for a, b in zip(paper[name], strict[name], strict=True)]) for name in METRICS}


def percent(value: dict[str, Any]) -> str:
    if value["low"] is None:
        return f"{100 * value['mean']:.1f}"
    return f"{100 * value['mean']:.1f} [{100 * value['low']:.1f}, {100 * value['high']:.1f}]"


def markdown(result: dict[str, Any]) -> str:
    environment = result["environment"]
    lines = [
        "# What a leaked test set is worth",
        "",
        "Made by `sh results/leakage/run.sh`. The same network is trained and judged on two splits of one data set: `strict`",
        "keeps groups (lesions, cluster images, clusters of neighbouring slices) on one side, `paper` deals images at random.",
        "32 px images, a quarter of ResNet18's width behind its stem; one modality, so no fusion is involved. A seed is the",
        "seed of the split and of the network; values are means over seeds with Student-t 95 % intervals, in %, one",
        "deterministic pass.",
        "",
        f"- Date {environment['date']}, drifa {environment['drifa']}, torch {environment['torch']}, {environment['system']}, "
        f"one CPU thread per training, GPU: {environment['gpu']}.",
        "- Data: reduced copies of the sets. Groups of IQ-OTH/NCCD approximate patients, whose ids are not published.",
    ]
    for arm, tables in result["arms"].items():
        lines += [
            "",
            f"## {ARMS[arm]}",
            "",
            "| data | split | test images | sibling in training | accuracy | balanced accuracy | AUC | accuracy in training |",
            "|---|---|---|---|---|---|---|---|",
        ]
        for data, found in tables.items():
            for protocol in PROTOCOLS:
                row = found[protocol]
                count = row["siblings"][0]["images"]
                leaked = np.mean([one["with_sibling_in_training"] / one["images"] for one in row["siblings"]])
                known = np.mean([one["train_accuracy"] for one in row["training"]])
                cells = [percent(row["deterministic"][name]) for name in ("accuracy", "balanced_accuracy", "auc")]
                lines.append(
                    f"| {data} | `{protocol}` | {count} | {100 * leaked:.0f} % | "
                    + " | ".join(cells)
                    + f" | {100 * known:.0f} |"
                )
        lines += ["", "| paper − strict, in points | accuracy | balanced accuracy | AUC |", "|---|---|---|---|"]
        for data, found in tables.items():
            cells = [percent(found["inflation"][name]) for name in ("accuracy", "balanced_accuracy", "auc")]
            lines.append(f"| {data} | " + " | ".join(cells) + " |")
    lines += [
        "",
        "## Reading it",
        "",
        "A network profits from a twin in training only as far as it has learned its training images by heart. Where",
        "accuracy in training is no higher than in the test, as on HAM10000 and SIPaKMeD here, the two splits differ by less",
        "than the spread over seeds; trained for 60 epochs on the small CT set, the same network gains many points that no new",
        "patient would give it. Nothing here says what 200 epochs at 128 px are worth. Three seeds give wide intervals; ten",
        "were run where the effect was large. `results.json` also has the accuracy of test images with and without a sibling:",
        "on HAM10000 those with one are *harder* (suspicious lesions are photographed more often), so that difference is no",
        "measure of leakage.",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    folder, out = Path(sys.argv[1]), Path(sys.argv[2])
    result: dict[str, Any] = {"command": "sh results/leakage/run.sh", "arms": {}}
    for arm in ARMS:
        tables = {}
        for data in DATASETS:
            found = {protocol: cell(folder, arm, data, protocol) for protocol in PROTOCOLS}
            if all(found.values()):
                tables[data] = {**found, "inflation": inflation(found)}
        if tables:
            result["arms"][arm] = tables
    result["environment"] = next(iter(next(iter(result["arms"].values())).values()))["strict"]["environment"]
    write_json(out / "results.json", result)
    write_text(out / "README.md", markdown(result))
    print(f"wrote {out}/results.json and {out}/README.md")


if __name__ == "__main__":
    main()
