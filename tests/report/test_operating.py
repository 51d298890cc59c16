"""What a model does in use is told of one class by one rule, and never without its numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from drifa.metrics.ranked import ranked_classes
from drifa.report.answers import class_answers
from drifa.report.judged import JudgedTask, judged_tasks
from drifa.report.operating import class_told, in_use
from drifa.report.words import with_limits
from drifa.runs.files import RunFiles, read_run
from tests.report.other_runs import write
from tests.report_page import report


def judged(classes: list[str], recalls: list[float | None]) -> JudgedTask:
    rows = [{"class": name, "recall": recall} for name, recall in zip(classes, recalls, strict=True)]
    return JudgedTask("spot", "classes", {}, {"classes": classes, "modes": {"mc": {"per_class": rows}}}, {}, None)


def told(run: Path) -> tuple[JudgedTask, RunFiles, str]:
    files = read_run(run)
    task = judged_tasks(files, "classes")[1]
    return task, files, in_use(task, files)


def test_of_two_classes_the_second_is_told_and_of_several_the_least_found() -> None:
    assert class_told(judged(["benign", "malign"], [0.2, 0.9])) == "malign"
    assert class_told(judged(["a", "b", "c"], [0.5, 0.4, 0.9])) == "b"
    assert class_told(judged(["a", "b", "c"], [0.5, None, 0.9])) == "a"
    assert class_told(judged(["a", "b", "c"], [None, None, None])) is None


def test_the_share_found_is_that_of_the_class_told(run: Path) -> None:
    task, files, sentence = told(run)
    answers = class_answers(task.name, task.classes, files)
    assert answers is not None
    table, p = answers
    name = class_told(task)
    number = task.classes.index(str(name))
    found = ranked_classes((table["label"] == name).astype(int), 0 * p[:, :2] + p[:, [number]], table["group"], resamples=30)[1]
    assert found is not None
    assert sentence.startswith(f"Finds {with_limits('share', {**found.found_at(0.9)})} of {name} at 90\u00a0% specificity.")
    assert "Refers" not in sentence
    assert report(run).has("summary", f"of {name} at 90")


@pytest.mark.parametrize(
    ("learned", "coverage", "expected"),
    [
        ({"bar": 0.4}, {"value": 0.82, "low": 0.75, "high": 0.9}, "Refers 18.0\u00a0% [10.0, 25.0] of cases to a person."),
        ({"bar": 0.4}, {"value": 0.82, "low": None, "high": None}, "Refers 18.0\u00a0% of cases to a person."),
        ({"bar": 0.4}, {"value": None}, ""),
        (None, {"value": 0.82}, ""),
    ],
)
def test_cases_referred_are_told_where_they_were_learned_and_counted(
    run: Path, learned: dict[str, Any] | None, coverage: dict[str, Any], expected: str
) -> None:
    rows = [{"by": "sex", "coverage": {"value": 0.1}}, {"by": None, "coverage": coverage}]
    write(run / "calibration.json", {"tasks": {"cell": {"abstention": learned}}, "test": {"cell": {"abstention": rows}}})
    assert told(run)[2].rpartition("specificity.")[2].strip() == expected


def test_without_probabilities_nothing_is_told(run: Path) -> None:
    path = run / "predictions.parquet"
    pd.read_parquet(path).drop(columns="probabilities").to_parquet(path)
    assert told(run)[2] == ""
