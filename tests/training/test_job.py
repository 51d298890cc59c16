"""What a training is made of fits the study and the configuration, or is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from drifa import DrifaError
from drifa.training.train import train
from tests.studies import tiny_config
from tests.training.recipes import recipe


@pytest.mark.parametrize(
    ("section", "settings", "message"),
    [
        ("data", {"image_size": 16}, r"16×16 pixels.*32×32 at least"),
        ("data", {"image_size": 0}, "is for segmentation"),
        ("model", {"fusion": "driffa"}, "did you mean 'drifa'"),
        ("model", {"backbone": "resnet81"}, "near names: resnet18"),
    ],
)
def test_what_cannot_be_trained_is_refused_before_anything_is_written(
    study: Path, tmp_path: Path, section: str, settings: dict[str, object], message: str
) -> None:
    config = tiny_config(study)
    for key, value in settings.items():
        setattr(getattr(config, section), key, value)
    config.model.backbone_args = {}
    with pytest.raises(DrifaError, match=message):
        train(config, tmp_path / "run", quiet=True)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("key", "value"), [("width", 0.5), ("norm", "group"), ("indices", "mean"), ("output", "classes")])
def test_a_setting_of_segmentation_networks_is_refused_for_images(study: Path, tmp_path: Path, key: str, value: object) -> None:
    config = recipe(study)
    setattr(config.model, key, value)
    with pytest.raises(DrifaError, match=rf"model\.{key} is for segmentation"):
        train(config, tmp_path / "run", quiet=True)
