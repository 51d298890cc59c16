"""The sets are what they claim: same test, same size, no sibling in the clean one, and the exposed list holds who has one."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import yaml

from drifa.data import Study, make_phantom, split
from drifa.data.study.subjects import Subjects
from drifa.errors import DrifaError
from drifa.experiments.leakage import Sets, leakage_cost, paired_sets, with_sets
from drifa.files import read_json
from tests.studies import tiny_config

SHARES = (0.1, 0.5, 1.0)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A phantom in which three subjects each are siblings."""
    folder = tmp_path_factory.mktemp("siblings") / "study"
    made = make_phantom(folder, subjects=120, image_size=32)
    names = sorted(made.table["subject"].unique())
    made.table["group"] = made.table["subject"].map({name: f"g{number // 3}" for number, name in enumerate(names)})
    made.select(list(made.modalities), ["depth"]).save(folder)
    return split(Study.load(folder), fractions=(0.7, 0.1, 0.2))[0]


@pytest.fixture(scope="module")
def sets(study: Study) -> Sets:
    return paired_sets(study.subjects(), SHARES)


def groups(subjects: Subjects, rows: np.ndarray) -> set[str]:
    return set(subjects.group[rows].tolist())


def test_the_clean_set_has_no_sibling_of_a_test_subject(study: Study, sets: Sets) -> None:
    subjects = study.subjects()
    test, val, clean = (groups(subjects, rows) for rows in (sets.test, sets.val, sets.clean))
    assert not test & (val | clean)
    assert not val & clean


@pytest.mark.parametrize("share", SHARES)
def test_leaky_sets_differ_by_siblings_alone(study: Study, sets: Sets, share: float) -> None:
    subjects, leaky = study.subjects(), sets.leaky[share]
    assert len(leaky) == len(sets.clean) == len(set(leaky.tolist()))
    assert not np.isin(leaky, sets.test).any()
    assert set(leaky.tolist()) - set(sets.clean.tolist()) == set(sets.siblings[share].tolist())
    # Labels stay as they were, so that only the leak differs.
    for task in subjects.tasks:
        counts = [np.bincount(subjects.targets[task][rows], minlength=9).tolist() for rows in (leaky, sets.clean)]
        assert counts[0] == counts[1]


@pytest.mark.parametrize("share", SHARES)
def test_the_exposed_are_the_test_subjects_with_a_sibling_in_training(study: Study, sets: Sets, share: float) -> None:
    subjects = study.subjects()
    in_training = np.isin(subjects.group[sets.test], list(groups(subjects, sets.leaky[share])))
    assert sets.exposed[share].tolist() == sets.test[in_training].tolist()


def test_a_larger_share_leaks_more_and_never_others(sets: Sets) -> None:
    for less, more in pairwise(SHARES):
        assert set(sets.siblings[less].tolist()) < set(sets.siblings[more].tolist())
    assert len(sets.exposed[1.0]) == len(sets.test)


def test_the_study_holds_all_sets_as_columns(study: Study, sets: Sets, tmp_path: Path) -> None:
    with_sets(study, sets).save(tmp_path)
    for name, train in (("clean", sets.clean), ("share-0.5", sets.leaky[0.5])):
        found = split(Study.load(tmp_path), "column", column=name)[0].subjects()
        assert found.in_split("train").tolist() == train.tolist()
        assert found.in_split("test").tolist() == sets.test.tolist()


def test_what_cannot_leak_is_told(study: Study) -> None:
    with pytest.raises(DrifaError, match=r"--share 1\.5"):
        paired_sets(study.subjects(), [1.5])
    lone = study.table.assign(group=study.table["subject"])
    subjects = Study(**{**vars(study), "table": lone}).subjects()
    with pytest.raises(DrifaError, match="nothing can leak"):
        paired_sets(subjects, [1.0])


def test_both_networks_are_judged_on_the_same_cases(study: Study, tmp_path: Path) -> None:
    config = tiny_config(study.root, epochs=1).model_dump(mode="json", exclude_unset=True)
    config["data"]["fractions"] = [0.7, 0.1, 0.2]
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(config))
    found, outcomes = leakage_cost(study.root, tmp_path / "tiny.yaml", [1.0], tmp_path / "out", [0], quiet=True)
    assert [outcome.state for outcome in outcomes] == ["done", "done"]
    assert {one.on for one in found} == {"all", "exposed"}
    # All test subjects have siblings here, so that the exposed are all.
    by_place = {(one.task, one.metric, one.on): one for one in found}
    for (task, metric, _), one in by_place.items():
        assert one.difference == by_place[task, metric, "all"].difference
    assert (read_json(tmp_path / "out" / "leakage.json") or {})["sizes"]["siblings, share 1"] > 0
    assert "| 1 | depth | accuracy |" in (tmp_path / "out" / "leakage.md").read_text()
