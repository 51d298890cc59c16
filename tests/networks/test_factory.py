"""create_model: where the modules stand, settings by modality, and arguments refused with the remedy."""

from __future__ import annotations

import pytest

from drifa import DrifaError, create_model
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
        ({"mifa_at": ["layer9"]}, "did you mean 'layer"),
        ({"mifa_at": [4]}, "4"),
        ({"mifa_at": []}, "mifa=False"),
    ],
)
def test_wrong_settings_by_modality_are_refused_with_the_remedy(options: dict, word: str) -> None:
    with pytest.raises(DrifaError, match=word):
        mixed(**options)
