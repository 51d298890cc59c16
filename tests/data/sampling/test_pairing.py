"""Partners are arbitrary, fresh in every epoch, fixed in evaluation, and never carry a hint about the target."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from drifa.data.sampling.pairing import EpochPairing, alone_samples, components, evaluation_samples, gather, task_components
from drifa.data.splits.split import split
from drifa.data.study.study import Study
from drifa.data.study.subjects import Subjects
from drifa.errors import DrifaError
from tests.studies import class_indices


def _subjects(sizes: tuple[int, ...], classes: int = 4) -> Subjects:
    """An unpaired study: one modality and one task per side, ids and therefore indices sorted by class."""
    total = sum(sizes)
    side = np.repeat(np.arange(len(sizes)), sizes)
    image = np.full((total, len(sizes)), -1)
    image[np.arange(total), side] = np.arange(total)
    labels = np.full((total, len(sizes)), -1)
    labels[np.arange(total), side] = np.concatenate([np.arange(size) * classes // size for size in sizes])
    names = tuple(f"m{number}" for number in range(len(sizes)))
    ids = np.array([f"{number:06d}" for number in range(total)])
    return _with_labels(
        Subjects(
            ids, ids, np.full(total, "train"), image, {}, labels >= 0, labels, names, tuple(f"t{n}" for n in range(len(sizes)))
        ),
        labels,
    )


def _with_labels(subjects: Subjects, labels: np.ndarray) -> Subjects:
    targets = {task: labels[:, column] for column, task in enumerate(subjects.tasks)}
    return replace(subjects, targets=targets, known=labels >= 0, strata=labels)


def test_components_follow_co_occurrence(phantom: Study, unpaired: Study) -> None:
    assert components(phantom.subjects()) == [(0, 1)]
    assert components(unpaired.subjects()) == [(0,), (1,)]
    chain = _subjects((2, 2, 2, 2))
    image = np.array([[0, 1, -1, -1], [-1, 2, 3, -1], [-1, -1, -1, 4]])
    linked = _with_labels(replace(chain, ids=chain.ids[:3], image=image), np.full((3, 4), -1))
    assert components(linked) == [(0, 1, 2), (3,)]


def test_an_epoch_shows_the_largest_side_once_and_fills_the_shorter_by_chance() -> None:
    subjects = _subjects((50, 20, 7))
    samples = EpochPairing(subjects, np.arange(77), seed=0).epoch(0)
    assert samples.shape == (50, 3)
    assert sorted(samples[:, 0]) == list(range(50))
    assert set(samples[:, 1]) <= set(range(50, 70))
    assert set(samples[:, 2]) == set(range(70, 77))  # 50 draws from 7
    assert len(set(samples[:, 1])) < 20  # with replacement, not a permutation repeated


def test_an_epoch_is_a_pure_function_of_seed_and_number() -> None:
    subjects = _subjects((40, 15))
    pairing = EpochPairing(subjects, np.arange(55), seed=3)
    first = [pairing.epoch(number) for number in range(3)]
    resumed = EpochPairing(subjects, np.arange(55)[::-1], seed=3)
    np.testing.assert_array_equal(resumed.epoch(2), first[2])
    np.testing.assert_array_equal(pairing.epoch(0), first[0])
    assert not np.array_equal(EpochPairing(subjects, np.arange(55), seed=4).epoch(0), first[0])


def test_partners_change_from_epoch_to_epoch() -> None:
    pairing = EpochPairing(_subjects((200, 100)), np.arange(300), seed=0)
    one, two = (dict(pairing.epoch(number)) for number in (0, 1))
    assert np.mean([one[target] == two[target] for target in one]) < 0.05


def test_the_partners_label_is_independent_of_the_targets() -> None:
    # Both sides are sorted by class: any dependence on order would couple the labels.
    subjects = _subjects((4000, 1500), classes=4)
    _, _, targets, _ = gather(subjects, EpochPairing(subjects, np.arange(5500), seed=0).epoch(0))
    labels = np.stack(list(targets.values()), axis=1)
    table = np.zeros((4, 4))
    np.add.at(table, (labels[:, 0], labels[:, 1]), 1)
    expected = table.sum(1, keepdims=True) * table.sum(0, keepdims=True) / table.sum()
    assert ((table - expected) ** 2 / expected).sum() < 27.9  # 0.1 % point of chi-square with 9 degrees of freedom


def test_only_training_subjects_are_drawn(unpaired: Study) -> None:
    subjects = split(unpaired)[0].subjects()
    train = subjects.in_split("train")
    assert set(EpochPairing(subjects, train, seed=0).epoch(0).ravel()) <= set(train)


def test_a_paired_study_is_merely_shuffled(phantom: Study) -> None:
    subjects = phantom.subjects()
    samples = EpochPairing(subjects, np.arange(len(subjects)), seed=0).epoch(0)
    image, present, targets, known = gather(subjects, samples)
    labels = np.where(known, np.stack(list(targets.values()), axis=1), -1)
    assert sorted(samples[:, 0]) == list(range(len(subjects)))
    np.testing.assert_array_equal(image, subjects.image[samples[:, 0]])
    np.testing.assert_array_equal(labels, class_indices(subjects)[samples[:, 0]])
    assert present.all()


def test_gathering_joins_the_sides_and_marks_nobody() -> None:
    subjects = _subjects((3, 2), classes=2)
    image, present, targets, known = gather(subjects, np.array([[2, 3], [0, -1], [-1, 4], [-1, -1]]))
    labels = np.where(known, np.stack(list(targets.values()), axis=1), -1)
    assert image.tolist() == [[2, 3], [0, -1], [-1, 4], [-1, -1]]
    assert labels.tolist() == [[1, 0], [0, -1], [-1, 1], [-1, -1]]
    assert present.tolist() == [[True, True], [True, False], [False, True], [False, False]]


def test_every_target_is_judged_once_with_distinct_partners_of_the_pool() -> None:
    subjects = _subjects((30, 25))
    pool = np.arange(35, 50)
    samples = evaluation_samples(subjects, np.arange(10), 0, 8, pool, seed=0)
    assert samples.shape == (10, 8, 2)
    assert (samples[:, :, 0] == np.arange(10)[:, None]).all()
    assert np.isin(samples[:, :, 1], pool).all()
    assert all(len(set(row)) == 8 for row in samples[:, :, 1])
    assert len({tuple(row) for row in samples[:, :, 1]}) > 5
    assert evaluation_samples(subjects, np.arange(4), 0, 20, pool, seed=0).shape == (4, 20, 2)  # more than the pool holds


def test_evaluation_partners_do_not_depend_on_subset_or_order() -> None:
    subjects = _subjects((30, 25))
    pool = np.arange(35, 55)
    everyone = evaluation_samples(subjects, np.arange(30), 0, 4, pool, seed=0)
    some = np.array([17, 3, 28])
    np.testing.assert_array_equal(evaluation_samples(subjects, some, 0, 4, pool[::-1], seed=0), everyone[some])
    assert not np.array_equal(evaluation_samples(subjects, np.arange(30), 0, 4, pool, seed=1), everyone)


def test_without_partners_the_other_sides_are_nobody(unpaired: Study) -> None:
    subjects = unpaired.subjects()
    targets = np.flatnonzero(subjects.present[:, 1])[:5]
    samples = alone_samples(subjects, targets, 1)
    assert samples.shape == (5, 1, 2)
    present = gather(subjects, samples[:, 0]).present
    assert present.tolist() == [[False, True]] * 5


def test_a_paired_study_has_no_partners_to_draw(phantom: Study) -> None:
    subjects = phantom.subjects()
    assert evaluation_samples(subjects, np.arange(6), 0, 8, np.arange(20, 30), seed=0).shape == (6, 1, 1)


def test_mistakes_are_named() -> None:
    subjects = _subjects((6, 4))
    with pytest.raises(DrifaError, match="1 target has no image of m0, such as '000007'"):
        evaluation_samples(subjects, np.array([1, 7]), 0, 2, np.arange(6, 10), seed=0)
    with pytest.raises(DrifaError, match="pool of partners holds no subject with m1"):
        evaluation_samples(subjects, np.array([1]), 0, 2, np.arange(3), seed=0)
    with pytest.raises(DrifaError, match="training split holds no subject with m0"):
        EpochPairing(subjects, np.arange(6, 10), seed=0)
    with pytest.raises(DrifaError, match="0 partners per target"):
        evaluation_samples(subjects, np.array([1]), 0, 0, np.arange(6, 10), seed=0)
    with pytest.raises(DrifaError, match="component 2 does not exist"):
        alone_samples(subjects, np.array([1]), 2)


def test_a_task_labelled_on_two_unpaired_sides_is_refused() -> None:
    subjects = _subjects((6, 4))
    assert task_components(subjects) == (0, 1)
    labels = class_indices(subjects).copy()
    labels[7, 0] = 1
    with pytest.raises(DrifaError, match="task 't0' is labelled in subjects of m0 and of m1"):
        EpochPairing(_with_labels(subjects, labels), np.arange(10), seed=0)
    labels[:, 1] = -1
    assert task_components(_with_labels(subjects, np.where(labels == 1, -1, labels)))[1] == -1


def test_balanced_sampling_meets_every_class_as_often() -> None:
    subjects = _subjects((400, 300), classes=4)
    labels = class_indices(subjects)
    labels[:300, 0] = 0  # three quarters of the first side are of one class
    labels[300:400, 0] = 1 + np.arange(100) % 3
    pairing = EpochPairing(_with_labels(subjects, labels), np.arange(700), seed=0, balanced=True)
    drawn = np.concatenate([labels[pairing.epoch(number)[:, 0], 0] for number in range(20)])
    np.testing.assert_allclose(np.bincount(drawn) / len(drawn), 0.25, atol=0.02)
    np.testing.assert_array_equal(pairing.epoch(3), pairing.epoch(3))
