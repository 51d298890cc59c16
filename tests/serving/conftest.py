"""A model to serve."""

from __future__ import annotations

import pytest

import drifa
from drifa.prediction.predictor import Predictor
from drifa.runs.run import Run


@pytest.fixture(scope="session")
def predictor(paired_run: Run) -> Predictor:
    return drifa.load(paired_run.folder, device="cpu")
