"""A strict split never cuts a group, keeps every class on every side, and repeats itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drifa.data.adapters.prepare import ADAPTERS
from drifa.data.splits.split import apply_split, split, verify_split, write_receipt
from drifa.data.study.checks import CALIBRATION
from drifa.data.study.schema import Task
from drifa.data.study.study import SPLITS, Study
from drifa.data.targets import RegionTarget
from drifa.errors import DrifaError
from tests.data.splits.made import grouped, made_study, published, sides_of
from tests.studies import class_indices


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
    study, receipt = split(made_study(np.unique(kind, return_inverse=True)[1][group].tolist(), group.tolist()), seed=seed)
    subjects = study.subjects()
    assert set(subjects.split) == set(SPLITS)
    assert receipt["groups_in_two_splits"] == 0
    assert pd.Series(subjects.split).groupby(subjects.group).nunique().max() == 1
    for label in np.unique(class_indices(subjects)):
        here = class_indices(subjects)[:, 0] == label
        if len(np.unique(subjects.group[here])) >= 3:
            assert set(subjects.split[here]) == set(SPLITS)
    verify_split(study)


def test_fractions_hold_overall_and_in_every_class() -> None:
    random = np.random.default_rng(0)
    group = np.repeat(np.arange(1500), random.integers(1, 4, 1500))
    kind = random.choice(4, p=[0.7, 0.2, 0.07, 0.03], size=1500)[group]
    study, receipt = split(made_study(kind.tolist(), group.tolist()))
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
    assert sides_of(first) == sides_of(second) != sides_of(other)
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
    with pytest.raises(DrifaError, match="choices: strict, paper, official, kfold, column, given"):
        split(study, "xyz")
    for fractions in ((0.8, 0.1), (0.8, 0.1, 0.2), (1.2, -0.1, -0.1), (0.0, 0.5, 0.5)):
        with pytest.raises(DrifaError, match="cannot split a study"):
            split(study, fractions=fractions)
    with pytest.raises(DrifaError, match=r"no subject is left for.*enlarge its fraction, or take the protocol kfold"):
        split(made_study([0, 1, 0, 1], [0, 0, 1, 1]))
    with pytest.raises(DrifaError, match="too few for 500 folds; use fewer folds"):
        split(phantom, "kfold", folds=500, fold=5)
    with pytest.raises(DrifaError, match="120 of 120 subjects of study 'phantom' have no split"):
        split(phantom, "given")


@pytest.mark.parametrize("folds", [3, 5])
def test_over_the_folds_every_subject_is_tested_once_and_no_group_is_cut(phantom: Study, folds: int) -> None:
    tested: list[str] = []
    validated: list[set[str]] = []
    for fold in range(folds):
        made, receipt = split(phantom, "kfold", folds=folds, fold=fold)
        subjects = made.subjects()
        tested += subjects.ids[subjects.in_split("test")].tolist()
        validated.append(set(subjects.ids[subjects.in_split("val")].tolist()))
        assert receipt["groups_in_two_splits"] == 0
        assert receipt["classes_missing"] == []
        assert (receipt["protocol"], receipt["folds"], receipt["fold"]) == ("kfold", folds, fold)
        assert abs(receipt["subjects"]["test"] - len(subjects) / folds) <= 4
    assert sorted(tested) == phantom.subjects().ids.tolist()
    for fold in range(folds):  # a fold validates while the one before it is tested
        after = split(phantom, "kfold", folds=folds, fold=(fold + 1) % folds)[0].subjects()
        assert set(after.ids[after.in_split("test")].tolist()) == validated[fold]


def test_wanted_sizes_are_met_exactly_where_groups_allow() -> None:
    random = np.random.default_rng(0)
    kind = random.choice(5, p=[0.5, 0.3, 0.1, 0.06, 0.04], size=369)
    alone = made_study(kind.tolist(), list(range(369)))
    for protocol in ("strict", "paper"):
        _, receipt = split(alone, protocol, sizes=(201, 35, 133))
        assert list(receipt["subjects"].values()) == receipt["sizes"] == [201, 35, 133]
        assert (receipt["note"], receipt["fractions"]) == ("", None)
    for label in range(5):
        count = split(alone, sizes=(201, 35, 133))[1]["counts"]["test"]["kind"][f"c{label}"]["subjects"]
        assert abs(count - (kind == label).sum() * 133 / 369) <= 3
    # Pairs cannot make odd numbers; the nearest even ones are two subjects off in all.
    pairs = made_study(np.repeat(kind[:60], 2).tolist(), np.repeat(np.arange(60), 2).tolist())
    _, receipt = split(pairs, sizes=(81, 19, 20))
    assert receipt["groups_in_two_splits"] == 0
    assert sum(abs(found - wanted) for found, wanted in zip(receipt["subjects"].values(), (81, 19, 20), strict=True)) == 2
    assert receipt["note"].startswith("wanted 81, 19, 20 subjects")
    with pytest.raises(DrifaError, match="add up to 368 subjects and study 'made' has 369; sizes are for the complete set"):
        split(alone, sizes=(200, 35, 133))


def test_wanted_sizes_of_an_image_random_split_keep_the_proportions_of_both_sides(unpaired: Study) -> None:
    subjects = split(unpaired, "paper", sizes=(61, 17, 42))[0].subjects()
    assert [len(subjects.in_split(name)) for name in SPLITS] == [61, 17, 42]
    for column in range(2):
        here = subjects.present[:, column]
        for name, size in zip(SPLITS, (61, 17, 42), strict=True):
            assert abs((subjects.split[here] == name).sum() - size / 120 * here.sum()) <= 1.5


def test_the_official_test_set_is_kept_whole_and_made_clean() -> None:
    study = published(grouped())
    official = study.table["official"].to_numpy()
    made, receipt = split(study, "official")
    side, group = made.table["split"].to_numpy(), made.table["group"].to_numpy()
    np.testing.assert_array_equal(side == "test", official == "test")
    tested = np.isin(group, group[side == "test"])
    np.testing.assert_array_equal(side == "unused", tested & (official == "train"))
    assert receipt["unused"] == (side == "unused").sum() > 0
    assert receipt["groups_in_two_splits"] == 0
    assert receipt["subjects_sharing_a_group_with_train"] == {"val": 0, "test": 0}
    known = (side == "train").sum() + (side == "val").sum()
    assert abs((side == "val").sum() - known / 9) <= 2
    assert sum(receipt["subjects"].values()) + receipt["unused"] == len(side)
    verify_split(made)


def test_a_published_validation_set_is_kept_but_for_what_touches_the_test_set() -> None:
    study = published(grouped(), values=("train", "val", "test"))
    official = study.table["official"].to_numpy()
    made, receipt = split(study, "official")
    side, group = made.table["split"].to_numpy(), made.table["group"].to_numpy()
    np.testing.assert_array_equal(side == "test", official == "test")
    tested = np.isin(group, group[official == "test"])
    np.testing.assert_array_equal(side == "val", (official == "val") & ~tested)
    assert set(side[official == "train"]) == {"train", "unused"}
    assert receipt["groups_in_two_splits"] == 0


def test_a_side_published_without_a_split_gets_a_strict_one_but_gaps_are_refused(unpaired: Study) -> None:
    one = published(unpaired)
    first = one.table["modality"] == one.table["modality"].iloc[0]
    half = replace(one, table=one.table.assign(official=one.table["official"].where(first, "")))
    subjects = split(half, "official", fractions=(0.6, 0.2, 0.2))[0].subjects()
    for column in range(2):
        assert set(SPLITS) <= set(subjects.split[subjects.present[:, column]])
    table = one.table.copy()
    table.loc[5, "official"] = ""
    with pytest.raises(DrifaError, match=f"such as {table['subject'].iloc[5]!r}, have no published split"):
        split(replace(one, table=table), "official")
    with pytest.raises(DrifaError, match=r"has no column 'official', .* use the protocol strict"):
        split(unpaired, "official")


def test_a_column_of_ones_own_is_taken_and_verified(phantom: Study) -> None:
    made, receipt = split(phantom, fractions=(0.6, 0.2, 0.2))
    mine = replace(phantom, table=phantom.table.assign(mine=made.table["split"]))
    taken, again = split(mine, "column", column="mine")
    assert sides_of(taken) == sides_of(made)
    assert (again["column"], again["seed"], again["sha256"]) == ("mine", None, receipt["sha256"])
    for value, word in (("", "1 of 120 subjects .* have nothing"), ("tset", r"'tset' in row 2 .* \(did you mean 'test'\?\)")):
        table = mine.table.copy()
        table.loc[table["subject"] == table["subject"].iloc[0], "mine"] = value
        with pytest.raises(DrifaError, match=word):
            split(replace(mine, table=table), "column", column="mine")
    two = mine.table["subject"].duplicated(keep=False)
    table = mine.table.assign(mine=mine.table["mine"].where(~two | (mine.table["modality"] == "photo"), "train"))
    with pytest.raises(DrifaError, match="differs from another row of the same subject"):
        split(replace(mine, table=table), "column", column="mine")
    with pytest.raises(DrifaError, match=r"no column 'mime' \(did you mean 'mine'\?\)"):
        split(mine, "column", column="mime")
    random_sides = split(phantom, "paper", fractions=(0.4, 0.3, 0.3))[0].table["split"]
    with pytest.raises(DrifaError, match="is in two splits"):
        split(replace(phantom, table=phantom.table.assign(mine=random_sides, group="one")), "column", column="mine")


def test_a_mask_counts_its_subjects_and_does_not_upset_the_classes() -> None:
    study = grouped()
    masks = np.where(np.arange(200) < 150, "masks/" + study.table["subject"] + ".png", "")
    tumour = Task("tumour", RegionTarget({"whole": (1, 2)}), ("photo",))
    with_masks = replace(study, table=study.table.assign(tumour=masks), tasks={**study.tasks, "tumour": tumour})
    made, receipt = split(with_masks)
    assert sides_of(made) == sides_of(split(study)[0])
    assert sum(receipt["counts"][name]["tumour"]["mask"]["subjects"] for name in SPLITS) == 150
    only = replace(with_masks, tasks={"tumour": tumour})
    assert split(only)[1]["groups_in_two_splits"] == 0
    assert split(only, "kfold", folds=4, fold=1)[1]["subjects"] == {"train": 100, "val": 50, "test": 50}


@pytest.mark.parametrize(
    "settings",
    [
        {"protocol": "strict"},
        {"protocol": "strict", "sizes": [120, 40, 40]},
        {"protocol": "kfold", "folds": 5, "fold": 1},
        {"protocol": "official"},
        {"protocol": "paper"},
    ],
    ids=str,
)
def test_a_part_for_calibration_is_cut_off_training_by_groups_and_nothing_else_moves(settings: dict[str, Any]) -> None:
    study = published(grouped())
    whole, plain = split(study, seed=3, **settings)
    parts, receipt = split(study, seed=3, calibration=0.2, **settings)
    before, after = sides_of(whole), sides_of(parts)
    assert {before[name] for name in before if before[name] != after[name]} == {"train"}
    assert {after[name] for name in before if before[name] != after[name]} == {CALIBRATION}
    subjects = parts.subjects()
    groups = {name: set(subjects.group[subjects.in_split(name)]) for name in ("train", CALIBRATION)}
    assert not groups["train"] & groups[CALIBRATION]
    assert receipt["subjects"][CALIBRATION] == pytest.approx(0.2 * plain["subjects"]["train"], abs=4)
    assert receipt["calibration"] == 0.2
    assert receipt["note"] == plain["note"]
    assert all(count["subjects"] for count in receipt["counts"][CALIBRATION]["kind"].values())
    assert "calibration" not in plain
    assert CALIBRATION not in plain["subjects"]
    assert split(study, seed=3, calibration=0.2, **settings)[1] == receipt
    assert split(study, seed=3, calibration=0.0, **settings)[1] == plain


def test_a_part_for_calibration_can_be_given_kept_and_applied(tmp_path: Path) -> None:
    study, receipt = split(grouped(), calibration=0.2)
    assert split(study, "given")[1]["subjects"] == receipt["subjects"]
    own = replace(study, table=study.table.assign(mine=study.table["split"]))
    assert sides_of(split(own, "column", column="mine")[0]) == sides_of(study)
    write_receipt(study, receipt, tmp_path)
    assert sides_of(apply_split(grouped(), tmp_path)) == sides_of(study)


def test_a_training_part_of_one_group_leaves_nothing_for_calibration() -> None:
    with pytest.raises(DrifaError, match="left for 'calibration': the training part of study 'made' has 1 group;"):
        split(made_study([0, 1, 0], [0, 1, 2]), fractions=(0.34, 0.33, 0.33), calibration=0.1)
