"""A model to serve."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import uvicorn

import drifa
from drifa.prediction.predictor import Predictor
from drifa.runs.run import Run
from drifa.serving.app import create_app
from drifa.serving.run import listen


@pytest.fixture(scope="session")
def predictor(paired_run: Run) -> Predictor:
    return drifa.load(paired_run.folder, device="cpu")


@pytest.fixture(scope="module")
def address(predictor: Predictor) -> Iterator[str]:
    """Of a server of its own."""
    listening = listen("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(create_app(predictor), log_config=None, access_log=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
    server.should_exit = True
    thread.join()
    listening.close()
