"""Decision curves: a figure of the rarest class per task of classes, the others folded, with the numbers of all."""

from __future__ import annotations

import csv
from pathlib import Path
from urllib.parse import unquote

import pandas as pd

from drifa.report.answers import class_answers
from drifa.report.judged import judged_tasks
from drifa.report.sections import decisions
from drifa.runs.files import read_run
from tests.report_page import report


def test_the_rarest_class_leads_and_the_data_has_all(run: Path) -> None:
    files = read_run(run)
    told = decisions.record(files)
    assert told is not None
    page = report(run)
    links = {str(a["download"]): str(a["href"]) for tag, a in page.tags if tag == "a" and "download" in a}
    for task, shown in zip(judged_tasks(files, "classes"), told["tasks"], strict=True):
        answers = class_answers(task.name, task.classes, files)
        assert answers is not None
        counts = answers[0]["label"].value_counts()
        assert shown["rarest"]["images"] == counts.min()
        assert {row["class"] for row in (shown["rarest"], *shown["others"])} == set(counts.index)
        for row in (shown["rarest"], *shown["others"]):
            name = "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in row["class"])
            text = unquote(links[f"{task.name}-{name}-net-benefit.csv"].partition(",")[2])
            rows = list(csv.DictReader(text.splitlines()))
            assert len(rows) == 99
            assert all(float(row["low"]) <= float(row["model"]) <= float(row["high"]) for row in rows[::7])
        assert page.has("decisions", f"{task.name}: net benefit (upright)")


def test_a_run_without_probabilities_has_none(run: Path, numbers: Path) -> None:
    path = run / "predictions.parquet"
    pd.read_parquet(path).drop(columns="probabilities").to_parquet(path)
    assert decisions.record(read_run(run)) is decisions.record(read_run(numbers)) is None
