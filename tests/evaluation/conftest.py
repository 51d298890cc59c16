"""One tiny trained run on paired and one on unpaired data, shared by the tests of this folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.studies import tiny_config

from drifa.data import make_phantom
from drifa.evaluation.evaluate import evaluate
from drifa.training.run import Run
from drifa.training.train import train


def trained(folder: Path, paired: bool) -> Run:
    make_phantom(folder / "study", subjects=70, image_size=32, paired=paired)
    run = train(tiny_config(folder / "study", epochs=1), folder / "run", quiet=True)
    evaluate(run.folder)
    return run


@pytest.fixture(scope="session")
def paired_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return trained(tmp_path_factory.mktemp("paired"), paired=True)


@pytest.fixture(scope="session")
def unpaired_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return trained(tmp_path_factory.mktemp("unpaired"), paired=False)
