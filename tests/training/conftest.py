"""A study and a run that the tests of training share."""

from __future__ import annotations

from pathlib import Path

import pytest

from drifa.data import make_phantom
from drifa.runs.run import Run
from drifa.training.train import train
from tests.training.recipes import recipe


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a phantom."""
    folder = tmp_path_factory.mktemp("phantom") / "study"
    make_phantom(folder, subjects=80, image_size=32)
    return folder


@pytest.fixture(scope="session")
def whole(study: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Four epochs in one go, with everything random switched on and a schedule that steps."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    return train(recipe(study, epochs=4), folder, quiet=True)
