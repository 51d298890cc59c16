"""All figures: every metric of every kind, under its name, in its unit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from drifa.report.sections import metrics
from drifa.report.words import written
from drifa.runs.files import read_run
from tests.report.other_runs import edit
from tests.report_page import report


def test_every_number_of_metrics_json_is_there(run: Path) -> None:
    page = report(run)
    told = page.text["metrics"] + page.text["partners"]
    for modes in json.loads((run / "metrics.json").read_text()).values():
        for of_mode in modes.values():
            for name, interval in of_mode.items():
                shown = written(name, interval)
                assert name in told
                assert shown["text"] in told
                assert shown["range"] in told


def test_nulls_and_unknown_metrics_are_shown(run: Path) -> None:
    def change(metrics: dict[str, Any]) -> None:
        metrics["cell"]["ensemble_mc"].update(
            error_auroc={"value": None, "low": None, "high": None},
            accuracy=None,
            dice_mean={"value": 0.87654, "low": None, "high": None},
        )

    edit(run / "metrics.json", change)
    page = report(run)
    assert page.has("metrics", "Dice mean")
    assert page.has("metrics", "0.877")


@pytest.mark.parametrize("unit", ["years", "<ml>", ""])
def test_every_metric_of_a_number_is_there_in_its_unit(numbers: Path, unit: str) -> None:
    edit(numbers / "evaluation.json", lambda evaluation: evaluation["tasks"]["age"].update(unit=unit))
    page = report(numbers)
    for of_mode in json.loads((numbers / "metrics.json").read_text())["age"].values():
        for name, interval in of_mode.items():
            shown = written(name, interval, "number", unit)
            assert name in page.text["metrics"]
            assert shown["text"] in page.text["metrics"]
            assert shown["range"] in page.text["metrics"]
            assert shown["text"].endswith(f"\u00a0{unit}") == (name in ("mae", "rmse", "mae_at_80") and bool(unit))


def test_a_name_means_what_its_kind_says(mixed: Path) -> None:
    record = metrics.record(read_run(mixed))
    meanings = {
        task["name"]: row["words"].meaning
        for task in record["tasks"]
        for group in task["groups"]
        for row in group["rows"]
        if row["key"] == "nll"
    }
    assert "probability given to the truth" in meanings["cell"]
    assert "density given to the truth" in meanings["age"]


def test_partners_have_a_section_of_their_own(mixed: Path) -> None:
    assert "alone" not in report(mixed).text["metrics"]


def test_regions_are_told_one_by_one(volumes: Path) -> None:
    (task,) = metrics.record(read_run(volumes))["tasks"]
    assert [group["title"] for group in task["groups"]] == ["WT", "TC"]
    assert all(row["key"].endswith(f"_{group['title']}") for group in task["groups"] for row in group["rows"])


def test_a_rank_without_an_interval_says_why(run: Path) -> None:
    def change(metrics: dict[str, Any]) -> None:
        metrics["cell"]["ensemble_mc"]["auc"] = {"value": 1.0, "low": None, "high": None}

    edit(run / "metrics.json", change)
    assert report(run).has("metrics", "no interval: no resample ranks otherwise")
