"""Presets of the paper, and branches of different backbones: aligned levels, and MIFA across unequal channels."""

from __future__ import annotations

import pytest
import torch

from drifa import MFA, PRESETS, DrifaError, create_model, create_preset, create_segmentation_model
from tests.networks.mixed import TWO, images, mixed


def test_the_resnet_preset_is_what_create_model_builds_by_itself() -> None:
    preset, plain = (build(**TWO) for build in (lambda **kw: create_preset("drifa_resnet18", **kw), create_model))
    assert preset.config == plain.config


def test_the_segnet_preset_is_what_create_segmentation_model_builds_by_itself() -> None:
    arguments = {"modalities": {"flair": 1, "t1": 1}, "regions": {"tumour": 3}, "width": 1 / 16}
    preset, plain = create_preset("drifa_segnet", **arguments), create_segmentation_model(**arguments)
    assert preset.config == plain.config
    assert create_preset("drifa_segnet", **arguments, mfa_at="stage").config["mfa_at"] == "stage"


def test_inception_carries_the_modules_where_the_preset_says() -> None:
    net = create_preset("drifa_inception_v3", **TWO, reduction=16)
    branch = net.branches["photo"]
    names = [info.name for info in branch.infos]
    assert names[0] == "stem"
    assert len(names) == 1 + 11
    assert all(isinstance(module, MFA) for module in branch.refine)
    assert sum(isinstance(module, MFA) for module in branch.modules()) == 12
    assert [names[int(k)] for k in net.fusion.mifa] == PRESETS["drifa_inception_v3"]["mifa_at"]
    assert list(net.drop_stages) == [int(k) for k in net.fusion.mifa][:-1]
    net.train()({"photo": torch.randn(2, 3, 96, 96), "mri": torch.randn(2, 1, 80, 80)})["t"].sum().backward()
    assert not [name for name, parameter in net.named_parameters() if parameter.grad is None]
    control = create_preset("drifa_inception_v3", fusion="concat", **TWO)
    assert list(control.drop_stages) == list(net.drop_stages)


def test_a_preset_misspelt_is_refused_with_the_right_name() -> None:
    with pytest.raises(DrifaError, match="did you mean 'drifa_inception_v3'"):
        create_preset("drifa_inception3", **TWO)


def test_the_network_refuses_images_that_are_too_small_by_modality() -> None:
    with pytest.raises(DrifaError, match=r"'mri' has images of 20×20.*32×32 at least"):
        mixed()({**images(), "mri": torch.randn(2, 1, 20, 20)})


def test_an_absent_modality_of_another_backbone_changes_nothing() -> None:
    net, x = mixed(), images()
    present = torch.tensor([[True, True], [True, False]])
    with torch.no_grad():
        before = net(x, present)["t"]
        x["mri"][1] = float("nan")
        assert torch.equal(before, net(x, present)["t"])
        torch.testing.assert_close(before[1:], net({"photo": x["photo"][1:]})["t"])
