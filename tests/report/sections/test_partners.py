"""Partners: told only where there are some, beside the same figures with them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pandas as pd

from drifa.report.sections import partners
from drifa.runs.files import read_run
from tests.report.other_runs import edit
from tests.report_page import report


def test_a_paired_study_has_no_words_about_partners(run: Path) -> None:
    def drop(metrics: dict[str, Any]) -> None:
        for modes in metrics.values():
            for of_mode in modes.values():
                for name in ("accuracy_alone", "balanced_accuracy_alone", "partner_flip_rate"):
                    of_mode.pop(name, None)

    edit(run / "metrics.json", drop)
    edit(run / "evaluation.json", lambda evaluation: evaluation.update(partners=0))
    frame = pd.read_parquet(run / "predictions.parquet").assign(condition="paired", flip_rate=float("nan"))
    frame.to_parquet(run / "predictions.parquet")
    page = report(run)
    assert "partners" not in page.text
    assert not page.has("scope", "another patient")
    assert re.search(r"cell_\d{4}", page.text["cases"])


def test_each_figure_alone_stands_behind_the_same_with_partners(mixed: Path) -> None:
    record = partners.record(read_run(mixed))
    assert record is not None
    keys = {task["name"]: [row["key"] for row in task["rows"]] for task in record["tasks"]}
    assert keys["age"] == ["mae", "mae_alone"]
    assert keys["cell"][:3] == ["accuracy", "balanced_accuracy", "accuracy_alone"]


def test_answers_are_changed_and_numbers_are_moved(mixed: Path) -> None:
    page = report(mixed)
    assert page.has("partners", "at least one partner changed the answer for 12 of 120 images (10.0\u00a0%)")
    assert page.has("partners", "7.8\u00a0years")
    assert page.has("partners", "the answer moves by 1.5\u00a0years")


def test_a_paired_number_has_no_words_about_partners(numbers: Path, volumes: Path) -> None:
    assert partners.record(read_run(numbers)) is partners.record(read_run(volumes)) is None
