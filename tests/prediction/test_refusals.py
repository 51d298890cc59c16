"""The same mistake is told in the same sentence by every door: keywords, records, the command line, a form."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner

import drifa
from drifa.cli.main import app
from drifa.errors import DrifaError
from drifa.prediction.cases import Case, check_cases
from drifa.prediction.refusals import nothing, unknown
from drifa.runs.run import Run
from tests.serving.clients import client_of

ENCODERS: Any = {"table": SimpleNamespace(columns=[SimpleNamespace(name="age"), SimpleNamespace(name="sex")])}
MODALITIES = {"photo": 3, "table": 2}


@pytest.mark.parametrize(
    ("images", "values", "words"),
    [
        (["foto"], {}, "'foto' of subject 'case' is no modality of this model, which has no columns (did you mean 'photo'?)"),
        ([], {"age": "5"}, "'age' of subject 'case' is no modality of this model, which has no columns (choices: photo, ultra"),
        ([], {}, "subject 'case' has neither an image nor a value; give one of photo, ultrasound"),
    ],
)
def test_every_door_says_the_same(paired_run: Run, tmp_path: Path, images: list[str], values: Any, words: str) -> None:
    picture = tmp_path / "case.png"
    Image.new("RGB", (8, 8)).save(picture)
    predictor = drifa.load(paired_run.folder)
    files: dict[str, Any] = dict.fromkeys(images, picture)
    said = []
    for ask in (
        lambda: predictor(**files, **values),
        lambda: predictor.predict_many([files | values]),
        lambda: predictor.predict([Case("case", files, values)]),
    ):
        with pytest.raises(DrifaError) as error:
            ask()
        said.append(str(error.value))
    told = [word for name in files for word in ("--image", f"{name}={picture}")]
    told += [word for name, value in values.items() for word in ("--value", f"{name}={value}")]
    done = CliRunner().invoke(app, ["predict", str(paired_run.folder), *told, "--quiet"])
    said.append(str(done.exception) if isinstance(done.exception, DrifaError) else done.output.removeprefix("error: ").strip())
    form = {name: (picture.name, picture.read_bytes()) for name in files} or {"subject": (None, "case")}
    with client_of(predictor) as client:
        said.append(client.post("/v1/predict", files=form, data=values).json()["error"]["message"])
    assert set(said) == {said[0]}
    assert said[0].startswith(words)


def test_what_is_given_for_the_other_kind_says_so() -> None:
    for images, values, words in (
        ({"age": Path("a.png")}, {}, "'age' of subject 'x' is a column, and an image is given; give a text or number"),
        ({}, {"photo": "5"}, "'photo' of subject 'x' is a modality of images, and a text or number is given; give an image"),
        (
            {"table": Path("a.png")},
            {},
            "'table' of subject 'x' is no modality or column of this model (choices: photo, age, sex)",
        ),
    ):
        with pytest.raises(DrifaError) as error:
            check_cases([Case("x", images, values)], MODALITIES, ENCODERS)
        assert str(error.value) == words


def test_the_names_are_those_that_can_be_given() -> None:
    assert "did you mean 'sex'" in unknown("sexe", "x", MODALITIES, ENCODERS)
    assert nothing("x", MODALITIES, ENCODERS).endswith("give one of photo, age, sex")
