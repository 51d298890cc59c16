"""Examples are pictures of the phantom, for its models alone."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import Any

import numpy as np
from PIL import Image

from drifa.serving.examples import EXAMPLES, examples_of, picture


def model(name: str, *modalities: str) -> Any:
    info = SimpleNamespace(study={"name": name}, modalities=dict.fromkeys(modalities, 3))
    return SimpleNamespace(run=SimpleNamespace(info=info))


def test_only_models_of_the_phantom_have_examples() -> None:
    assert examples_of(model("phantom", "photo", "ultrasound")) == list(EXAMPLES)
    assert examples_of(model("phantom_unpaired", "photo")) == list(EXAMPLES)
    assert examples_of(model("ham10000", "photo")) == examples_of(model("phantom", "photo", "table")) == []


def test_an_example_is_the_same_every_time_and_unlike_the_others() -> None:
    seen = []
    for number in range(len(EXAMPLES)):
        for modality, bands in (("photo", 3), ("ultrasound", 1)):
            content = picture(number, modality)
            assert content is not None
            assert content == picture(number, modality)
            image = Image.open(io.BytesIO(content))
            assert len(image.getbands()) == bands
            assert np.asarray(image).std() > 5
            seen.append(content)
    assert len(set(seen)) == len(seen)
    assert picture(len(EXAMPLES), "photo") is picture(-1, "photo") is picture(0, "scan") is None
