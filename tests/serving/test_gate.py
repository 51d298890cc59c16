"""The gate: token, host, size, headers and log, whatever lies behind it."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from drifa.prediction.predictor import Predictor
from drifa.serving.gate import HEADERS, OPEN
from drifa.serving.limits import Limits
from tests.prediction.test_asking import files
from tests.serving.clients import client_of, form

TOKEN = "0123456789abcdef"


@pytest.fixture(scope="module")
def guarded(predictor: Predictor) -> Iterator[TestClient]:
    with client_of(predictor, token=TOKEN, host="0.0.0.0") as client:
        yield client


@pytest.mark.parametrize(
    "said", [None, TOKEN, f"Basic {TOKEN}", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", "Bearer ", "Bearer é"]
)
@pytest.mark.parametrize("path", ["/v1/model", "/metrics", "/openapi.json", "/v1/nothing"])
def test_without_the_token_nothing_is_said(guarded: TestClient, path: str, said: str | None) -> None:
    response = guarded.get(path, headers={"Authorization": said.encode("latin-1")} if said else {})
    assert (response.status_code, response.json()["error"]["type"]) == (401, "token")
    assert response.headers["WWW-Authenticate"] == "Bearer"


def test_with_the_token_all_is_said(guarded: TestClient, predictor: Predictor) -> None:
    header = {"Authorization": f"Bearer {TOKEN}"}
    assert guarded.get("/v1/model", headers=header).status_code == 200
    case = files(predictor.run, 1)[0]
    assert guarded.post("/v1/predict", files=form(case)).status_code == 401
    assert guarded.post("/v1/predict", files=form(case), headers=header).status_code == 200
    assert guarded.get("/v1/model", headers=header | {"Host": "clinic.example"}).status_code == 200


def test_the_description_says_how_to_say_the_token(guarded: TestClient, predictor: Predictor) -> None:
    told = guarded.get("/openapi.json", headers={"Authorization": f"Bearer {TOKEN}"}).json()
    schemes = told["components"]["securitySchemes"]
    assert [(one["type"], one["scheme"]) for one in schemes.values()] == [("http", "bearer")]
    asked = [route["security"] for path, routes in told["paths"].items() for route in routes.values() if path.startswith("/v1")]
    assert asked == [[{key: [] for key in schemes}]] * len(asked)
    with client_of(predictor) as free:
        assert "securitySchemes" not in free.get("/openapi.json").json().get("components", {})


def test_the_page_itself_needs_no_token(guarded: TestClient) -> None:
    assert {guarded.get(path).status_code for path in OPEN} == {200}


def test_every_response_has_the_headers_and_none_lets_other_pages_in(guarded: TestClient) -> None:
    for path in (*OPEN, "/v1/model", "/v1/nothing"):
        response = guarded.get(path, headers={"Origin": "https://elsewhere.example"})
        assert {name: response.headers[name] for name in HEADERS} == HEADERS
        assert "Access-Control-Allow-Origin" not in response.headers
    policy = HEADERS["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert not re.search(r"unsafe|https?:|\*", policy)


def test_a_page_that_takes_over_the_address_is_not_answered(predictor: Predictor) -> None:
    with client_of(predictor) as client:
        for host, status in (("evil.example", 421), ("evil.example:8000", 421), ("localhost:8000", 200), ("[::1]:8000", 200)):
            assert client.get("/v1/model", headers={"Host": host}).status_code == status


@pytest.mark.parametrize("chunked", [True, False])
def test_a_request_that_is_too_large_is_not_read(predictor: Predictor, chunked: bool) -> None:
    read = 0

    def parts() -> Iterator[bytes]:
        nonlocal read
        yield b'--b\r\nContent-Disposition: form-data; name="photo"; filename="a.png"\r\n\r\n'
        for _ in range(50):
            read += 1
            yield b"x" * 1000

    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    with client_of(predictor, limits=Limits(body=5000)) as client:
        body = parts() if chunked else b"".join(parts())
        response = client.post("/v1/predict", content=body, headers=kind)
    assert (response.status_code, response.json()["error"]["type"]) == (413, "size")


def test_the_log_has_the_id_the_status_and_the_time_alone(predictor: Predictor, caplog: pytest.LogCaptureFixture) -> None:
    case = files(predictor.run, 1)[0]
    with caplog.at_level(logging.INFO), client_of(predictor) as client:
        response = client.post("/v1/predict?who=Jane", files=form(case), data={"subject": "Jane"})
        counted = client.get("/metrics").text
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("drifa")]
    assert re.fullmatch(rf"request {response.headers['X-Request-ID']} 200 \d+\.\d{{3}} s", lines[0])
    assert not any(word in "".join(lines) for word in ("Jane", "photo", *(path.name for path in case.values())))
    assert 'drifa_requests_total{route="/v1/predict",status="200"} 1' in counted
