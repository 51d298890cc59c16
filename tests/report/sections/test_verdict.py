"""The first screen: alarms first, then a sentence and the headline of each task in its most thorough mode."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from drifa.report.sections import verdict
from drifa.report.words import written
from drifa.runs.files import read_run
from drifa.uncertainty.modes import MODE_NAMES
from tests.report.other_runs import edit
from tests.report_page import report


@pytest.mark.parametrize(
    ("modes", "best"),
    [
        (("deterministic", "mc", "ensemble", "ensemble_mc"), "ensemble_mc"),
        (("deterministic", "mc", "ensemble"), "ensemble"),
        (("mc", "deterministic"), "mc"),
        (("deterministic",), "deterministic"),
    ],
)
def test_the_headline_is_of_the_most_thorough_mode(
    tmp_path: Path, make_run: Callable[..., Path], modes: tuple[str, ...], best: str
) -> None:
    run = make_run(tmp_path, members=2, modes=modes, count=30, epochs=2, resamples=5)
    page = report(run)
    assert page.has("summary", f"{MODE_NAMES[best]}: ")
    for of_task in json.loads((run / "metrics.json").read_text()).values():
        accuracy = of_task[best]["accuracy"]
        assert written("accuracy", accuracy)["text"] in page.text["summary"]


def test_leaks_and_external_validation_raise_an_alarm(run: Path) -> None:
    quiet = report(run)
    assert quiet.has("data", "0 groups in two splits")
    assert 'class="alarm"' not in quiet.source
    edit(
        run / "split_receipt.json",
        lambda receipt: receipt.update(groups_in_two_splits=641, classes_missing=["bcc of skin_lesion in val"]),
    )
    edit(run / "evaluation.json", lambda evaluation: evaluation.update(study="Other hospital"))
    page = report(run)
    assert page.has("summary", "641 groups are in more than one split")
    assert page.has("data", "Not disjoint")
    assert page.has("data", "bcc of skin_lesion in val")
    assert page.has("summary", "judged on Other hospital")


def test_a_number_has_its_headline_unit_and_floor(numbers: Path) -> None:
    page = report(numbers)
    metrics = json.loads((numbers / "metrics.json").read_text())["age"]["ensemble_mc"]
    for name in ("mae", "r2", "pearson", "coverage_90"):
        assert page.has("summary", written(name, metrics[name], "number", "years")["text"])
    assert page.has("summary", "always answering the mean of the training set would be off by 9.9\u00a0years.")
    assert not page.has("summary", "Each volume is judged")


def test_a_bar_is_for_what_lies_between_0_and_1_by_its_nature(numbers: Path) -> None:
    def small(metrics: dict[str, Any]) -> None:
        metrics["age"]["ensemble_mc"].update(mae={"value": 0.5, "low": 0.4, "high": 0.6})

    edit(numbers / "metrics.json", small)
    (task,) = verdict.record(read_run(numbers))["tasks"]
    assert [card["label"] for card in task["cards"] if card["bar"]] == ["Truth within the stated 90\u00a0%"]


def test_tasks_of_several_kinds_share_one_summary(mixed: Path) -> None:
    tasks = verdict.record(read_run(mixed))["tasks"]
    assert [(task["name"], task["cards"][0]["label"]) for task in tasks] == [
        ("skin_lesion", "Accuracy"),
        ("cell", "Accuracy"),
        ("age", "Mean error"),
    ]


def test_each_region_has_a_card(volumes: Path) -> None:
    (task,) = verdict.record(read_run(volumes))["tasks"]
    assert [card["label"] for card in task["cards"]] == ["Dice, WT", "Dice, TC"]
    assert report(volumes).has("summary", "Each volume is judged as a whole")
