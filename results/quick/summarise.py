"""Reads the runs of results/quick/run.sh and writes results.json and README.md beside this file.

python results/quick/summarise.py runs/quick results/quick
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from drifa.files import write_json, write_text
from drifa.metrics.classification import classification_metrics
from drifa.metrics.intervals import paired_difference, seed_interval
from drifa.runs.run import Run

FUSIONS = ("drifa", "concat", "single")
METRICS = ("accuracy", "balanced_accuracy", "f1", "auc", "ece", "nll")


def rows_of(run: Run, task: str, mode: str, condition: str) -> pd.DataFrame:
    table = pd.read_parquet(run.folder / "predictions.parquet")
    table = table[(table.task == task) & (table["mode"] == mode) & (table.condition == condition)]
    return table.sort_values(["member", "subject"])


def arrays(run: Run, task: str, mode: str, condition: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """labels [N], probabilities [M, N, C], groups [N]."""
    rows = rows_of(run, task, mode, condition)
    first = rows[rows.member == rows.member.min()]
    classes = run.info["tasks"][task]
    probabilities = np.stack([np.stack(part["probabilities"]) for _, part in rows.groupby("member")])
    return np.array([classes.index(name) for name in first["label"]]), probabilities, first["group"].to_numpy()


def summarise(folder: Path) -> dict[str, Any]:
    runs = {fusion: Run.open(folder / fusion) for fusion in FUSIONS}
    any_run = runs["drifa"]
    receipt = json.loads((any_run.folder / "split_receipt.json").read_text())
    hashes = {json.loads((run.folder / "split_receipt.json").read_text())["sha256"] for run in runs.values()}
    assert len(hashes) == 1, "the runs do not share one split"
    result: dict[str, Any] = {
        "command": "sh results/quick/run.sh",
        "config": "configs/quick/ham10000_sipakmed.yaml",
        "seeds": [any_run.config.train.seed + n for n in range(any_run.config.train.members)],
        "threads": any_run.config.train.threads,
        "environment": json.loads((any_run.folder / "environment.json").read_text()),
        "split": {key: receipt[key] for key in ("protocol", "seed", "fractions", "subjects", "groups", "sha256", "counts")},
        "models": {},
        "tasks": {},
    }
    for fusion, run in runs.items():
        training = [json.loads((run.member(n) / "config.json").read_text())["training"] for n in run.trained_members()]
        result["models"][fusion] = {
            "parameters": run.info["parameters"],
            "training_seconds": [round(one["seconds"]) for one in training],
        }
    for task in any_run.info["tasks"]:
        labels, _, _ = arrays(any_run, task, "deterministic", "partners")
        table: dict[str, Any] = {"images": len(labels), "majority_accuracy": float(np.bincount(labels).max() / len(labels))}
        for fusion, run in runs.items():
            table[fusion] = {"alone": {}, "partners": {}}
            for condition in ("partners", "alone"):
                truth, probabilities, _ = arrays(run, task, "deterministic", condition)
                each = [classification_metrics(truth, one) for one in probabilities]
                table[fusion][condition] = {name: seed_interval([one[name] for one in each]) for name in METRICS}
            metrics = json.loads((run.folder / "metrics.json").read_text())[task]
            table[fusion]["mc"] = {name: metrics["mc"][name] for name in METRICS}
            table[fusion]["ensemble_mc"] = {name: metrics["ensemble_mc"][name] for name in METRICS}
            table[fusion]["partner_flip_rate"] = metrics["deterministic"]["partner_flip_rate"]
        table["difference"] = {
            f"drifa - {other}": {
                name: paired_difference(
                    labels,
                    arrays(runs["drifa"], task, "deterministic", "partners")[1],
                    arrays(runs[other], task, "deterministic", "partners")[1],
                    arrays(runs["drifa"], task, "deterministic", "partners")[2],
                    metric=name,
                )
                for name in ("accuracy", "balanced_accuracy")
            }
            for other in ("concat", "single")
        }
        result["tasks"][task] = table
    return result


def percent(value: dict[str, Any], key: str = "value") -> str:
    middle = value.get("mean", value.get(key))
    low, high = value["low"], value["high"]
    return f"{100 * middle:.1f} [{100 * low:.1f}, {100 * high:.1f}]" if low is not None else f"{100 * middle:.1f}"


def markdown(result: dict[str, Any]) -> str:
    environment, split = result["environment"], result["split"]
    lines = [
        "# Quick run: HAM10000 + SIPaKMeD on two CPU cores",
        "",
        "Made by `sh results/quick/run.sh` (config `configs/quick/ham10000_sipakmed.yaml`: 32 px images, a quarter of",
        "ResNet18's width behind its stem, 4 epochs, otherwise the paper's recipe). It shows that the whole chain works and",
        "what each fusion gives **at this size and budget**; it is no reproduction of the published 128 px, 200-epoch numbers.",
        "",
        f"- Date {environment['date']}, drifa {environment['drifa']}, torch {environment['torch']}, {environment['system']}, "
        f"{result['threads']} CPU thread per training, GPU: {environment['gpu']}.",
        f"- Data: a reduced copy of both sets. Split `{split['protocol']}`, seed {split['seed']}, subjects "
        f"{' / '.join(str(split['subjects'][name]) for name in ('train', 'val', 'test'))}, sha256 `{split['sha256'][:16]}…`.",
        f"- Seeds {result['seeds']}. Intervals over seeds are Student-t at 95 %, n = {len(result['seeds'])}, so they are wide;",
        "  differences are paired on the same images, bootstrap over whole lesions and source images, 1000 resamples.",
        "- The machine ran other work at the same time: training seconds are upper bounds. See results/benchmarks for",
        "  the times on an idle one.",
        "",
        "| fusion | parameters | training, seconds per network |",
        "|---|---|---|",
    ]
    for fusion, model in result["models"].items():
        seconds = ", ".join(str(value) for value in model["training_seconds"])
        lines.append(f"| `{fusion}` | {model['parameters']:,} | {seconds} |")
    for task, table in result["tasks"].items():
        lines += [
            "",
            f"## {task}",
            "",
            f"{table['images']} test images; the most common class makes up {100 * table['majority_accuracy']:.1f} % of them.",
            "",
            "Deterministic pass, 8 training partners averaged; mean over seeds [95 %], in %.",
            "",
            "| fusion | accuracy | balanced accuracy | macro F1 | AUC | ECE | accuracy without partner | flips with partner |",
            "|---|---|---|---|---|---|---|---|",
        ]
        for fusion in FUSIONS:
            row = table[fusion]
            cells = [percent(row["partners"][name]) for name in ("accuracy", "balanced_accuracy", "f1", "auc", "ece")]
            cells += [percent(row["alone"]["accuracy"]), percent(row["partner_flip_rate"])]
            lines.append(f"| `{fusion}` | " + " | ".join(cells) + " |")
        lines += [
            "",
            "Ensemble of the three seeds x 20 dropout passes (eq. 10); value [95 % over groups], in % (NLL in nats).",
            "",
            "| fusion | accuracy | balanced accuracy | macro F1 | AUC | ECE | NLL |",
            "|---|---|---|---|---|---|---|",
        ]
        for fusion in FUSIONS:
            row = table[fusion]["ensemble_mc"]
            cells = [percent(row[name]) for name in ("accuracy", "balanced_accuracy", "f1", "auc", "ece")]
            lines.append(f"| `{fusion}` | " + " | ".join(cells) + f" | {row['nll']['value']:.3f} |")
        lines += ["", "| difference, deterministic, in points | accuracy | balanced accuracy |", "|---|---|---|"]
        for name, row in table["difference"].items():
            lines.append(f"| {name} | {percent(row['accuracy'])} | {percent(row['balanced_accuracy'])} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    runs, out = Path(sys.argv[1]), Path(sys.argv[2])
    result = summarise(runs)
    write_json(out / "results.json", result)
    write_text(out / "README.md", markdown(result))
    print(f"wrote {out}/results.json and {out}/README.md")


if __name__ == "__main__":
    main()
