"""A model to serve."""

from __future__ import annotations

import runpy
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn

import drifa
from drifa.config import make_config
from drifa.data import prepare
from drifa.prediction.predictor import Predictor
from drifa.runs.run import Run
from drifa.serving.app import create_app
from drifa.serving.run import listen
from drifa.training.train import train
from tests.evaluation.test_judge_volumes import GENERATOR, settings
from tests.prediction.test_volumes import images, undecided


@pytest.fixture(scope="session")
def predictor(paired_run: Run) -> Predictor:
    return drifa.load(paired_run.folder, device="cpu")


@pytest.fixture(scope="session")
def segmenter(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    """A model of volumes that sees each region in half of what it looks at."""
    folder = tmp_path_factory.mktemp("served-volumes")
    runpy.run_path(str(GENERATOR))["write"](folder / "raw")
    prepare("brats", folder / "raw", folder / "study")
    run = train(make_config(settings(folder / "study", epochs=1, members=1)), folder / "run", quiet=True)
    return undecided(run, 2)


@pytest.fixture(scope="session")
def volumes(segmenter: Predictor) -> dict[str, Path]:
    """Of a test subject: modality -> file."""
    return images(segmenter.run)


@pytest.fixture(scope="module")
def address(predictor: Predictor) -> Iterator[str]:
    """Of a server of its own."""
    with served(predictor) as address:
        yield address


@pytest.fixture(scope="module")
def address_of_volumes(segmenter: Predictor) -> Iterator[str]:
    """Of a server of its own, of a model of volumes."""
    with served(segmenter) as address:
        yield address


@contextmanager
def served(predictor: Predictor) -> Iterator[str]:
    """The address of a server of a model, which ends afterwards."""
    listening = listen("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(create_app(predictor), log_config=None, access_log=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
    server.should_exit = True
    thread.join()
    listening.close()
