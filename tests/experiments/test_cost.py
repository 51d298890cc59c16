"""The cost that is told beforehand is that of the networks that are trained."""

from __future__ import annotations

from pathlib import Path

from drifa.experiments.comparison import Comparison
from drifa.experiments.cost import costs
from drifa.experiments.jobs import Outcome
from drifa.experiments.plan import Plan


def test_costs_are_those_of_the_trained_networks(
    plan: Plan, done: tuple[Path, list[Outcome], Comparison], tmp_path: Path
) -> None:
    before = costs(plan, tmp_path)
    for cost, arm in zip(before, done[2].arms, strict=True):
        assert (cost.arm, cost.parameters, cost.macs) == (arm.name, arm.parameters, arm.macs)
        assert cost.left == 2
        assert cost.guessed
        assert cost.seconds
    assert not any(tmp_path.iterdir())
    assert [(cost.left, cost.seconds, cost.guessed) for cost in costs(plan, done[0])] == [(0, 0, False), (0, 0, False)]
