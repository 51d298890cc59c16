"""Every fault of a study's table is named with its row and its remedy, and what is no fault is kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from drifa.data.study.study import Study
from drifa.errors import DrifaError


def _set(row: int, column: str, value: str) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def change(table: pd.DataFrame) -> pd.DataFrame:
        table.loc[row, column] = value
        return table

    return change


FAULTS: dict[str, tuple[Callable[[pd.DataFrame], pd.DataFrame], str]] = {
    "missing column": (lambda t: t.rename(columns={"group": "groups"}), r"no column 'group' \(did you mean 'groups'\?\)"),
    "no task column": (lambda t: t.drop(columns="kind"), "no column 'kind'"),
    "no rows": (lambda t: t.iloc[:0], "has no rows"),
    "no subject": (_set(2, "subject", ""), "row 4 of study.csv has no subject"),
    "second image": (_set(1, "subject", "s0"), "subject 's0' has a second image of one modality in row 3 of study.csv"),
    "modality": (_set(3, "modality", "foto"), r"unknown modality 'foto' in row 5 of study.csv \(did you mean 'photo'\?\)"),
    "no such modality": (lambda t: t[t["modality"] == "photo"], "modality 'scan' has no images"),
    "label": (
        _set(4, "kind", "011"),
        r"label '011' in row 6 of study.csv is not a class of task 'kind' \(did you mean '01'\?\)",
    ),
    "class unused": (lambda t: t.assign(kind="1"), "class '01' of task 'kind' has no images"),
    "two labels": (_set(8, "kind", "01"), "subject 's0' has another label of task 'kind' in row 10 of study.csv"),
    "two groups": (_set(9, "group", "p0"), "subject 's1' is in another group in row 11 of study.csv"),
    "two splits": (_set(9, "split", "test"), "subject 's1' is in another split in row 11 of study.csv"),
    "cut group": (_set(5, "split", "val"), "group 'p4' in row 7 of study.csv is in two splits"),
    "split": (_set(5, "split", "trian"), r"unknown split 'trian' in row 7 of study.csv \(did you mean 'train'\?\)"),
    "rounded": (_set(9, "group", "1.23457E+08"), "group '1.23457E\\+08' in row 11 of study.csv .* export the column as text"),
    "one giant patient": (
        lambda t: t.assign(group=t["group"].replace({"p1": "NA", "p2": "NA"})),
        "group 'NA' in row 3 of study.csv is a word for a missing value.*one patient of several subjects; empty the cells",
    ),
    "no path": (_set(6, "path", ""), "row 8 of study.csv has no path"),
    "absolute path": (_set(6, "path", "/etc/passwd"), "path '/etc/passwd' in row 8 of study.csv leaves"),
    "path upwards": (_set(6, "path", "a/../../b.png"), "path 'a/../../b.png' in row 8 of study.csv leaves"),
    "drive": (_set(6, "path", "C:/b.png"), "path 'C:/b.png' in row 8 of study.csv leaves"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_of_the_table_is_named_with_row_and_remedy(study: Study, tmp_path: Path, fault: str) -> None:
    change, message = FAULTS[fault]
    study.save(tmp_path)
    change(study.table.copy()).to_csv(tmp_path / "study.csv", index=False)
    with pytest.raises(DrifaError, match=message):
        Study.load(tmp_path)


@pytest.mark.parametrize("kind", ["object", "string", "category", "str"])
def test_a_text_is_the_same_whatever_the_type_of_its_column(study: Study, kind: str) -> None:
    table = study.table.copy()
    for name in ("subject", "group", "kind"):
        table[name] = table[name].where(table[name] != "", None).astype(object).astype(kind)
    pd.testing.assert_frame_equal(replace(study, table=table).table, study.table, check_dtype=False)


def test_an_id_is_one_however_it_is_spelled(study: Study) -> None:
    ids = {"p0": ("12", "12.0"), "p1": ("\u00e9", "e\u0301"), "p2": ("a b", " a\u00a0b"), "p3": ("007", "\ufeff007")}
    ids |= {"p4": ("7", "7"), "p5": ("8", "8.0")}
    first = study.table["modality"] == "photo"
    group = study.table["group"].map({key: pair[0] for key, pair in ids.items()})
    other = study.table["group"].map({key: pair[1] for key, pair in ids.items()})
    spelled = replace(study, table=study.table.assign(group=group.where(first, other)))
    assert spelled.table["group"].tolist() == group.tolist()
    subject = study.table["subject"].where(first, study.table["subject"] + "\u200b")
    assert (
        replace(study, table=study.table.assign(subject=subject)).table["subject"].tolist() == study.table["subject"].tolist()
    )


def test_a_label_is_one_of_the_classes_however_it_is_spelled(study: Study) -> None:
    table = study.table.assign(kind=study.table["kind"].replace({"1": "1.0", "01": " 01"}))
    assert replace(study, table=table).table["kind"].tolist() == study.table["kind"].tolist()


def test_one_subject_may_be_called_anything(study: Study) -> None:
    table = study.table.assign(group=study.table["group"].replace({"p1": "NA"}))
    assert "NA" in replace(study, table=table).table["group"].tolist()


def test_further_rows_with_the_same_fault_are_counted(study: Study) -> None:
    with pytest.raises(DrifaError, match="12 more such rows"):
        replace(study, table=study.table.assign(split="training"))


def test_the_paper_protocol_may_cut_groups(study: Study) -> None:
    table = study.table.copy()
    table.loc[table["subject"] == "s5", "split"] = "val"
    with pytest.raises(DrifaError, match="group 'p4'"):
        replace(study, table=table)
    assert (replace(study, table=table, split_protocol="paper").subjects().split == "val").sum() == 1


def test_an_empty_group_means_the_subject_itself(study: Study) -> None:
    table = study.table.assign(group="")
    assert replace(study, table=table).table["group"].tolist() == table["subject"].tolist()
