"""A run folder as `train` and `evaluate` leave it, with invented answers judged by the real metric functions."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from drifa.metrics.classification import confusion_matrix, per_class
from drifa.metrics.curves import reliability, risk_coverage
from drifa.metrics.intervals import bootstrap
from tests.report.other_runs import add_number, number_run, regions_run, write

TASKS = {"skin_lesion": ["akiec", "bcc", "bkl", "mel", "<b>x</b>"], "cell": ["dyskeratotic", "koilocytotic", "parabasal"]}
MODES = ("deterministic", "mc", "ensemble", "ensemble_mc")
FIXED = ("deterministic", "ensemble")
NASTY_SUBJECT = "<script>alert(1)</script>"


def entropy(p: np.ndarray) -> np.ndarray:
    return -(p * np.log(np.maximum(p, 1e-12))).sum(axis=-1)


def synthetic_run(
    run: Path, members: int = 2, modes: tuple[str, ...] = MODES, count: int = 120, epochs: int = 8, resamples: int = 30
) -> Path:
    """Writes every file that the report reads."""
    random = np.random.default_rng(0)
    write(run / "config.yaml", "study: {path: my_study}\ntrain:\n  epochs: 40\n  note: '<i>kept</i>'\n")
    write(run / "environment.json", {"python": "3.11.9", "torch": "2.15.0", "gpu": "none"})
    write(
        run / "model.json",
        {
            "drifa_run": 2,
            "backbone": "resnet18",
            "fusion": "drifa",
            "parameters": 53_865_668,
            "modalities": {"dermoscopy": 3, "pap_smear": 3},
            "tasks": {task: {"kind": "classes", "classes": list(classes)} for task, classes in TASKS.items()},
            "image_size": 128,
            "members": members,
            "study": {
                "name": "Skin lesions and smear cells",
                "licence": "CC BY-NC 4.0",
                "citation": "Example et al., A study of lesions, 2018",
                "source": "https://example.org/data",
                "notes": "Unpaired: no patient has both images.",
            },
        },
    )
    sizes = {"train": 0.8, "val": 0.1, "test": 0.1}
    counts = {
        split: {
            task: {
                name: {"subjects": round(share * 400 * (k + 1)), "groups": round(share * 300 * (k + 1))}
                for k, name in enumerate(names)
            }
            for task, names in TASKS.items()
        }
        for split, share in sizes.items()
    }
    write(
        run / "split_receipt.json",
        {
            "protocol": "strict",
            "seed": 0,
            "fractions": list(sizes.values()),
            "counts": counts,
            "groups": {"train": 6720, "val": 840, "test": 840},
            "groups_in_two_splits": 0,
            "subjects_sharing_a_group_with_train": {"val": 0, "test": 0},
            "classes_missing": [],
            "sha256": hashlib.sha256(b"split").hexdigest(),
        },
    )
    for member in range(members):
        epoch = np.arange(epochs)
        history = pd.DataFrame(
            {
                "epoch": epoch,
                "lr": np.where(epoch < epochs * 0.6, 1e-3, 2e-4),
                "train_loss": 1.6 * np.exp(-epoch / epochs * 3) + random.normal(0, 0.02, epochs) + 0.1,
                "val_loss": 1.6 * np.exp(-epoch / epochs * 2.5)
                + random.normal(0, 0.04, epochs)
                + 0.02 * epoch * 8 / epochs
                + 0.2,
                "seconds": 31.5,
                "val_accuracy/skin_lesion": 0.75,
                "val_accuracy/cell": 0.9,
            }
        )
        write(run / f"members/{member}/history.csv", history.to_csv(index=False))

    metrics: dict[str, Any] = {}
    evaluation: dict[str, Any] = {
        **{"drifa_evaluation": 1, "split": "test", "subjects": 2 * count, "passes": 20, "partners": 8, "resamples": resamples},
        **{"seed": 0, "members": members, "study": "Skin lesions and smear cells", "tasks": {}},
    }
    frames = []
    for task, names in TASKS.items():
        labels = random.choice(len(names), count, p=np.arange(1, len(names) + 1)[::-1] / sum(range(1, len(names) + 1)))
        groups = np.arange(count) // 2
        subjects = [f"{task}_{i:04d}" for i in range(count)]
        subjects[0] = NASTY_SUBJECT
        hard = random.normal(size=(count, len(names)))
        metrics[task], details = {}, {}
        for mode in modes:
            draws = 1 if "ensemble" in mode else members
            noise = {"deterministic": 1.6, "mc": 1.4, "ensemble": 1.2, "ensemble_mc": 1.0}[mode]
            logits = 2.6 * np.eye(len(names))[labels] + hard + noise * random.normal(size=(draws, count, len(names)))
            p = np.exp(1.3 * logits) / np.exp(1.3 * logits).sum(axis=-1, keepdims=True)
            metrics[task][mode] = {
                **bootstrap(labels, p, groups, entropy(p), resamples=resamples),
                "accuracy_alone": {"value": 0.6123, "low": 0.55, "high": 0.66},
                "balanced_accuracy_alone": {"value": 0.5871, "low": None, "high": None},
                **({"partner_flip_rate": {"value": 0.0417, "low": 0.02, "high": 0.07}} if mode in FIXED else {}),
            }
            predicted = p[0].argmax(axis=1)
            details[mode] = {
                "per_class": per_class(labels, p[0], names),
                "confusion": confusion_matrix(labels, predicted, len(names)).tolist(),
                "reliability": reliability(labels, p[0]),
                "risk_coverage": risk_coverage(labels, p[0], entropy(p[0])),
            }
            frames.append(
                pd.DataFrame(
                    {
                        "subject": subjects,
                        "group": groups.astype(str),
                        "split": "test",
                        "task": task,
                        "mode": mode,
                        "condition": "partners",
                        "member": -1 if "ensemble" in mode else 0,
                        "label": [None if i == 5 else names[k] for i, k in enumerate(labels)],
                        "predicted": [names[k] for k in predicted],
                        "correct": pd.array(
                            [None if i == 5 else bool(ok) for i, ok in enumerate(predicted == labels)], dtype="boolean"
                        ),
                        "confidence": p[0].max(axis=1),
                        "probabilities": list(p[0]),
                        "predictive_entropy": entropy(p[0]),
                        "mutual_information": None if mode == "deterministic" else entropy(p[0]) / 5,
                        "std": 0.05,
                        "flip_rate": np.where(np.arange(count) % 10 == 0, 0.25, 0.0) if mode in FIXED else np.nan,
                    }
                )
            )
        modalities = ["dermoscopy"] if task == "skin_lesion" else ["pap_smear"]
        evaluation["tasks"][task] = {
            "classes": names,
            "count": count,
            "groups": count // 2,
            "modalities": modalities,
            "modes": details,
        }
    write(run / "metrics.json", metrics)
    write(run / "evaluation.json", evaluation)
    pd.concat(frames, ignore_index=True).to_parquet(run / "predictions.parquet")
    return run


@pytest.fixture
def make_run() -> Callable[..., Path]:
    return synthetic_run


@pytest.fixture(scope="session")
def pristine_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return synthetic_run(tmp_path_factory.mktemp("runs") / "my_run")


@pytest.fixture
def run(pristine_run: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    return Path(shutil.copytree(pristine_run, tmp_path / "my_run"))


@pytest.fixture
def volumes(tmp_path: Path) -> Path:
    """A run that segmented volumes."""
    return regions_run(tmp_path / "my_volumes")


@pytest.fixture
def numbers(tmp_path: Path) -> Path:
    """A run whose one task is a number."""
    return number_run(tmp_path / "my_numbers")


@pytest.fixture
def mixed(run: Path) -> Path:
    """A run of two tasks of classes and one of a number."""
    add_number(run)
    return run
