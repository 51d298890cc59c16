"""A tiny experiment: two arms, two seeds, one epoch on a phantom of 60 cases; made once, never changed by a test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from drifa.experiments.comparison import Comparison
from drifa.experiments.experiment import read_experiment
from drifa.experiments.jobs import Outcome
from drifa.experiments.plan import Plan, make_plan
from tests.studies import tiny_config

Write = Callable[..., Path]


@pytest.fixture(scope="session")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from drifa.data import make_phantom

    folder = tmp_path_factory.mktemp("phantom") / "study"
    make_phantom(folder, subjects=60, image_size=32)
    return folder


@pytest.fixture(scope="session")
def write(phantom: Path, tmp_path_factory: pytest.TempPathFactory) -> Write:
    """Writes an experiment file; what is given replaces its keys, and None takes one out."""

    def make(**changes: Any) -> Path:
        raw = {
            "config": tiny_config(phantom, epochs=1).model_dump(mode="json", exclude_unset=True),
            "arms": {"drifa": ["model.fusion=drifa"], "concat": {"model": {"fusion": "concat"}}},
            "seeds": [0, 1],
            "metrics": ["balanced_accuracy", "nll"],
            "primary": "drifa - concat, balanced_accuracy, depth",
            "resamples": 200,
        }
        path = tmp_path_factory.mktemp("file") / "tiny.yaml"
        path.write_text(
            yaml.safe_dump({key: value for key, value in (raw | changes).items() if value is not None}, sort_keys=False)
        )
        return path

    return make


@pytest.fixture(scope="session")
def plan(write: Write) -> Plan:
    return make_plan(read_experiment(write()))


@pytest.fixture(scope="session")
def done(plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Outcome], Comparison]:
    from drifa.experiments.run import run_experiment

    folder = tmp_path_factory.mktemp("experiment") / "out"
    return folder, *run_experiment(plan, folder, quiet=True)
