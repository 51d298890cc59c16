"""A call that is given the wrong thing says in one sentence what it was and what is needed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from drifa import MFA, MIFA, DrifaError, Predictor, create_model, create_segmentation_model, load, load_model, save_model
from drifa.networks.arguments import device_of, path_of

TINY = {"layers": [1, 1, 1, 1], "channels": [4, 4, 8, 8]}
IMAGES = torch.rand(2, 3, 32, 32)
MAPS = torch.rand(2, 8, 5, 5)
KEYS = torch.zeros(2, dtype=torch.int64)


@pytest.fixture(scope="module")
def net() -> Any:
    return create_model(modalities={"photo": 3, "scan": 1}, tasks={"lesion": 2}, backbone_args=TINY).eval()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda net: net(IMAGES), r"reads a mapping .*'photo'.*, not a Tensor \[2, 3, 32, 32\] of float32"),
        (lambda net: net([IMAGES]), "reads a mapping"),
        (lambda net: net.to_input(IMAGES), "reads a mapping"),
        (lambda net: net.sample(IMAGES, None, KEYS[None]), "reads a mapping"),
        (lambda net: net({"photo": IMAGES.mul(255).byte()}), r"'photo' has numbers of uint8; .*to_input"),
        (lambda net: net({"photo": IMAGES.double()}), r"'photo' has numbers of float64.*computes in float32"),
        (lambda net: net({"photo": IMAGES.numpy()}), r"'photo' is given as a ndarray \[2, 3, 32, 32\] of float32"),
        (lambda net: net({"photo": IMAGES[:0]}), r"no rows: modality 'photo' has shape \(0, 3, 32, 32\)"),
        (lambda net: net({"photo": IMAGES[:0], "scan": IMAGES[:0, :1]}), "no rows"),
        (lambda net: net({"photo": "photo.png"}), "'photo' is given as 'photo.png'; a tensor"),
        (lambda net: net({"photo": IMAGES}, [[True, False]] * 2), r"present must be bool \[2, 2\]"),
        (lambda net: net({"photo": IMAGES}, None, KEYS[:1]), r"dropout_keys must be int64 \[B\], with B=2 rows, not"),
        (lambda net: net.sample({"photo": IMAGES}, None, KEYS), r"dropout_keys must be int64 \[T, B\]"),
        (lambda net: net.over_subsets({"photo": IMAGES}, None, [["photo"]]), r"subsets must be bool \[S, 2\]"),
        (lambda net: net.over_subsets({"photo": IMAGES}, None, torch.ones(1, 3).bool()), r"subsets must be bool \[S, 2\]"),
    ],
)
def test_a_network_says_what_it_was_given_and_what_it_needs(net: Any, call: Callable[[Any], object], message: str) -> None:
    with pytest.raises(DrifaError, match=message) as raised:
        call(net)
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 200


@pytest.mark.parametrize("value", [3, None, b"run", ["run"]])
def test_what_is_no_path_is_refused_by_every_call_that_needs_one(net: Any, value: Any) -> None:
    for call in (load, load_model, Predictor.open, Predictor.from_pretrained, lambda folder: save_model(net, folder)):
        with pytest.raises(DrifaError, match="needs the path of a folder, and got"):
            call(value)


def test_any_kind_of_path_is_one(tmp_path: Path) -> None:
    assert path_of("load", str(tmp_path)) == path_of("load", tmp_path) == tmp_path
    with os.scandir(tmp_path.parent) as entries:
        assert tmp_path in [path_of("load", entry) for entry in entries]


@pytest.mark.parametrize("value", ["gpu", "cuda:99", 99, 1.5])
def test_a_device_that_is_not_there_is_refused(value: Any) -> None:
    with pytest.raises(DrifaError, match=f"device={value!r} cannot be used here"):
        device_of(value)
    assert device_of("cpu") == device_of(torch.device("cpu")) == torch.device("cpu")


def test_bytes_and_numbers_of_the_network_pass(net: Any) -> None:
    assert net(net.to_input({"photo": IMAGES.mul(255).byte()}))["lesion"].shape == (2, 2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert net({"photo": IMAGES.bfloat16()})["lesion"].shape == (2, 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"modalities": ["photo"]}, r"modalities is a mapping, such as modalities=\{\"photo\": 3\}, not \['photo'\]"),
        ({"modalities": 3}, "modalities is a mapping"),
        ({"modalities": {"photo": True}}, "has True channels"),
        ({"tasks": ["lesion"]}, "tasks is a mapping"),
        ({"backbone": ["resnet18"]}, "backbone is a mapping"),
        ({"backbone_args": "tiny"}, "backbone_args is a mapping"),
        ({"fusion_args": "dim"}, "fusion_args is a mapping"),
        ({"links": ["identity"]}, "links is a mapping"),
        ({"task_modalities": ["photo"]}, "task_modalities is a mapping"),
        ({"task_modalities": {"lesion": "photo"}}, r"is a text; write a list: \['photo'\]"),
        ({"tabular": "photo"}, r"is a text; write a list: \['photo'\]"),
        ({"mifa_at": 3}, r"mifa_at=3 is no list; write \[3\]"),
    ],
)
def test_create_model_says_how_an_argument_is_written(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(DrifaError, match=message):
        create_model(**{"modalities": {"photo": 3}, "tasks": {"lesion": 2}, "backbone_args": TINY, **arguments})


def test_create_segmentation_model_says_how_an_argument_is_written() -> None:
    with pytest.raises(DrifaError, match="regions is a mapping"):
        create_segmentation_model(modalities={"flair": 1}, regions=["tumour"])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: MFA(8)(MAPS[:, :4]), r"MFA got a tensor of shape \(2, 4, 5, 5\); \[B, 8, H, W\]"),
        (lambda: MFA(8)(MAPS[0]), r"\[B, 8, H, W\] is needed"),
        (lambda: MFA(8)(MAPS.byte()), "MFA got numbers of uint8"),
        (lambda: MFA(8)({"photo": MAPS}), "MFA reads a tensor .*not a dict"),
        (lambda: MFA("8"), "channels='8' is not a whole number"),
        (lambda: MIFA(8, ["photo"]), r"modalities=\['photo'\] is not a whole number"),
        (lambda: MIFA(8, 2)({"photo": MAPS, "scan": MAPS}), "MIFA reads a list of 2 maps.*not a dict"),
        (lambda: MIFA(8, 2)([MAPS, MAPS.byte()]), "MIFA: input 1 got numbers of uint8"),
        (lambda: MIFA(8, 2)([MAPS, MAPS[:1]]), "maps of 2 and 1 rows"),
        (lambda: MIFA(8, 2)([MAPS, MAPS], [True, False]), r"present must be a bool tensor \[2, 2\], not a list"),
    ],
)
def test_attention_says_what_it_was_given_and_what_it_needs(call: Callable[[], object], message: str) -> None:
    with pytest.raises(DrifaError, match=message):
        call()
