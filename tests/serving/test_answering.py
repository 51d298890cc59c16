"""What is said of a case: no path of this machine, and maps that are files."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from drifa.prediction.predictor import Predictor
from drifa.serving.answering import answer_one, explain_one
from drifa.serving.forms import Sent
from drifa.serving.limits import Refusal
from tests.prediction.test_asking import files


def sent_of(predictor: Predictor) -> Sent:
    case = files(predictor.run, 1)[0]
    return Sent("/clinic/ward/P1", {name: (path.name, io.BytesIO(path.read_bytes())) for name, path in case.items()})


def test_paths_shrink_and_what_the_client_said_stays(predictor: Predictor) -> None:
    sent = sent_of(predictor)
    told = answer_one(predictor, sent)
    assert told["images"] == {name: called for name, (called, _) in sent.files.items()}
    assert told["subject"] == "/clinic/ward/P1"


def test_two_uploads_of_one_picture_are_noticed_without_their_paths(predictor: Predictor) -> None:
    picture = files(predictor.run, 1)[0]["photo"].read_bytes()
    told = answer_one(predictor, Sent(files={name: ("same.png", io.BytesIO(picture)) for name in ("photo", "ultrasound")}))
    assert told["warnings"]
    assert "drifa-serve" not in str(told)


def test_maps_are_transparent_where_nothing_speaks_for_the_answer(predictor: Predictor) -> None:
    told = explain_one(predictor, sent_of(predictor), "layer2.0")
    size = predictor.run.info.image_size
    for name, channels in predictor.run.info.modalities.items():
        picture = Image.open(io.BytesIO(base64.b64decode(told["images"][name])))
        assert (picture.size, len(picture.getbands())) == ((size, size), channels)
    opacities = []
    for task in told["tasks"].values():
        for name, map_ in task["maps"].items():
            picture = Image.open(io.BytesIO(base64.b64decode(map_)))
            assert (picture.size, picture.mode, name in told["images"]) == ((size, size), "RGBA", True)
            opacities.append(np.asarray(picture)[..., 3])
    assert max(each.max() for each in opacities) > 100
    assert min(each.min() for each in opacities) < 50


def test_maps_of_one_pixel_are_refused_with_the_remedy(predictor: Predictor) -> None:
    with pytest.raises(Refusal, match="take an earlier layer"):
        explain_one(predictor, sent_of(predictor), "layer4.0")
