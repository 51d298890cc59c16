"""Settings that do not go together are refused, and a modality may have its own."""

from __future__ import annotations

import pytest

from drifa import DrifaError
from drifa.config import make_config


@pytest.mark.parametrize(
    ("train", "message"),
    [
        ({"recipe": "standart"}, "train.recipe = 'standart'"),
        ({"epochs": 3, "freeze_epochs": 3}, "freeze_epochs 3 leaves no epoch"),
        ({"warmup": 2}, "belongs to schedule=cosine"),
        ({"ema": 1.0}, "train.ema = 1.0"),
        ({"class_weights": "root"}, "train.class_weights"),
        ({"optimiser": "sgd"}, r"unknown key 'train.optimiser' \(did you mean 'train.optimizer'"),
    ],
)
def test_settings_of_a_recipe_that_cannot_be_are_named(train: dict[str, object], message: str) -> None:
    with pytest.raises(DrifaError, match=message):
        make_config({"data": {"study": "s"}, "train": train})


def test_a_modality_may_have_its_own_augmentation() -> None:
    data = make_config({"data": {"study": "s", "flip": 0.5, "shift": 2, "augment": {"mri": {"flip": 0}}}}).data
    assert (data.augmentation("mri").flip, data.augmentation("mri").shift) == (0, 2)
    assert data.augmentation("photo").flip == 0.5
