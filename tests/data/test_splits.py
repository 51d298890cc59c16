"""A strict split never cuts a group, keeps every class on every side, repeats itself, and can prove all that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drifa.data.adapters import ADAPTERS
from drifa.data.schema import Modality, Task
from drifa.data.splits import apply_split, read_split, split, verify_split, write_receipt
from drifa.data.study import SPLITS, Study
from drifa.errors import DrifaError


def _study(label: list[int], group: list[int], modality: list[str] | None = None) -> Study:
    classes = tuple(f"c{number}" for number in sorted(set(label)))
    names = sorted(set(modality or ["photo"]))
    table = pd.DataFrame(
        {
            "subject": [f"s{number:04d}" for number in range(len(label))],
            "modality": modality or "photo",
            "group": [f"g{number}" for number in group],
            "split": "",
            "kind": [f"c{number}" for number in label],
        }
    )
    table["path"] = table["subject"] + ".png"
    tasks = {"kind": Task("kind", classes, tuple(names))}
    return Study("made", Path("images"), table, {name: Modality(name) for name in names}, tasks)


def _sides(study: Study) -> dict[str, str]:
    subjects = study.subjects()
    return dict(zip(subjects.ids.tolist(), subjects.split.tolist(), strict=True))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**31), classes=st.integers(2, 6), groups=st.integers(20, 60))
def test_a_strict_split_is_complete_disjoint_and_holds_every_class_that_has_three_groups(
    seed: int, classes: int, groups: int
) -> None:
    random = np.random.default_rng(seed)
    size = random.integers(1, 5, groups)
    group = np.repeat(np.arange(groups), size)
    kind = np.minimum(random.geometric(0.4, groups) - 1, classes - 1)
    kind[:2] = [0, 1]
    study, receipt = split(_study(np.unique(kind, return_inverse=True)[1][group].tolist(), group.tolist()), seed=seed)
    subjects = study.subjects()
    assert set(subjects.split) == set(SPLITS)
    assert receipt["groups_in_two_splits"] == 0
    assert pd.Series(subjects.split).groupby(subjects.group).nunique().max() == 1
    for label in np.unique(subjects.labels):
        here = subjects.labels[:, 0] == label
        if len(np.unique(subjects.group[here])) >= 3:
            assert set(subjects.split[here]) == set(SPLITS)
    verify_split(study)


def test_fractions_hold_overall_and_in_every_class() -> None:
    random = np.random.default_rng(0)
    group = np.repeat(np.arange(1500), random.integers(1, 4, 1500))
    kind = random.choice(4, p=[0.7, 0.2, 0.07, 0.03], size=1500)[group]
    study, receipt = split(_study(kind.tolist(), group.tolist()))
    for label in range(4):
        total = int((kind == label).sum())
        for name, share in zip(SPLITS, (0.8, 0.1, 0.1), strict=True):
            count = receipt["counts"][name]["kind"][f"c{label}"]["subjects"]
            assert abs(count - share * total) <= 4  # a group or two
    assert sum(receipt["subjects"].values()) == len(study.subjects())


def test_classes_of_several_tasks_are_balanced_together(phantom: Study) -> None:
    _, receipt = split(phantom, fractions=(0.6, 0.2, 0.2))
    assert receipt["classes_missing"] == []
    for task, labels in receipt["counts"]["test"].items():
        for label, count in labels.items():
            everywhere = sum(receipt["counts"][name][task][label]["subjects"] for name in SPLITS)
            assert abs(count["subjects"] - 0.2 * everywhere) <= 4


@pytest.mark.parametrize("protocol", ["strict", "paper"])
def test_a_split_repeats_itself_whatever_the_order_of_rows_and_differs_by_seed(phantom: Study, protocol: str) -> None:
    order = np.random.default_rng(1).permutation(len(phantom.table))
    shuffled = replace(phantom, table=phantom.table.iloc[order])
    first, receipt = split(phantom, protocol)
    second, again = split(shuffled, protocol)
    other, _ = split(phantom, protocol, seed=1)
    assert _sides(first) == _sides(second) != _sides(other)
    assert receipt == again


@pytest.mark.parametrize("protocol", ["strict", "paper"])
def test_both_sides_of_an_unpaired_study_are_split_in_proportion(unpaired: Study, protocol: str) -> None:
    subjects = split(unpaired, protocol, fractions=(0.6, 0.2, 0.2))[0].subjects()
    for column in range(2):
        here = subjects.present[:, column]
        for name, share in zip(SPLITS, (0.6, 0.2, 0.2), strict=True):
            assert abs((subjects.split[here] == name).sum() - share * here.sum()) <= 3


def test_strict_cuts_no_lesion_of_ham10000_and_paper_cuts_many(real: Callable[[str], Path]) -> None:
    study = ADAPTERS["ham10000"].prepare(real("ham10000"))
    strict, receipt = split(study, "strict")
    assert receipt["groups_in_two_splits"] == 0
    assert receipt["classes_missing"] == []
    assert receipt["subjects_sharing_a_group_with_train"] == {"val": 0, "test": 0}
    assert abs(receipt["subjects"]["test"] / len(strict.subjects()) - 0.1) < 0.005
    _, receipt = split(study, "paper")
    assert receipt["groups_in_two_splits"] > 100
    # As published for random splits of this set: a large part of the test images shows a lesion known from training.
    assert receipt["subjects_sharing_a_group_with_train"]["test"] > 0.2 * receipt["subjects"]["test"]


def test_a_zero_fraction_leaves_a_side_empty(phantom: Study) -> None:
    _, receipt = split(phantom, fractions=(0.8, 0.0, 0.2))
    assert receipt["subjects"]["val"] == 0
    assert receipt["subjects"]["test"] > 0
    assert receipt["classes_missing"] == []


def test_mistakes_are_named(study: Study, phantom: Study) -> None:
    with pytest.raises(DrifaError, match=r"unknown split protocol 'strikt' \(did you mean 'strict'\?\)"):
        split(study, "strikt")
    with pytest.raises(DrifaError, match="choices: strict, paper, given"):
        split(study, "xyz")
    for fractions in ((0.8, 0.1), (0.8, 0.1, 0.2), (1.2, -0.1, -0.1), (0.0, 0.5, 0.5)):
        with pytest.raises(DrifaError, match="cannot split a study"):
            split(study, fractions=fractions)
    with pytest.raises(DrifaError, match="no subject is left for"):
        split(_study([0, 1, 0, 1], [0, 0, 1, 1]))
    with pytest.raises(DrifaError, match="120 of 120 subjects of study 'phantom' have no split"):
        split(phantom, "given")


def test_a_given_split_is_kept_and_counted(phantom: Study) -> None:
    made, receipt = split(phantom)
    kept, counted = split(made, "given")
    assert _sides(kept) == _sides(made)
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
        assert _sides(repeated) == _sides(made)
        assert repeated.split_protocol == protocol
    made.save(tmp_path)
    assert _sides(Study.load(tmp_path)) == _sides(made)


def test_a_split_of_other_subjects_is_refused(phantom: Study, unpaired: Study, tmp_path: Path) -> None:
    made, receipt = split(phantom)
    write_receipt(made, receipt, tmp_path)
    fewer = replace(phantom, table=phantom.table[phantom.table["subject"] != "S00003"])
    with pytest.raises(DrifaError, match=r"1 subjects of split.csv, such as 'S00003', are not in the study"):
        apply_split(fewer, tmp_path)
    renamed = replace(phantom, table=phantom.table.replace({"subject": {"S00003": "X"}}))
    with pytest.raises(DrifaError, match=r"1 subjects, such as 'X', are not in split.csv"):
        apply_split(renamed, tmp_path)


def test_a_split_that_cuts_newly_known_groups_is_refused_unless_it_is_the_papers(phantom: Study, tmp_path: Path) -> None:
    for protocol in ("strict", "paper"):
        made, receipt = split(phantom, protocol)
        write_receipt(made, receipt, tmp_path / protocol)
    regrouped = replace(phantom, table=phantom.table.assign(group="one"))
    with pytest.raises(DrifaError, match=r"1 groups are in two splits of .*, such as 'one'"):
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
