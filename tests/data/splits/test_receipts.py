"""A receipt proves what a split did, and the files beside it repeat the split."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from drifa.data.splits.receipts import make_receipt
from drifa.data.splits.split import apply_split, read_split, split, write_receipt
from drifa.data.study.study import SPLITS, Study
from drifa.errors import DrifaError
from tests.data.splits.made import grouped, made_study, published, sides_of


def test_what_is_set_aside_survives_files_and_is_used_by_nobody(tmp_path: Path) -> None:
    study = published(grouped())
    made, receipt = split(study, "official")
    write_receipt(made, receipt, tmp_path)
    made.save(tmp_path)
    assert sides_of(Study.load(tmp_path)) == sides_of(apply_split(study, tmp_path)) == sides_of(made)
    assert split(Study.load(tmp_path), "given")[1]["sha256"] == receipt["sha256"]
    subjects = made.subjects()
    used = np.concatenate([subjects.in_split(name) for name in SPLITS])
    assert len(used) == len(subjects) - receipt["unused"]


def test_the_receipt_says_what_a_group_is(phantom: Study, tmp_path: Path) -> None:
    told = replace(phantom, group_meaning="near-duplicate cluster")
    assert split(told)[1]["group_meaning"] == "near-duplicate cluster"
    told.save(tmp_path)
    assert Study.load(tmp_path).group_meaning == "near-duplicate cluster"


def test_a_receipt_of_the_first_format_is_still_read(phantom: Study, tmp_path: Path) -> None:
    made, receipt = split(phantom)
    older = {key: receipt[key] for key in ("protocol", "seed", "fractions", "groups_in_two_splits", "sha256")}
    write_receipt(made, {"drifa_split": 1, **older}, tmp_path)
    assert sides_of(apply_split(phantom, tmp_path)) == sides_of(made)


def test_a_given_split_is_kept_and_counted(phantom: Study) -> None:
    made, receipt = split(phantom)
    kept, counted = split(made, "given")
    assert sides_of(kept) == sides_of(made)
    assert counted["sha256"] == receipt["sha256"]
    assert (counted["protocol"], counted["seed"], counted["fractions"]) == ("given", None, None)


def test_the_hash_depends_on_the_split_alone(phantom: Study) -> None:
    made, receipt = split(phantom)
    assert split(replace(made, name="renamed", notes="other"), "given")[1]["sha256"] == receipt["sha256"]
    table = made.table.copy()
    group = table["group"].iloc[0]
    table.loc[table["group"] == group, "split"] = "test" if table["split"].iloc[0] != "test" else "val"
    assert split(replace(made, table=table), "given")[1]["sha256"] != receipt["sha256"]


@pytest.mark.parametrize("protocol", ["strict", "paper"])
def test_a_saved_split_is_applied_again(phantom: Study, tmp_path: Path, protocol: str) -> None:
    made, receipt = split(phantom, protocol)
    write_receipt(made, receipt, tmp_path)
    assert read_split(tmp_path)[1] == receipt
    for place in (tmp_path, tmp_path / "split.csv"):
        repeated = apply_split(phantom, place)
        assert sides_of(repeated) == sides_of(made)
        assert repeated.split_protocol == protocol
    made.save(tmp_path)
    assert sides_of(Study.load(tmp_path)) == sides_of(made)


def test_a_split_of_other_subjects_is_refused(phantom: Study, unpaired: Study, tmp_path: Path) -> None:
    made, receipt = split(phantom)
    write_receipt(made, receipt, tmp_path)
    fewer = replace(phantom, table=phantom.table[phantom.table["subject"] != "S00003"])
    with pytest.raises(DrifaError, match=r"1 subject of split.csv not in the study, such as 'S00003'"):
        apply_split(fewer, tmp_path)
    renamed = replace(phantom, table=phantom.table.replace({"subject": {"S00003": "X"}}))
    with pytest.raises(DrifaError, match=r"1 subject is not in split.csv, such as 'X'"):
        apply_split(renamed, tmp_path)


def test_a_split_that_cuts_newly_known_groups_is_refused_unless_it_is_the_papers(phantom: Study, tmp_path: Path) -> None:
    for protocol in ("strict", "paper"):
        made, receipt = split(phantom, protocol)
        write_receipt(made, receipt, tmp_path / protocol)
    regrouped = replace(phantom, table=phantom.table.assign(group="one"))
    with pytest.raises(DrifaError, match=r"1 group is in two splits of .*, such as 'one'"):
        apply_split(regrouped, tmp_path / "strict")
    assert apply_split(regrouped, tmp_path / "paper").split_protocol == "paper"


def test_a_changed_split_file_is_noticed(phantom: Study, tmp_path: Path) -> None:
    made, receipt = split(phantom)
    path = write_receipt(made, receipt, tmp_path) / "split.csv"
    path.write_text(path.read_text().replace("val", "train", 1))
    with pytest.raises(DrifaError, match=r"was changed after split_receipt.json was written"):
        apply_split(phantom, tmp_path)
    (tmp_path / "split_receipt.json").unlink()
    with pytest.raises(DrifaError, match=r"split_receipt.json is missing"):
        read_split(tmp_path)


def test_a_receipt_counts_what_it_says() -> None:
    # Two subjects of group g0 in train, one of it in test; g1 in test; g2 set aside.
    study = made_study([0, 1, 0, 1, 0], [0, 0, 0, 1, 2])
    table = study.table.assign(split=["train", "train", "test", "test", "unused"])
    receipt = make_receipt(replace(study, table=table, split_protocol="paper"), "paper", {"seed": 3, "sizes": [2, 0, 2]})
    assert (receipt["protocol"], receipt["seed"], receipt["folds"]) == ("paper", 3, None)
    assert receipt["subjects"] == {"train": 2, "val": 0, "test": 2}
    assert receipt["groups"] == {"train": 1, "val": 0, "test": 2}
    assert (receipt["unused"], receipt["groups_in_two_splits"]) == (1, 1)
    assert receipt["subjects_sharing_a_group_with_train"] == {"val": 0, "test": 1}
    assert receipt["counts"]["test"] == {"kind": {"c0": {"subjects": 1, "groups": 1}, "c1": {"subjects": 1, "groups": 1}}}
    assert (receipt["classes_missing"], receipt["note"]) == ([], "")
    lines = "s0000,train\ns0001,train\ns0002,test\ns0003,test\ns0004,unused"
    assert receipt["sha256"] == hashlib.sha256(lines.encode()).hexdigest()


def test_a_class_that_a_side_lacks_and_sizes_not_met_are_told() -> None:
    study = made_study([0, 1, 0], [0, 1, 2])
    made = replace(study, table=study.table.assign(split=["train", "train", "test"]))
    receipt = make_receipt(made, "strict", {"sizes": [1, 0, 2]})
    assert receipt["classes_missing"] == ["c1 of kind in test"]
    assert receipt["note"] == "wanted 1, 0, 2 subjects; whole groups allowed 2, 0, 1"
