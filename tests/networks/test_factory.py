"""create_model: where the modules stand, settings by modality, and arguments refused with the remedy."""

from __future__ import annotations

from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file

from drifa import DrifaError, create_model, load_model, save_model
from tests.networks.mixed import MIXED, mixed
from tests.networks.tiny import PAPER, TINY


@pytest.mark.parametrize(
    ("options", "count"),
    [
        ({}, 53_856_068),
        ({"conv_bias": True}, 53_865_668),
        ({"conv_bias": True, "mifa": False}, 51_765_180),
        ({"conv_bias": True, "mfa": False}, 24_475_412),
        ({"conv_bias": True, "fusion": "concat"}, 22_374_924),
        ({"fusion": "concat"}, 22_365_324),
    ],
)
def test_parameter_counts_are_those_of_the_paper(options: dict, count: int) -> None:
    net = create_model(**PAPER, **options)
    assert sum(p.numel() for p in net.parameters() if p.requires_grad) == count


def test_dropout_stands_behind_all_blocks_but_the_last_two() -> None:
    net = create_model(**PAPER, backbone_args={"channels": [4, 4, 8, 8]})
    assert list(net.drop_stages) == [0, 1, 2, 3, 4, 5]
    assert list(create_model(**PAPER, backbone_args=TINY, dropout_at="head").drop_stages) == []


def test_mifa_stands_after_every_block_or_every_level() -> None:
    narrow = {"channels": [4, 4, 8, 8]}
    assert len(create_model(**PAPER, backbone_args=narrow).fusion.mifa) == 8
    assert len(create_model(**PAPER, backbone_args=narrow, mifa_at="stage").fusion.mifa) == 4
    assert len(create_model(**PAPER, backbone_args=narrow, mifa=False).fusion.mifa) == 0


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"fusion": "drifa_net"}, "did you mean 'drifa'"),
        ({"dropout": 1.0}, "probability"),
        ({"dropout_at": "block"}, "blocks"),
        ({"mfa_at": "convs"}, "conv"),
        ({"mifa_at": "conv"}, "block"),
        ({"tasks": {}}, "tasks="),
        ({"tasks": {"t": 1}}, "at least 2"),
        ({"modalities": {"a.b": 3}}, "cannot name a modality"),
        ({"mfa": {"hfa": True}}, "hfa"),
        ({"mifa": {"mgfa": True}}, "mgfa"),
        ({"task_modalities": {"cell": ["smear"]}}, "smear"),
        ({"task_modalities": {"cells": ["pap_smear"]}}, "did you mean 'cell'"),
        ({"fusion": "single"}, "task_modalities="),
        ({"dropout": "much"}, "dropout='much' is not a probability"),
        ({"reduction": 1.5}, "reduction=1.5 is not a whole number"),
    ],
)
def test_wrong_arguments_are_refused_with_the_remedy(options: dict, word: str) -> None:
    with pytest.raises(DrifaError, match=word):
        create_model(backbone_args=TINY, **{**PAPER, **options})


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"backbone": {"photo": "resnet10t"}}, "says nothing about the modality 'mri'"),
        ({"backbone": {**MIXED, "mrt": "resnet10t"}}, "did you mean 'mri'"),
        ({"backbone": {**MIXED, "mri": "resnet19"}}, "resnet19"),
        ({"pretrained": {"foto": True}}, "did you mean 'photo'"),
        ({"normalisation": [0.5, 0.5]}, "normalisation is a mapping"),
        ({"normalisation": {"foto": ([0.5] * 3, [0.2] * 3)}}, "did you mean 'photo'"),
        ({"normalisation": {"photo": (0.5, 0.2)}}, "of 3 channels"),
        ({"normalisation": {"photo": ([0.5], [0.2])}}, "of 3 channels"),
        ({"normalisation": {"photo": ([0.5] * 3, [0.2, 0.2, 0.0])}}, "deviations above 0"),
        ({"normalisation": {"photo": ([float("nan")] * 3, [0.2] * 3)}}, "of 3 channels"),
        ({"mfa": "yes"}, "neither True nor False"),
        ({"mifa": 1.0}, "neither True nor False"),
        ({"mifa_at": ["layer9"]}, "did you mean 'layer"),
        ({"mifa_at": [4]}, "4"),
        ({"mifa_at": []}, "mifa=False"),
    ],
)
def test_wrong_settings_by_modality_are_refused_with_the_remedy(options: dict, word: str) -> None:
    with pytest.raises(DrifaError, match=word):
        mixed(**options)


def test_pretrained_branches_see_images_as_their_weights_know_them(tmp_path: Path) -> None:
    plain = timm.create_model("resnet18", **TINY)
    told, silent = tmp_path / "told.safetensors", tmp_path / "silent.safetensors"
    state = {key: value.contiguous() for key, value in plain.state_dict().items()}
    save_file(state, told, metadata={"mean": "[0.1, 0.2, 0.3]", "std": "[0.4, 0.5, 0.6]"})
    save_file(state, silent)
    net = create_model(
        modalities={"a": 3, "b": 3, "c": 1, "d": 3},
        tasks={"t": 2},
        backbone_args=TINY,
        pretrained={"a": str(told), "b": str(silent), "c": str(silent)},
    )
    image = {
        name: torch.full((1, channels, 32, 32), 51, dtype=torch.uint8) for name, channels in net.config["modalities"].items()
    }
    found = {name: values[0, :, 0, 0] for name, values in net.to_input(image).items()}
    torch.testing.assert_close(found["a"], (0.2 - torch.tensor([0.1, 0.2, 0.3])) / torch.tensor([0.4, 0.5, 0.6]))
    imagenet = timm.models.get_pretrained_cfg("resnet18")
    torch.testing.assert_close(found["b"], (0.2 - torch.tensor(imagenet.mean)) / torch.tensor(imagenet.std))
    grey = (0.2 - sum(imagenet.mean) / 3) / (sum(imagenet.std) / 3)
    torch.testing.assert_close(found["c"], torch.tensor([grey]))
    torch.testing.assert_close(found["d"], torch.full((3,), -0.6))  # not pretrained: 0.5 and 0.5
    assert "as the file says" in net.loaded["a"]
    # It belongs to the model: a saved network reads images in the same way.
    again = load_model(save_model(net, tmp_path / "model"))
    for name, values in again.to_input(image).items():
        assert torch.equal(values, net.to_input(image)[name])
