"""The server against its own description: made-up requests find no failure and nothing that is not described."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from starlette.types import Receive, Scope, Send

from drifa.prediction.predictor import Predictor
from drifa.serving.app import create_app
from drifa.serving.schema import EVERYWHERE, OF_FORMS
from tests.prediction.test_asking import files

schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed: pip install 'drifa[test]'")


@pytest.fixture(scope="module")
def described(predictor: Predictor) -> Any:
    return description_of(predictor)


@pytest.fixture(scope="module")
def described_volumes(segmenter: Predictor) -> Any:
    return description_of(segmenter)


def description_of(predictor: Predictor) -> Any:
    """What a server says of itself; it may be known under any name, such as that of clients in this process."""
    app = create_app(predictor, host="0.0.0.0")

    async def requests_alone(scope: Scope, receive: Receive, send: Send) -> None:
        # Clients in this process end servers that know an end after each test.
        assert scope["type"] == "http"
        await app(scope, receive, send)

    return schemathesis.openapi.from_asgi("/openapi.json", requests_alone)


@pytest.mark.parametrize("mode", ["positive", "negative"])
def test_made_up_requests_are_answered_as_described(described: Any, mode: str) -> None:
    accepts, rejects = (
        schemathesis.checks.CHECKS.get_one(name) for name in ("positive_data_acceptance", "negative_data_rejection")
    )
    for operation in (result.ok() for result in described.get_all_operations()):
        told = described.raw_schema["paths"][operation.path][operation.method.lower()]
        if mode == "negative" and not {"requestBody", "parameters"} & told.keys():
            continue  # nothing can be sent that it forbids
        # Bytes made up for an image are none, which a schema cannot say; a batch is answered though none of its cases can be.
        unfit = [accepts, rejects] if operation.path == "/v1/predict/batch" else [accepts]
        ask(operation.as_strategy(generation_mode=schemathesis.GenerationMode(mode)), unfit)


def ask(cases: Any, unfit: list[Any]) -> None:
    @given(cases)
    @settings(max_examples=10, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    def one(case: Any) -> None:
        case.call_and_validate(excluded_checks=unfit)

    one()


def test_answers_are_as_described(described: Any, predictor: Predictor) -> None:
    whole = {name: path.read_bytes() for name, path in files(predictor.run, 1)[0].items()}
    asked: list[tuple[str, dict[str, bytes], dict[str, str]]] = [
        ("/v1/predict", whole, {}),
        ("/v1/predict", {"photo": whole["photo"]}, {}),
        ("/v1/predict/batch", {f"SUBJECT.{name}": content for name, content in whole.items()}, {}),
        ("/v1/explain", whole, {"layer": "layer2.0"}),
    ]
    for route, body, query in asked:
        case = described[route]["POST"].Case(body=body, query=query, media_type="multipart/form-data")
        assert case.call_and_validate().status_code == 200


@pytest.mark.parametrize("mode", ["positive", "negative"])
def test_made_up_volumes_are_answered_as_described(described_volumes: Any, mode: str) -> None:
    accepts = schemathesis.checks.CHECKS.get_one("positive_data_acceptance")
    operation = described_volumes["/v1/predict"]["POST"]
    ask(operation.as_strategy(generation_mode=schemathesis.GenerationMode(mode)), [accepts])


def test_answers_of_volumes_are_as_described(described_volumes: Any, volumes: dict[str, Path]) -> None:
    body = {name: path.read_bytes() for name, path in volumes.items()}
    for query in ({}, {"masks": True, "slices": True}):
        case = described_volumes["/v1/predict"]["POST"].Case(body=body, query=query, media_type="multipart/form-data")
        assert case.call_and_validate().status_code == 200


def test_every_status_of_a_form_is_described(described: Any, described_volumes: Any) -> None:
    forms = [(described, route) for route in ("/v1/predict", "/v1/predict/batch", "/v1/explain")]
    for one, route in [*forms, (described_volumes, "/v1/predict")]:
        told = one.raw_schema["paths"][route]["post"]["responses"]
        assert set(told) == {"200", *map(str, (*EVERYWHERE, *OF_FORMS))}
