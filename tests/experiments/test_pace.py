"""Time that is left is learned arm by arm; what nothing is known of is guessed from one step for the rows that will be seen."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from drifa.experiments import pace
from drifa.experiments.pace import ROWS, Pace, guess_seconds
from drifa.experiments.plan import Plan
from drifa.networks import FusionNet, create_model
from drifa.tasks import learn_kinds
from drifa.training.job import build_network


def test_nothing_is_known_before_a_job_is_done() -> None:
    assert Pace().left(["a", "b"]) is None


def test_jobs_take_what_others_of_their_arm_took() -> None:
    learned = Pace(side_by_side=2)
    for arm, seconds in (("a", 10), ("a", 12), ("a", 50), ("b", 100)):
        learned.add(arm, seconds)
    assert learned.left(["a", "b", "b"]) == (12 + 100 + 100) / 2
    # An arm of which nothing is known takes the mean of the others.
    assert learned.left(["c"]) == (12 + 100) / 2 / 2
    assert learned.left([]) == 0


def test_a_guess_is_one_step_for_the_rows_of_all_epochs(plan: Plan, phantom: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = itertools.count()
    monkeypatch.setattr(pace.time, "perf_counter", lambda: float(next(clock)))  # each step seems to take a second
    config, study = plan.jobs[0].config.model_copy(deep=True), plan.studies[plan.jobs[0].arm]
    subjects = study.subjects()
    rows = len(subjects.in_split("train")) + len(subjects.in_split("val")) / 3
    net = build_network(config, study, learn_kinds(study, config))
    for epochs in (1, 5):
        config.train.epochs = epochs
        assert guess_seconds(config, study, net) == pytest.approx(epochs * rows / ROWS)


@pytest.mark.parametrize(("flip", "runs"), [(0.0, 1), (0.5, 2)])
def test_a_frozen_encoder_is_left_out_where_its_maps_are_kept(plan: Plan, flip: float, runs: int) -> None:
    config, study = plan.jobs[0].config.model_copy(deep=True), plan.studies[plan.jobs[0].arm]
    for name in ("degrees", "shift", "intensity", "flip", "flip_vertical"):
        setattr(config.data, name, 0.0)
    config.data.flip, config.data.quarter_turns = flip, False
    net = create_model(
        "resnet18",
        "concat",
        {name: modality.channels for name, modality in study.modalities.items()},
        {"depth": 2},
        attach="intermediates",
    )
    assert isinstance(net, FusionNet)
    net.freeze()
    (first, *_) = net.branches.values()
    seen: list[int] = []
    first.encoder.register_forward_hook(lambda _, inputs, __: seen.append(len(inputs[0])))
    assert guess_seconds(config, study, net) > 0
    assert seen.count(ROWS) == runs
