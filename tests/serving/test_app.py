"""The routes: each client gets the answer that the predictor gives to what it sent, and every error in one form."""

from __future__ import annotations

import json
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from drifa.prediction.answers import Answer
from drifa.prediction.cases import Case
from drifa.prediction.predictor import Predictor
from drifa.serving.limits import Limits
from tests.prediction.test_asking import files
from tests.serving.clients import client_of, form


def plain(answer: Answer) -> Any:
    """As `drifa predict --json` writes it, with the names of the files alone."""
    told = json.loads(json.dumps(answer.to_dict()))
    return told | {"images": {name: Path(path).name for name, path in told["images"].items()}}


def test_an_answer_is_that_of_the_predictor(predictor: Predictor) -> None:
    case = files(predictor.run, 1)[0]
    expected = predictor.predict([Case("P1", case)]).cases[0]
    with client_of(predictor) as client:
        response = client.post("/v1/predict", files=form(case), data={"subject": "P1"})
    assert response.status_code == 200, response.text
    assert response.json() == plain(expected)


def test_answers_are_never_mixed_between_clients(predictor: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = files(predictor.run, 4)
    cases = [*whole, *({"photo": case["photo"]} for case in whole)]
    expected = [plain(predictor.predict([Case("case", case)]).cases[0]) for case in cases]
    assert len({json.dumps(answer["tasks"]) for answer in expected}) == 8
    asked: list[int] = []
    predict = type(predictor).predict

    def counting(self: Predictor, cases: Any, *args: Any, **kwargs: Any) -> Any:
        asked.append(len(cases))
        return predict(self, cases, *args, **kwargs)

    monkeypatch.setattr(type(predictor), "predict", counting)
    sent = [form(case) for case in cases] + [{"photo": ("a.png", b"no picture")}, {"foto": ("a.png", b"x")}]
    with client_of(predictor) as client, ThreadPoolExecutor(10) as pool:
        for _ in range(2):
            found = list(pool.map(lambda files: client.post("/v1/predict", files=files).json(), sent))
            assert [told["error"]["field"] for told in found[8:]] == ["photo", "foto"]
            assert_alike(found[:8], expected)
        asked.clear()
        assert_alike(list(pool.map(lambda files: client.post("/v1/predict", files=files).json(), sent[:8])), expected)
    assert sum(asked) == 8
    assert max(asked) > 1


def assert_alike(found: Any, expected: Any) -> None:
    """To rounding: a batch adds up in another order than one case."""
    if isinstance(expected, dict):
        assert found.keys() == expected.keys()
        for key in expected:
            assert_alike(found[key], expected[key])
    elif isinstance(expected, list):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert_alike(one, other)
    else:
        assert found == pytest.approx(expected, abs=1e-5) if isinstance(expected, float) else found == expected


def test_a_batch_answers_whom_it_can(predictor: Predictor) -> None:
    cases = files(predictor.run, 2)
    sent = {**form(cases[0], "a.b."), "bad.photo": ("x y.png", b"no picture"), **form(cases[1], "c.")}
    expected = predictor.predict([Case("a.b", cases[0]), Case("c", cases[1])])
    with client_of(predictor) as client:
        told = client.post("/v1/predict/batch", files=sent).json()
    assert [case["subject"] for case in told["cases"]] == ["a.b", "c"]
    assert [case["tasks"] for case in told["cases"]] == [plain(answer)["tasks"] for answer in expected.cases]
    (failure,) = told["failures"]
    assert (failure["subject"], failure["file"]) == ("bad", "x_y.png")
    assert failure["reason"].startswith("x_y.png is not a BMP")


@pytest.mark.parametrize(
    ("sent", "field", "words"),
    [
        ({"photo": ("notes.png", b"no picture")}, "photo", "notes.png is not a BMP"),
        ({"photo": ("../../etc/passwd", b"")}, "photo", "passwd is empty"),
        ({"phoot": ("a.png", b"x")}, "phoot", "did you mean 'photo'?"),
    ],
)
def test_a_wrong_file_is_named_as_on_the_command_line(predictor: Predictor, sent: Any, field: str, words: str) -> None:
    with client_of(predictor) as client:
        response = client.post("/v1/predict", files=sent)
    told = response.json()["error"]
    assert (response.status_code, told["type"], told["field"]) == (422, "input", field)
    assert words in told["message"]
    assert tempfile.gettempdir() not in response.text


def test_a_path_in_the_place_of_a_file_is_not_read(predictor: Predictor) -> None:
    path = files(predictor.run, 1)[0]["photo"]
    with client_of(predictor) as client:
        for named in (str(path), f"../{path}", path.as_uri()):
            response = client.post("/v1/predict", files={"photo": (None, named)})
            assert response.status_code == 422, response.text
            assert "tasks" not in response.json()


def test_values_without_a_column_and_forms_without_a_case_are_refused(predictor: Predictor) -> None:
    case = files(predictor.run, 1)[0]
    with client_of(predictor) as client:
        strange = client.post("/v1/predict", files=form(case), data={"age": "45"})
        nothing = client.post("/v1/predict", files={"subject": (None, "P1")})
        nobody = client.post("/v1/predict/batch", files=form(case))
        twice = client.post("/v1/predict", files=[*form(case).items(), *form(case).items()])
    told = [response.json()["error"] for response in (strange, nothing, nobody, twice)]
    assert [response.status_code for response in (strange, nothing, nobody, twice)] == [422] * 4
    assert [one["field"] for one in told] == ["age", None, next(iter(case)), next(iter(case))]
    assert told[0]["message"].startswith("'age' of subject 'case' is no modality of this model")
    assert "subject 'P1' has neither an image nor a value" in told[1]["message"]


def test_what_is_no_whole_form_is_refused(predictor: Predictor) -> None:
    picture = files(predictor.run, 1)[0]["photo"].read_bytes()
    part = b'--b\r\nContent-Disposition: form-data; name="photo"; filename="a.png"\r\n\r\n' + picture
    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    with client_of(predictor) as client:
        assert client.post("/v1/predict", content=part + b"\r\n--b--\r\n", headers=kind).status_code == 200
        cut = client.post("/v1/predict", content=part, headers=kind)
        other = client.post("/v1/predict", json={"photo": "a.png"})
        many = client.post("/v1/predict", files=[("photo", ("a.png", b"x"))] * 50)
        nowhere, method = client.get("/v1/nothing"), client.get("/v1/predict")
    found = [(one.status_code, one.json()["error"]["type"]) for one in (cut, other, many, nowhere, method)]
    assert found == [(400, "form"), (415, "media"), (400, "form"), (404, "not_found"), (405, "method")]
    assert method.headers["Allow"] == "POST"


def test_nothing_of_a_request_stays(predictor: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    case = files(predictor.run, 1)[0]
    seen: list[list[Path]] = []
    predict = type(predictor).predict
    monkeypatch.setattr(
        type(predictor),
        "predict",
        lambda self, *args, **kwargs: (seen.append(list(tmp_path.iterdir())), predict(self, *args, **kwargs))[1],
    )
    with client_of(predictor) as client:
        assert client.post("/v1/predict", files=form(case)).status_code == 200
        assert client.post("/v1/predict", files={**form(case), "photo": ("a.png", b"no")}).status_code == 422
    assert [len(folders) for folders in seen] == [1, 1]
    assert list(tmp_path.iterdir()) == []


def test_a_full_server_a_slow_one_and_one_that_ends_say_so(predictor: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = form(files(predictor.run, 1)[0])
    with client_of(predictor, limits=Limits(waiting=0)) as client:
        full = client.post("/v1/predict", files=sent)
    with client_of(predictor, limits=Limits(seconds=1e-9)) as client:
        slow = client.post("/v1/predict", files=sent)
    with client_of(predictor) as client:
        client.app.state.desk.closing = True  # type: ignore[attr-defined]
        ends, health = client.post("/v1/predict", files=sent), client.get("/health")
    found = [(one.status_code, one.json()["error"]["type"]) for one in (full, slow, ends)]
    assert found == [(429, "busy"), (503, "timeout"), (503, "closing")]
    assert (full.headers["Retry-After"], health.status_code) == ("5", 503)


def test_the_model_tells_what_it_takes_and_the_routes_describe_themselves(predictor: Predictor) -> None:
    with client_of(predictor) as client:
        model, routes = client.get("/v1/model").json(), client.get("/openapi.json").json()
        assert client.get("/health").json() == {"status": "ok"}
    assert list(model["modalities"]) == list(predictor.run.info.modalities)
    assert list(model["tasks"]) == list(predictor.kinds)
    body = routes["paths"]["/v1/predict"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert set(body["properties"]) == {*model["modalities"], "subject"}
    assert {"/v1/predict/batch", "/v1/explain", "/metrics"} <= set(routes["paths"])


def test_an_explanation_is_of_the_predicted_class(predictor: Predictor) -> None:
    case = files(predictor.run, 1)[0]
    with client_of(predictor) as client:
        answer = client.post("/v1/predict", files=form(case)).json()
        told = client.post("/v1/explain", params={"layer": "layer2.0"}, files=form(case)).json()
        unknown = client.post("/v1/explain", params={"layer": "layer9"}, files=form(case))
    assert {name: one["output"] for name, one in told["tasks"].items()} == {
        name: one["predicted"] for name, one in answer["tasks"].items()
    }
    assert set(told["images"]) == set(case)
    assert unknown.status_code == 422


def test_examples_can_be_asked(predictor: Predictor) -> None:
    with client_of(predictor) as client:
        for number, _ in enumerate(client.get("/v1/model").json()["examples"]):
            sent = {name: ("a.png", client.get(f"/v1/examples/{number}/{name}").content) for name in ("photo", "ultrasound")}
            assert client.post("/v1/predict", files=sent).json()["condition"] == "paired"
        assert client.get("/v1/examples/9/photo").json()["error"]["type"] == "not_found"
        assert client.get("/v1/examples/one/photo").json()["error"]["field"] == "number"


def test_a_failure_of_ours_tells_and_logs_nothing_of_the_case(
    predictor: Predictor, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*args: Any) -> None:
        raise RuntimeError("Jane Doe")

    monkeypatch.setattr("drifa.serving.answering.answer_one", fails)
    with caplog.at_level("INFO"), client_of(predictor) as client:
        response = client.post("/v1/predict", files=form(files(predictor.run, 1)[0]), data={"subject": "Jane Doe"})
    assert (response.status_code, response.json()["error"]["type"]) == (500, "internal")
    assert response.headers["X-Request-ID"] in response.text
    assert "Jane" not in response.text + caplog.text
    assert f"request {response.headers['X-Request-ID']} failed with RuntimeError" in caplog.text
