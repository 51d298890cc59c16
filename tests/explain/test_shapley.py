"""Shapley values keep their axioms, and those of a run sum to what it gained over knowing nothing."""

from __future__ import annotations

from itertools import chain, combinations

import numpy as np
import pytest
import torch

from drifa.data.sampling.image_batches import make_batch
from drifa.errors import DrifaError
from drifa.explain.shapley import Shares, cohort, of_nothing, shapley, shares
from drifa.prediction.predictor import Predictor
from drifa.runs.run import Run
from drifa.tasks import Classes, Number


def game(players: int, worth) -> dict[frozenset[int], np.ndarray]:
    sets = chain.from_iterable(combinations(range(players), size) for size in range(players + 1))
    return {frozenset(chosen): np.asarray(worth(set(chosen)), dtype=float) for chosen in sets}


@pytest.mark.parametrize("players", [1, 2, 3, 4, 5])
def test_values_sum_to_the_whole_gain_and_an_idle_player_gets_nothing(players: int) -> None:
    random = np.random.default_rng(players)
    worth = {size: random.normal(size=3) for size in range(players + 1)}
    alone, pairs = shapley(game(players, lambda chosen: worth[len(chosen)]), players)
    np.testing.assert_allclose(alone.sum(axis=0), worth[players] - worth[0], atol=1e-12)
    np.testing.assert_allclose(alone, np.broadcast_to(alone[0], alone.shape), atol=1e-12)  # alike players get alike shares
    assert pairs.shape == (players * (players - 1) // 2, 3)
    idle, _ = shapley(game(players, lambda chosen: len(chosen - {0})), players)
    np.testing.assert_allclose(idle, [0] + [1] * (players - 1), atol=1e-12)


def test_interaction_is_what_two_give_only_together() -> None:
    _, both = shapley(game(3, lambda chosen: {0, 1} <= chosen), 3)
    np.testing.assert_allclose(both, [1, 0, 0], atol=1e-12)
    _, same = shapley(game(2, lambda chosen: len(chosen) > 0), 2)
    np.testing.assert_allclose(same, [-1])


def test_six_modalities_are_too_many() -> None:
    with pytest.raises(DrifaError, match=r"6 modalities have too many subsets .* keep 1 to 5"):
        shapley(game(6, len), 6)


def test_shares_of_a_run_sum_to_its_answer_in_a_single_pass(paired_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    predictor, study = Predictor(paired_run), paired_run.study()
    subjects = study.subjects()
    batch = make_batch(paired_run.cache(study), subjects, subjects.in_split("test")[:5, None])
    present = batch.present.clone()
    present[0, 0], present[1, 1] = False, False  # photo, ultrasound
    train = subjects.in_split("train")
    none = {
        task: of_nothing(kind, subjects.targets[task][train], subjects.known_of(task)[train])
        for task, kind in predictor.subject_kinds.items()
    }
    passes, ask = [], predictor.over_subsets
    monkeypatch.setattr(predictor, "over_subsets", lambda *given: passes.append(1) or ask(*given))
    found = shares(predictor, batch.images, present, none)
    assert len(passes) == 1
    for task, one in found.items():
        gain = np.nan_to_num(one.everything - one.none)
        np.testing.assert_allclose(one.values.sum(axis=1), gain, atol=1e-6)
        answered = np.isfinite(one.everything[:, 0])
        np.testing.assert_allclose(one.everything[answered].sum(axis=1), 1, atol=1e-6)
        assert answered.tolist() == {"surface": [False, *[True] * 4], "depth": [True, False, *[True] * 3]}.get(task, [True] * 5)
        assert not one.values[0, 0].any()
        assert not one.values[1, 1].any()
        assert not one.pairs[:2].any()
    alone = [member[0] for member in ask(batch.images, present, torch.tensor([[True, True]]))]
    expected = torch.stack([answers["spread"] for answers in alone]).double().mean(dim=0).numpy()
    np.testing.assert_allclose(found["spread"].everything, expected, atol=1e-6)


def test_none_is_the_training_prior() -> None:
    values, known = np.array([0, 1, 1, 2, 7]), np.array([True, True, True, True, False])
    np.testing.assert_allclose(of_nothing(Classes(("a", "b", "c")), values, known), [0.25, 0.5, 0.25])
    np.testing.assert_allclose(of_nothing(Number("mm", 4.0, 2.0), values, known), [4.0])


def test_a_cohort_is_the_mean_over_its_labelled_cases_with_an_interval_over_groups() -> None:
    random = np.random.default_rng(0)
    values, pairs = random.normal(size=(20, 2, 3)), random.normal(size=(20, 1, 3))
    found = Shares(("a", "b"), np.zeros(3), values.sum(axis=1), values, pairs, (("a", "b"),))
    outputs = random.integers(-1, 3, size=20)
    groups = [f"g{i // 2}" for i in range(20)]
    told = cohort(found, outputs, groups, resamples=100, seed=0)
    use = outputs >= 0
    assert told["b"]["value"] == pytest.approx(values[use, 1, outputs[use]].mean())
    assert told["a*b"]["low"] < told["a*b"]["value"] < told["a*b"]["high"]
    size = cohort(found, outputs, groups, resamples=100, seed=0, absolute=True)["b"]["value"]
    assert size == pytest.approx(np.abs(values[use, 1, outputs[use]]).mean())
