"""The first sentence says what the numbers say: better only where the difference from doing nothing is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from drifa.report import verdicts
from drifa.report.judged import judged_tasks
from drifa.report.verdicts import Verdict
from drifa.runs.files import read_run
from tests.report.other_runs import edit, write


def judged(folder: Path, right: list[bool], labels: list[str], accuracy: tuple[float, float]) -> Verdict:
    """The verdict on a task of two classes, one image per group."""
    classes = ["benign", "malign"]
    other = {"benign": "malign", "malign": "benign"}
    predicted = [label if ok else other[label] for ok, label in zip(right, labels, strict=True)]
    confusion = [[sum((a, b) == (t, p) for a, b in zip(labels, predicted, strict=True)) for p in classes] for t in classes]
    per_class = [
        {"class": name, "support": sum(row), "recall": row[i] / sum(row) if sum(row) else None}
        for i, (name, row) in enumerate(zip(classes, confusion, strict=True))
    ]
    write(folder / "model.json", {"drifa_run": 2, "tasks": {"spot": {"kind": "classes", "classes": classes}}})
    value = {"value": float(np.mean(right)), "low": accuracy[0], "high": accuracy[1]}
    write(folder / "metrics.json", {"spot": {"deterministic": {"accuracy": value}}})
    task = {"kind": "classes", "classes": classes, "modes": {"deterministic": {"per_class": per_class, "confusion": confusion}}}
    write(folder / "evaluation.json", {"split": "test", "resamples": 200, "seed": 0, "tasks": {"spot": task}})
    rows = pd.DataFrame({"subject": range(len(right)), "group": range(len(right)), "label": labels, "predicted": predicted})
    head = {"split": "test", "task": "spot", "mode": "deterministic", "condition": "alone", "member": 0, "confidence": 0.9}
    rows = rows.assign(**head, predictive_entropy=0.1, mutual_information=np.nan, flip_rate=np.nan)
    rows.assign(correct=pd.array(right, dtype="boolean")).to_parquet(folder / "predictions.parquet")
    files = read_run(folder)
    found = verdicts.verdict(judged_tasks(files)[0], files)
    assert found is not None
    return found


def test_a_model_that_learned_nothing_is_not_better_than_one_answer(tmp_path: Path) -> None:
    labels = ["benign"] * 60 + ["malign"] * 20
    found = judged(tmp_path, [label == "benign" for label in labels], labels, (0.65, 0.85))
    assert found.standing == "same"
    assert "cannot be told apart from always answering benign, which would be right in 75.0\u00a0%." in found.sentence
    assert found.weakest == "Weakest class: malign, found in 0.0\u00a0% of its 20 images of 20 groups."


def test_better_is_told_by_the_difference_on_the_same_groups(tmp_path: Path) -> None:
    # The interval of the accuracy holds the baseline; that of the difference is above 0, for it is right wherever benign is.
    labels = ["benign"] * 60 + ["malign"] * 19
    found = judged(tmp_path, [True] * 70 + [False] * 9, labels, (0.70, 0.95))
    assert found.standing == "better"
    assert found.sentence.startswith("Right in 88.6\u00a0% [70.0, 95.0] of cases; always answering benign")
    assert found.weakest.endswith("of its 19 images of 19 groups, too few to judge it.")


def test_worse_than_one_answer_is_said(tmp_path: Path) -> None:
    labels = ["benign"] * 60 + ["malign"] * 20
    found = judged(tmp_path, [i % 3 == 0 for i in range(80)], labels, (0.2, 0.45))
    assert found.standing == "worse"
    assert "worse than always answering benign" in found.sentence


def test_a_number_is_held_against_the_mean(numbers: Path) -> None:
    files = read_run(numbers)
    (task,) = judged_tasks(files)
    found = verdicts.verdict(task, files)
    assert found is not None
    assert found.standing == "better"
    assert "always answering the mean of the training set would be off by 9.9\u00a0years." in found.sentence
    edit(numbers / "evaluation.json", lambda evaluation: evaluation["tasks"]["age"]["floor"].update(mae=0.1))
    files = read_run(numbers)
    assert verdicts.verdict(judged_tasks(files)[0], files)[0] == "worse"  # type: ignore[index]


def test_regions_name_the_weakest_and_few_subjects(volumes: Path) -> None:
    files = read_run(volumes)
    found = verdicts.verdict(judged_tasks(files)[0], files)
    assert found is not None
    assert found.standing == "unknown"
    assert "Weakest region: " in found.weakest
    assert "Only 8 subjects: too few to judge it." in found.weakest


@pytest.mark.parametrize("lost", ["confusion", "per_class"])
def test_what_nobody_counted_is_not_said(run: Path, lost: str) -> None:
    def forget(evaluation: dict) -> None:
        for task in evaluation["tasks"].values():
            for mode in task["modes"].values():
                mode.pop(lost)

    edit(run / "evaluation.json", forget)
    files = read_run(run)
    task = judged_tasks(files)[0]
    found = verdicts.verdict(task, files)
    assert found is not None
    if lost == "confusion":
        assert verdicts.baseline(task) is None
        assert found.standing == "unknown"
    else:
        assert found.weakest == ""
