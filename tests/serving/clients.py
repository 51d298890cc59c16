"""Clients of a server in the same process, and forms for them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient

from drifa.prediction.predictor import Predictor
from drifa.serving.app import create_app

HOME = "http://127.0.0.1:8000"


def client_of(predictor: Predictor, **settings: Any) -> TestClient:
    """Somebody who asks a server of a model."""
    return TestClient(create_app(predictor, **settings), base_url=HOME)


def form(case: Mapping[str, Path], before: str = "") -> dict[str, tuple[str, bytes]]:
    """The files of a case as the fields of a form."""
    return {f"{before}{name}": (path.name, path.read_bytes()) for name, path in case.items()}
