"""A case has a point for each modality that it has, as if it had no other, and the modalities are told apart or not."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from drifa.explain.embedding import readouts
from drifa.explain.modality_space import JOINT, MOST_POINTS, Alone, alone, fitting, joined, own_share, space_of
from tests.networks.tiny import images, tiny

PRESENT = np.array([[True, True], [True, False], [False, True], [True, True]])


def test_a_case_has_a_point_for_each_modality_that_it_has_as_if_it_had_no_other() -> None:
    nets, given, present = [tiny(), tiny("concat")], images(), torch.from_numpy(PRESENT)
    found = alone(nets, given, present, first=10)
    assert sorted(zip(found.cases - 10, found.modalities, strict=True)) == [tuple(place) for place in np.argwhere(PRESENT)]
    for i, name in enumerate(given):
        rows, own = np.flatnonzero(PRESENT[:, i]), found.modalities == i
        only = torch.arange(2).expand(len(rows), 2) == i
        expected = readouts(nets, {other: image[rows] for other, image in given.items()}, only)
        np.testing.assert_allclose(found.points[own], expected, atol=1e-6)
        given[name][~present[:, i]] = torch.nan  # what a case has not is not read
    np.testing.assert_allclose(alone(nets, given, present).points, found.points, atol=1e-6)


def test_batches_give_the_points_of_the_whole() -> None:
    nets, given, present = [tiny()], images(), torch.from_numpy(PRESENT)
    whole = alone(nets, given, present)
    parts = [alone(nets, {name: x[k : k + 2] for name, x in given.items()}, present[k : k + 2], k) for k in (0, 2)]
    both = joined(parts)
    order, again = (np.lexsort((one.modalities, one.cases)) for one in (whole, both))
    np.testing.assert_array_equal(both.cases[again], whole.cases[order])
    np.testing.assert_allclose(both.points[again], whole.points[order], atol=1e-6)


def points_of(present: np.ndarray, apart: float) -> tuple[Alone, np.ndarray]:
    """Two classes of cases, and modalities so far from each other."""
    random = np.random.default_rng(0)
    cases, modalities = np.nonzero(present)
    raw = np.eye(6)[cases % 2] + apart * np.eye(6)[2 + modalities] + 0.05 * random.normal(size=(len(cases), 6))
    joint = np.eye(6)[np.arange(len(present)) % 2]
    return Alone(raw / np.linalg.norm(raw, axis=1, keepdims=True), cases, modalities), joint


def test_a_case_that_has_several_has_a_point_of_all_too() -> None:
    present = np.tile(PRESENT, (3, 1))
    found = space_of(*points_of(present, 1)[:1], present, points_of(present, 1)[1], ["photo", "scan"])
    assert found is not None
    assert found.counts == {"photo": 9, "scan": 9, JOINT: 6}
    assert len(found.points) == len(found.cases) == len(found.seen) == 24
    seen = list(zip(found.cases.tolist(), found.seen, strict=True))
    assert (1, "scan") not in seen
    assert (1, JOINT) not in seen
    assert {(0, "photo"), (0, "scan"), (0, JOINT), (2, "scan")} <= set(seen)


def test_modalities_that_lie_apart_are_told_from_those_that_share_a_space() -> None:
    present = np.ones((40, 2), dtype=bool)
    apart, shared = (space_of(*points_of(present, far)[:1], present, np.zeros((40, 6)), ["a", "b"]) for far in (3, 0))
    assert apart is not None
    assert shared is not None
    assert apart.silhouette > 0.5 > 0.2 > abs(shared.silhouette)
    assert apart.alike == 1
    assert shared.alike == pytest.approx(shared.by_chance, abs=0.15)
    assert shared.by_chance == pytest.approx(39 / 79)


def test_clusters_of_both_modalities_that_the_silhouette_does_not_part_are_parted_by_their_neighbours() -> None:
    places = np.repeat(
        np.eye(4) + 0.3 * np.eye(4)[[1, 0, 3, 2]], 10, axis=0
    )  # two clusters of each modality, beside each other's
    places += 0.02 * np.random.default_rng(0).normal(size=places.shape)
    labels = np.repeat([0, 1, 0, 1], 10)
    assert own_share(places / np.linalg.norm(places, axis=1, keepdims=True), labels)[0] == 1


def test_one_modality_has_no_such_space() -> None:
    present = np.array([[True, False]] * 8)
    assert space_of(*points_of(present, 1)[:1], present, np.zeros((8, 6)), ["a", "b"]) is None
    present = np.array([[True, True]])
    assert space_of(*points_of(present, 1)[:1], present, np.zeros((1, 6)), ["a", "b"]) is None


@pytest.mark.parametrize("modalities", [1, 2, 4])
def test_cases_are_thinned_out_to_what_can_be_drawn(modalities: int) -> None:
    present = np.ones((500, modalities), dtype=bool)
    points = modalities + (modalities > 1)
    chosen = fitting(present)
    assert len(chosen) * points <= MOST_POINTS < (len(chosen) + 1) * points or len(chosen) == 500
    assert chosen[0] == 0
    assert chosen[-1] == 499
    assert list(fitting(present[:20])) == list(range(20))
    unpaired = np.eye(2, dtype=bool)[np.arange(500) % 2]
    assert len(fitting(unpaired)) == 500
