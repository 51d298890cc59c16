"""Curves: two figures per task of classes, with their data, where probabilities were recorded."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from drifa.report.sections import curves
from drifa.runs.files import read_run
from tests.report_page import report


def test_each_task_has_its_two_figures_with_data(run: Path) -> None:
    told = curves.record(read_run(run))
    assert told is not None
    assert [task["name"] for task in told["tasks"]] == ["skin_lesion", "cell"]
    page = report(run)
    assert page.has("curves", "average precision")
    names = [attributes["download"] for tag, attributes in page.tags if tag == "a" and "download" in attributes]
    assert {"cell-roc.csv", "cell-precision-recall.csv"} <= set(names)
    assert len(names) == len(set(names))
    assert "AUC" in told["tasks"][1]["roc"]
    assert [task["roc"].count("polygon") for task in told["tasks"]] == [1, 3]  # of five classes that of the worst
    assert "low%2Chigh" in told["tasks"][0]["roc_data"]


def test_a_run_without_probabilities_has_none(run: Path, numbers: Path) -> None:
    path = run / "predictions.parquet"
    pd.read_parquet(path).drop(columns="probabilities").to_parquet(path)
    assert curves.record(read_run(run)) is curves.record(read_run(numbers)) is None
