"""The split that is kept must be the table's, and every fold must hold."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from drifa.data import Study, split, write_receipt
from drifa.data.audit.receipts import receipt_findings
from tests.data.audit.made import make


@pytest.fixture
def folded(tmp_path: Path) -> Study:
    """Four folds of a study in which one class has two groups only, with the receipt beside it."""
    study = make(tmp_path / "images", count=30, kind=["b" if number < 2 else "a" for number in range(30)])
    done, receipt = split(study, "kfold", seed=0, folds=4, fold=0)
    write_receipt(done, receipt, tmp_path)
    return done


def test_folds_that_lack_a_class_are_named_but_for_the_one_in_the_table(folded: Study, tmp_path: Path) -> None:
    found = list(receipt_findings(folded, tmp_path, []))
    assert {one.rule for one in found} == {"fold"}
    assert {one.data["fold"] for one in found} <= {1, 2, 3}
    assert all("b of kind in" in one.message for one in found)


def test_a_twin_that_another_fold_cuts_is_an_error(folded: Study, tmp_path: Path) -> None:
    sides = folded.table["split"]
    both = sides.index[sides == "train"][:12].tolist()
    found = [one for one in receipt_findings(folded, tmp_path, [both]) if one.severity == "error"]
    assert found
    assert "two splits" in found[0].message


def test_a_table_that_was_changed_after_its_receipt_is_told(folded: Study, tmp_path: Path) -> None:
    table = folded.table.copy()
    table.loc[table.index[table["split"] == "train"][0], "split"] = "unused"
    (one,) = receipt_findings(replace(folded, table=table), tmp_path, [])
    assert (one.rule, one.severity, one.data) == ("split_receipt", "warning", {"subjects": 1})


def test_without_a_split_or_a_receipt_there_is_nothing_to_say(folded: Study, tmp_path: Path) -> None:
    assert list(receipt_findings(folded, tmp_path / "images", [])) == []
    assert list(receipt_findings(replace(folded, table=folded.table.assign(split="")), tmp_path, [])) == []
