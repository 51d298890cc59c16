"""Missing modalities: a row per subset, in the metrics of the kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from drifa.report.sections import subsets
from drifa.runs.files import read_run
from tests.report.other_runs import edit
from tests.report_page import report


def test_the_cost_of_missing_modalities_is_told_where_it_was_measured(run: Path) -> None:
    def measured(evaluation: dict[str, Any]) -> None:
        cell = {"accuracy": {"value": 0.4321, "low": 0.4, "high": 0.5}, "auc": {"value": None, "low": None, "high": None}}
        evaluation["subsets"] = {
            "cell": {"a": {"count": 1234, **cell}, "a+b": {"count": 1234, **cell}},
            "skin_lesion": {"a": cell},
        }

    page = report(run)
    assert "subsets" not in page.text
    edit(run / "evaluation.json", measured)
    page = report(run)
    assert page.has("subsets", "cell, from every subset")
    assert page.has("subsets", "43.2\u00a0%")
    assert not page.has("subsets", "skin_lesion")
    assert page.has("scope", "under Missing modalities")


def test_the_largest_subset_comes_first_and_a_number_keeps_its_unit(numbers: Path) -> None:
    def measure(evaluation: dict[str, Any]) -> None:
        alone, both = ({"count": 120, "mae": {"value": value, "low": None, "high": None}} for value in (8.25, 4.5))
        evaluation["subsets"] = {"age": {"t1": alone, "t2": alone, "t1+t2": both}}

    edit(numbers / "evaluation.json", measure)
    record = subsets.record(read_run(numbers))
    assert record is not None
    (table,) = record["tasks"]
    assert [row["subset"] for row in table["rows"]] == ["t1+t2", "t1", "t2"]
    assert table["columns"][:2] == ["Subjects", "Mean error"]
    assert [row["cells"][1]["text"] for row in table["rows"]] == ["4.5\u00a0years", "8.2\u00a0years", "8.2\u00a0years"]


def test_regions_have_a_column_each(volumes: Path) -> None:
    record = subsets.record(read_run(volumes))
    assert record is not None
    assert record["tasks"][0]["columns"] == ["Dice, WT", "Dice, TC"]
    assert [row["subset"] for row in record["tasks"][0]["rows"]] == ["flair+t1", "flair", "t1"]
