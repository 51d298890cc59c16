"""Run folders of other kinds than classes: segmented volumes, and a predicted number by itself or beside classes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from drifa.metrics.intervals import bootstrap_measured
from drifa.metrics.regression import JudgedNumbers

#: How many standard deviations to each side hold the share, for a normal distribution.
REACH = {0.5: 0.674, 0.8: 1.282, 0.9: 1.645, 0.95: 1.96}


def write(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(value if isinstance(value, str) else json.dumps(value, allow_nan=False), encoding="utf-8")


def regions_run(run: Path, evaluation_format: int = 2) -> Path:
    """A run that segmented eight volumes: its files, without networks, masks and split."""
    random = np.random.default_rng(0)
    subjects, regions, modes = [f"volume_{i}" for i in range(8)], ("WT", "TC"), ("deterministic", "mc")
    write(run / "config.yaml", "train: {epochs: 2}\n")
    values = {"WT": [1, 2], "TC": [1]}
    if evaluation_format == 1:  # runs of its time had a format 1 too
        tasks = {"drifa_run": 1, "tasks": {"tumour": list(regions)}, "regions": {"tumour": values}}
    else:
        tasks = {"drifa_run": 2, "tasks": {"tumour": {"kind": "regions", "regions": values, "output": "regions"}}}
    model = {"fusion": "concat", "modalities": {"flair": 1, "t1": 1}, "image_size": 0, "study": {"name": "Tumours"}}
    write(run / "model.json", {**model, **tasks})
    history = pd.DataFrame(
        {"epoch": [0, 1], "train_loss": [1.0, 0.5], "val_loss": [1.1, 0.7], "val_dice/tumour/WT": [0.4, 0.6]}
    )
    write(run / "members/0/history.csv", history.assign(lr=1e-3, seconds=2.0).to_csv(index=False))

    def figures() -> dict[str, Any]:
        found = {"dice": {"value": 0.8, "low": 0.7, "high": 0.9}}
        for region in regions:
            for name in ("dice", "sensitivity", "missed"):
                found[f"{name}_{region}"] = {"value": float(random.uniform(0.6, 0.9)), "low": 0.5, "high": 0.95}
            found[f"hd95_{region}"] = {"value": float(random.uniform(3, 9)), "low": None, "high": None}
        return found

    write(run / "metrics.json", {"tumour": {mode: figures() for mode in modes}})
    judged = {"tumour": {"kind": "regions", "regions": list(regions), "count": 8, "groups": 8, "modalities": ["flair", "t1"]}}
    kind = {"kind": "segmentation"} if evaluation_format == 1 else {"tasks": judged, "partners": 0, "seed": 0}
    head = {
        "drifa_evaluation": evaluation_format,
        "split": "test",
        "study": "Tumours",
        "subjects": 8,
        "members": 1,
        "passes": 2,
    }
    write(run / "evaluation.json", {**head, "subsets": {"tumour": {s: figures() for s in ("flair", "t1", "flair+t1")}}, **kind})
    rows = [
        {
            "subject": subject,
            "group": subject,
            "task": "tumour",
            "mode": mode,
            "member": 0,
            "subset": "flair+t1",
            "region": region,
        }
        for subject in subjects
        for mode in modes
        for region in regions
    ]
    volumes = pd.DataFrame(rows).assign(hd95=4.0, truth_ml=12.3, sensitivity=0.8)
    volumes["dice"] = random.uniform(0.3, 0.95, len(rows))
    volumes["predicted_ml"] = random.uniform(5, 40, len(rows))
    write(run / "volumes.csv", volumes.to_csv(index=False))
    return run


def number_run(run: Path, evaluated: bool = True) -> Path:
    """A run whose one task is an age, from images of two modalities of the same patients."""
    write(run / "config.yaml", "train: {epochs: 2}\n")
    model = {"drifa_run": 2, "fusion": "drifa", "modalities": {"t1": 1, "t2": 1}, "study": {"name": "Ages"}}
    tasks = {"age": {"kind": "number", "unit": "years", "mean": 50.0, "std": 12.0, "criterion": "gaussian_nll"}}
    write(run / "model.json", {**model, "tasks": tasks, "image_size": 128, "members": 2})
    history = pd.DataFrame({"epoch": [0, 1], "train_loss": [1.0, 0.5], "val_loss": [1.1, 0.7], "val_mae/age": [9.5, 6.25]})
    write(run / "members/0/history.csv", history.assign(lr=1e-3, seconds=2.0).to_csv(index=False))
    if evaluated:
        head = {"split": "test", "study": "Ages", "subjects": 120, "members": 2, "passes": 20, "partners": 0, "resamples": 30}
        write(run / "evaluation.json", {"drifa_evaluation": 2, **head, "seed": 0, "tasks": {}, "subsets": {}})
        write(run / "metrics.json", {})
        add_number(run, condition="paired")
    return run


def add_number(run: Path, unit: str = "years", condition: str = "partners", count: int = 120) -> None:
    """Adds the task ``age`` to what an evaluated run holds."""
    random = np.random.default_rng(1)
    truth, groups = random.normal(50, 12, count), np.arange(count) // 2
    metrics, details, frames = {}, {}, []
    for mode, spread in (("deterministic", 6.0), ("ensemble_mc", 4.0)):
        std = spread * random.uniform(0.6, 1.4, count)
        value = truth + std * random.normal(size=count)
        metrics[mode] = bootstrap_measured([JudgedNumbers(truth, value, std)], groups, resamples=30)
        if condition == "partners":
            metrics[mode] |= {"mae_alone": {"value": 7.77, "low": 7.1, "high": 8.4}}
        inside = {level: np.abs(truth - value) <= reach * std for level, reach in REACH.items()}
        details[mode] = {
            "scatter": np.stack([truth, value, std], axis=1).tolist(),
            "calibration": [{"level": level, "coverage": float(held.mean())} for level, held in inside.items()],
        }
        head = {"split": "test", "task": "age", "mode": mode, "condition": condition, "member": -1}
        answers = {"truth": truth, "value": value, "std": std, "epistemic_std": 0.3 * std, "aleatoric_std": 0.9 * std}
        frame = pd.DataFrame({"subject": [f"age_{i:04d}" for i in range(count)], "group": groups.astype(str), **answers})
        frames.append(frame.assign(**head, partner_std=1.5 if condition == "partners" else np.nan))

    def add(evaluation: dict[str, Any]) -> None:
        task = {"kind": "number", "unit": unit, "count": count, "groups": count // 2, "modalities": ["t1"]}
        evaluation["tasks"]["age"] = {**task, "floor": {"mae": 9.87, "rmse": 12.34}, "modes": details}

    edit(run / "evaluation.json", add)
    edit(run / "metrics.json", lambda found: found.update(age=metrics))
    path = run / "predictions.parquet"
    rows = [pd.read_parquet(path)] if path.is_file() else []
    pd.concat([*rows, *frames], ignore_index=True).to_parquet(path)


def edit(path: Path, change: Any) -> None:
    """Changes the JSON in a file in place."""
    value = json.loads(path.read_text(encoding="utf-8"))
    change(value)
    path.write_text(json.dumps(value), encoding="utf-8")
