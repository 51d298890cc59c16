"""Numbers that stand for a missing one are named; the same numbers among their like are not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from drifa.data.adapters.prepare import prepare
from drifa.data.audit import audit
from drifa.data.audit.codes import CODES, code_findings
from drifa.data.study.schema import Modality, Task
from drifa.data.study.study import Study
from drifa.data.targets import ClassTarget, NumberTarget
from tests.data.audit.made import make, only

AGES = ["18", "34", "47", "51", "66", "72", "80", "90"]


def with_column(values: Sequence[str], groups: Sequence[str] | None = None) -> Study:
    """A study of one image for each value of its column `age`."""
    names = [f"{number:03d}" for number in range(len(values))]
    table = pd.DataFrame({"subject": names, "modality": "photo", "path": [f"{name}.png" for name in names]})
    table = table.assign(group=groups or names, split="", kind=["ab"[number % 2] for number in range(len(names))])
    tasks = {"kind": Task("kind", ClassTarget(("a", "b")), ("photo",))}
    return Study("ages", Path("ages"), table.assign(age=list(values)), {"photo": Modality("photo")}, tasks)


def found(study: Study) -> dict[str, int]:
    """Subjects by code of the one finding on the column `age`; empty without one."""
    counts = [one.data["counts"] for one in code_findings(study)]
    assert len(counts) <= 1
    return counts[0] if counts else {}


@pytest.mark.parametrize("code", [code for code in CODES if code != 99])
@pytest.mark.parametrize("written", ["{:g}", "{:.1f}", " {:g} "])
def test_a_code_beside_ages_is_named_with_column_value_and_count(code: float, written: str) -> None:
    study = with_column([*AGES, *[written.format(code)] * 3, "", "NA"])
    (one,) = code_findings(study)
    assert (one.severity, one.rule, one.count) == ("warning", "missing_code", 3)
    assert one.files == ("008.png", "009.png", "010.png")
    assert one.message == f"column 'age' holds {code:g} for 3 subjects, where all other numbers lie from 18 to 90"
    assert "leave the cell empty" in one.remedy
    assert one.data == {"column": "age", "counts": {f"{code:g}": 3}}


def test_all_codes_of_a_column_stand_in_one_finding() -> None:
    assert found(with_column([*AGES, "-1", "-1", "999", "999", "999"])) == {"-1": 2, "999": 3}


@pytest.mark.parametrize(
    "others",
    [
        ["20", "45", "70", "97", "98", "99"],  # old people
        ["5", "250", "700", "998", "1000", "2000"],  # a count that goes through 999
        ["3", "60", "200", "450", "600", "800"],  # a laboratory value near 999, of a wide range
        ["-60", "-20", "-3", "0", "4", "12"],  # a temperature below 0
    ],
)
def test_a_number_among_its_like_is_no_code(others: list[str]) -> None:
    low, high = float(others[0]), 2 * float(others[-1])
    inside = [f"{code:g}" for code in CODES if low <= code <= high]
    assert inside
    assert not found(with_column([*others, *inside * 3]))


def test_99_is_a_code_for_children_and_an_age_for_others() -> None:
    assert found(with_column(["0", "3", "8", "12", "17", "99", "99"])) == {"99": 2}
    assert not found(with_column([*AGES, "99", "99"]))


def test_grades_from_minus_one_are_grades_and_a_longer_scale_has_none() -> None:
    assert not found(with_column(["-1", "0", "1"] * 6))
    assert found(with_column(["-1", "0", "1", "2", "3", "4"] * 3)) == {"-1": 3}


def test_once_is_a_slip_and_one_patient_is_once() -> None:
    assert not found(with_column([*AGES, "999"]))
    values = [*AGES, "999", "999", "999"]
    assert not found(with_column(values, groups=[*map(str, range(len(AGES))), "p", "p", "p"]))
    assert found(with_column(values, groups=[*map(str, range(len(AGES))), "p", "p", "q"])) == {"999": 3}


def test_of_few_other_numbers_nothing_is_said() -> None:
    assert not found(with_column(["999"] * 6 + AGES[:4]))
    assert not found(with_column(["999"] * 6))


def test_columns_of_words_and_the_labels_of_classes_have_no_codes() -> None:
    assert not found(with_column([*AGES, "-1", "-1", "old"]))
    labels = with_column(AGES)
    table = labels.table.assign(kind=["12", "20", "30", "40", "50", "60", "-1", "-1"])
    tasks = {"kind": Task("kind", ClassTarget(("12", "20", "30", "40", "50", "60", "-1")), ("photo",))}
    assert not found(replace(labels, table=table, tasks=tasks))


def test_tasks_of_numbers_columns_of_modalities_and_decimal_commas_are_looked_through() -> None:
    study = with_column([*AGES, "-9", "-9"])
    years = Task("age", NumberTarget("years"), ("photo",))
    assert found(replace(study, tasks={**study.tasks, "age": years})) == {"-9": 2}
    rows = study.table.assign(modality="metadata", path="")
    modalities = {**study.modalities, "metadata": Modality("metadata", columns=("age",))}
    both = replace(study, table=pd.concat([study.table, rows], ignore_index=True), modalities=modalities)
    (one,) = code_findings(both)
    assert (one.data["counts"], one.count) == ({"-9": 2}, 2)
    assert found(with_column([*(f"{age},5" for age in AGES), "-9,0", "-9,0"])) == {"-9": 2}


def test_numbers_of_a_parquet_table_are_read_as_those_of_text() -> None:
    study = with_column([*AGES, "999", "999", ""])
    values = pd.to_numeric(study.table["age"])
    assert found(replace(study, table=study.table.assign(age=values))) == {"999": 2}


def test_the_audit_tells_it(tmp_path: Path) -> None:
    ages = [str(20 + number) for number in range(10)] + ["-1", "-1"]
    assert only(audit(make(tmp_path / "made", 12, age=ages)), "missing_code").data["counts"] == {"-1": 2}


def test_phantoms_have_none(phantom: Study, study: Study) -> None:
    assert not list(code_findings(phantom))
    assert not list(code_findings(study))


@pytest.mark.parametrize("name", ["ham10000", "iqothnccd"])
def test_columns_of_real_sets_have_none_until_ages_are_coded(real: Callable[[str], Path], tmp_path: Path, name: str) -> None:
    study = prepare(name, real(name), tmp_path / "study")
    assert not list(code_findings(study))
    if "age" in study.table:
        coded = study.table["age"].astype(str).replace({"": "999", "nan": "999"})
        count = study.table.loc[coded == "999", "subject"].nunique()
        coded = coded.where(~study.table["subject"].isin(study.table["subject"].unique()[:5]), "999")
        assert found(replace(study, table=study.table.assign(age=coded)))["999"] >= max(count, 5)
