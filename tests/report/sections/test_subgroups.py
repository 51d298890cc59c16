"""Subgroups: the study's own columns, counted apart, with the largest gap among those with enough groups."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from drifa.report.answers import answers_of_all
from drifa.report.sections import subgroups
from drifa.report.study import telling_columns
from drifa.report.write import page_environment
from drifa.runs.files import RunFiles, read_run


def with_columns(run: Path, **columns: Any) -> RunFiles:
    """The run with a study whose table has these columns, a row per subject."""
    files = read_run(run)
    subjects = sorted(set(files.predictions["subject"]))  # type: ignore[index]
    table = pd.DataFrame({"subject": subjects, "modality": "m", "path": "", "group": "", "split": "test"})
    for name, values in columns.items():
        table[name] = [values[i % len(values)] for i in range(len(table))]
    return replace(files, study=SimpleNamespace(table=table, tasks={"cell": None}))  # type: ignore[arg-type]


def test_each_value_has_its_figure_and_the_counts_add_up(run: Path) -> None:
    files = with_columns(run, sex=["female", "male"])
    told = subgroups.record(files)
    assert told is not None
    assert [(table["task"], table["column"]) for table in told["tables"]] == [("skin_lesion", "sex"), ("cell", "sex")]
    for table in told["tables"]:
        each = answers_of_all(table["task"], files, "correct")
        assert each is not None
        assert sum(row["subjects"] for row in table["rows"]) == each["subject"].nunique()
        pooled = np.average([row["figure"] for row in table["rows"]], weights=[row["subjects"] for row in table["rows"]])
        assert pooled == pytest.approx(each["correct"].astype(float).mean())
        high, low = (pick(table["rows"], key=lambda row: row["figure"]) for pick in (max, min))
        assert table["gap"] is not None
        assert (table["gap"]["high"], table["gap"]["low"]) == (high["value"], low["value"])
        points = float(table["gap"]["size"].split()[0])
        assert points == pytest.approx(100 * (high["figure"] - low["figure"]), abs=0.051)
        below, above = map(float, table["gap"]["range"].split("\u2009–\u2009"))
        assert below < points < above


def test_numbers_become_bands_in_order_and_few_groups_no_gap(run: Path) -> None:
    files = with_columns(run, age=[str(5 + 6 * i) for i in range(15)])
    told = subgroups.record(files)
    assert told is not None
    rows = told["tables"][0]["rows"]
    assert [row["value"] for row in rows] == ["under 20", "20 to under 40", "40 to under 60", "60 to under 80", "80 and over"]
    few = with_columns(run, site=["A"] * 30 + ["B"])
    table = subgroups.record(few)["tables"][0]  # type: ignore[index]
    assert [row["few"] for row in table["rows"]] == [False, True]
    assert table["gap"] is None


def test_blank_is_not_known_and_one_value_is_no_comparison(run: Path) -> None:
    told = subgroups.record(with_columns(run, sex=["female", "", "male"]))
    assert told is not None
    assert "not known" in [row["value"] for row in told["tables"][0]["rows"]]
    assert subgroups.record(with_columns(run, sex=["female", ""])) is None
    assert subgroups.record(read_run(run)) is None


def test_only_columns_that_tell_people_or_machines_apart() -> None:
    names = ["sex", "patient_age", "Site", "scanner", "image", "page", "sexton", "cell", "localization"]
    study = SimpleNamespace(table=pd.DataFrame(columns=["subject", *names]), tasks={"cell": None})
    assert telling_columns(study) == ["sex", "patient_age", "Site", "scanner", "localization"]  # type: ignore[arg-type]


def test_no_gap_and_too_few_groups_are_said(run: Path) -> None:
    files = with_columns(run, sex=["female", "male"])
    assert files.predictions is not None
    even = replace(files, predictions=files.predictions.assign(correct=True))
    told = subgroups.record(even)
    page = page_environment().get_template("sections/subgroups.jinja")
    assert "No gap: all values of 20 groups or more have the same accuracy." in page.render(told)
    told = subgroups.record(with_columns(run, site=["A"] * 30 + ["B"]))
    assert "Fewer than two values have 20 groups: no gap can be told." in page.render(told)


def test_numbers_are_told_in_their_unit(numbers: Path) -> None:
    told = subgroups.record(with_columns(numbers, sex=["female", "male"]))
    assert told is not None
    assert told["tables"][0]["metric"] == "mean error"
    assert told["tables"][0]["rows"][0]["text"].endswith("years")
