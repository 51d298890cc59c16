"""Subjects: one entry per id, whatever the order of the rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from drifa.data.study.schema import Task
from drifa.data.study.study import Study
from drifa.data.study.subjects import subject_codes, texts_of
from drifa.data.targets import ClassTarget
from tests.studies import class_indices


def test_subjects_do_not_depend_on_the_order_of_rows(study: Study) -> None:
    order = np.random.default_rng(0).permutation(len(study.table))
    shuffled = replace(study, table=study.table.iloc[order])
    one, other = study.subjects(), shuffled.subjects()
    for key in ("ids", "group", "split", "known", "strata", "present"):
        np.testing.assert_array_equal(getattr(one, key), getattr(other, key))
    rows = one.image >= 0
    assert (study.table["path"].to_numpy()[one.image[rows]] == shuffled.table["path"].to_numpy()[other.image[rows]]).all()


def test_subjects_hold_rows_and_labels(study: Study) -> None:
    subjects = study.subjects()
    assert (subjects.modalities, subjects.tasks, len(subjects)) == (("photo", "scan"), ("kind",), 8)
    assert subjects.image.tolist() == [[n, n + 8 if n < 5 else -1] for n in range(8)]
    assert class_indices(subjects)[:, 0].tolist() == [0, 1, 0, 1, 0, 1, 0, -1]
    assert subjects.present.sum() == len(study.table)


def test_a_label_counts_only_where_one_of_its_modalities_is_present(study: Study) -> None:
    asked = replace(study, tasks={"kind": Task("kind", ClassTarget(("1", "01")), ("scan",))})
    assert class_indices(asked.subjects())[:, 0].tolist() == [0, 1, 0, 1, 0, -1, -1, -1]


def test_the_pattern_is_the_set_of_modalities_as_bits(study: Study) -> None:
    subjects = study.subjects()
    assert subjects.pattern.tolist() == [3] * 5 + [1] * 3
    assert study.select(["scan", "photo"]).subjects().pattern.tolist() == [3] * 5 + [2] * 3


def test_one_text_per_subject_is_found_on_any_of_its_rows() -> None:
    table = pd.DataFrame({"subject": ["b", "a", "b", "c"], "text": ["", "x", "y", ""]})
    codes, ids = subject_codes(table)
    assert (codes.tolist(), ids.tolist()) == ([1, 0, 1, 2], ["a", "b", "c"])
    assert texts_of(table["text"], codes, len(ids)).tolist() == ["x", "y", ""]


def test_splits_are_told_per_subject_in_order(study: Study) -> None:
    side = study.table["subject"].map({"s2": "val", "s7": "val"}).fillna("train")
    subjects = replace(study, table=study.table.assign(split=side, group="")).subjects()
    assert subjects.in_split("val").tolist() == [2, 7]
    assert subjects.in_split("train").tolist() == [0, 1, 3, 4, 5, 6]
    assert subjects.in_split("test").tolist() == []
