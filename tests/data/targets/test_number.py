"""Numbers as a column holds them: what is read, and what is refused with its row, value, task and remedy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from drifa.data import prepare
from drifa.data.targets import ClassTarget, NumberTarget, target_type
from drifa.errors import DrifaError

YEARS = NumberTarget("years")


@pytest.mark.parametrize("text", ["45", "45.5", "-3", "+.5", "1e3", "2.", "1E-3", " 45 "])
def test_numbers_are_read_as_python_reads_them(text: str) -> None:
    YEARS.check_column("years", pd.Series([text, ""]), "study.csv")
    assert YEARS.read(np.array([text], dtype=object)).tolist() == [float(text)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("45,5", "has a comma; write a decimal point"),
        ("1,234.5", "has a comma"),
        ("45 years", "has more than the number in it"),
        ("45y", "has more than the number in it"),
        ("nan", "is not finite"),
        ("-inf", "is not finite"),
        ("1e999", "is not finite"),
        ("unknown", "is no number"),
        ("  ", "is no number"),
        ("1_000", "has more than the number in it"),
        ("٤٥", "is no number"),
    ],
)
def test_what_is_no_number_is_named_with_its_row_task_and_remedy(text: str, words: str) -> None:
    with pytest.raises(DrifaError) as caught:
        YEARS.check_column("years", pd.Series(["50", text, "60", text]), "study.csv")
    message = str(caught.value)
    assert message.startswith(f"value {text!r} of task 'years' in row 3 of study.csv {words}")
    assert "2 of 4 values are numbers" in message
    if text.strip():
        with pytest.raises(DrifaError, match=r"row 7 of ages.csv"):
            NumberTarget.from_table("years", {}, ["50.0", text], [6, 7], "ages.csv")


def test_a_column_of_decimal_commas_is_a_column_of_numbers() -> None:
    assert NumberTarget.from_table("years", {}, ["4,5", "", " 12 "], [2, 3, 4], "ages.csv")[1] == ["4.5", "", "12"]


def test_quarters_are_balanced_and_equal_numbers_stay_together() -> None:
    values = np.array([10.0, 20, 30, 40, 50, 60, 70, 80, np.nan])
    known = np.isfinite(values)
    assert YEARS.strata(values, known).tolist() == [0, 0, 1, 1, 2, 2, 3, 3, -1]
    assert len(set(YEARS.strata(np.full(5, 7.0), np.ones(5, dtype=bool)))) == 1
    assert (YEARS.strata(values, np.zeros(9, dtype=bool)) == -1).all()


def test_another_study_must_have_the_same_unit() -> None:
    values = np.array([1.0, 2.0])
    assert YEARS.translated(NumberTarget("years"), values, "age", "b") is values
    with pytest.raises(DrifaError, match=r"task 'age' has the unit 'months' in study 'b' and 'years' in the run"):
        YEARS.translated(NumberTarget("months"), values, "age", "b")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"kind": "numbers", "modalities": []}, r"unknown kind 'numbers' \(did you mean 'number'"),
        ({"kind": "number", "classes": ["a", "b"]}, "is of the kind number and has classes"),
        ({"unit": "years"}, "add 'kind: number'"),
        ({"classes": ["a", "b"], "unit": "years"}, "is of the kind classes and has unit"),
        ({"classes": ["a", "b"], "regions": {"x": [1]}}, "has both classes and regions"),
    ],
)
def test_a_declaration_of_no_kind_or_of_two_is_refused(spec: dict[str, object], message: str) -> None:
    with pytest.raises(DrifaError, match=message):
        target_type(spec, "task 't' of study.yaml")


def test_without_a_kind_a_task_is_what_its_keys_say() -> None:
    assert target_type({"classes": ["a", "b"]}, "t") is ClassTarget
    assert target_type({"kind": "number"}, "t") is NumberTarget


def test_a_table_of_ones_own_declares_a_number(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        Image.new("L", (32, 32)).save(tmp_path / f"{name}.png")
    (tmp_path / "ages.csv").write_text("id,file,age\na,a.png, 61 \nb,b.png,\nc,c.png,48.5\n")
    mapping = "table: ages.csv\nname: ages\nsubject: id\nmodalities: {photo: {path: file, channels: 1}}\ntasks: {years: %s}\n"
    (tmp_path / "map.yaml").write_text(mapping % "{column: age, kind: number, unit: years}")
    study = prepare("table", tmp_path / "map.yaml", tmp_path / "study")
    assert study.tasks["years"].target == YEARS
    subjects = study.subjects()
    assert subjects.targets["years"][subjects.known_of("years")].tolist() == [61.0, 48.5]
    (tmp_path / "ages.csv").write_text("id,file,age\na,a.png,61\nb,b.png,\nc,c.png,48 y\n")
    with pytest.raises(DrifaError, match=r"value '48 y' of task 'years' in row 4 of ages.csv"):
        prepare("table", tmp_path / "map.yaml", tmp_path / "other")
    assert not (tmp_path / "other").exists()
