"""Presets of the paper, and branches of different backbones: aligned levels, and MIFA across unequal channels."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from drifa import (
    MFA,
    MIFA,
    PRESETS,
    DrifaError,
    FusionNet,
    create_model,
    create_preset,
    create_segmentation_model,
    load_model,
    save_model,
)
from drifa.fusion.projection import ProjectedMIFA

TWO = {"modalities": {"photo": 3, "mri": 1}, "tasks": {"t": 3}}
MIXED = {"photo": "resnet10t", "mri": "ghostnet_050"}


def mixed(**options) -> FusionNet:
    torch.manual_seed(0)
    return create_model(**{"backbone": MIXED, "mfa_at": "stage", "reduction": 4, **TWO, **options}).eval()


def images() -> dict[str, torch.Tensor]:
    return {"photo": torch.randn(2, 3, 64, 64), "mri": torch.randn(2, 1, 80, 80)}


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


def test_different_backbones_meet_at_the_levels_that_both_have() -> None:
    net = mixed()
    for branch in net.branches.values():
        assert [info.reduction for info in branch.infos] == [4, 8, 16, 32]
    assert len(net.fusion.mifa) == net.stage_count == 4
    net.train()(images())["t"].sum().backward()
    assert not [name for name, parameter in net.named_parameters() if parameter.grad is None]


def test_merging_keeps_what_a_branch_computes_and_every_mfa() -> None:
    torch.manual_seed(0)
    alone = create_model("ghostnet_050", modalities={"mri": 1}, tasks={"t": 3}, mfa_at="block", mifa=False, reduction=4)
    branch = alone.branches["mri"].eval()
    x = expected = torch.randn(1, 1, 64, 64)
    with torch.no_grad():
        for stage, refine in zip(branch.stages, branch.refine, strict=True):
            expected = refine(stage(expected))
        count = sum(isinstance(module, MFA) for module in branch.modules())
        branch.merge([2, 6, len(branch.infos) - 1])
        assert len(branch.stages) == len(branch.infos) == 3
        assert sum(isinstance(module, MFA) for module in branch.modules()) == count
        for stage, refine in zip(branch.stages, branch.refine, strict=True):
            x = refine(stage(x))
    assert torch.equal(x, expected)


def test_an_absent_modality_of_another_backbone_changes_nothing() -> None:
    net, x = mixed(), images()
    present = torch.tensor([[True, True], [True, False]])
    with torch.no_grad():
        before = net(x, present)["t"]
        x["mri"][1] = float("nan")
        assert torch.equal(before, net(x, present)["t"])
        torch.testing.assert_close(before[1:], net({"photo": x["photo"][1:]})["t"])


def test_the_projected_attention_couples_unequal_channels() -> None:
    torch.manual_seed(0)
    module = ProjectedMIFA([6, 4])
    x, y = torch.randn(2, 6, 5, 5), torch.randn(2, 4, 3, 3)
    a, b = module([x, y])
    assert (a.shape, b.shape) == (x.shape, y.shape)
    assert not torch.equal(a, module([x, y + 1])[0])
    # One number per channel, as in eq. 5: the map itself is scaled and nothing else.
    torch.testing.assert_close(a * x[:, :, :1, :1], x * a[:, :, :1, :1])


def test_with_equal_channels_the_projection_is_mifa() -> None:
    torch.manual_seed(0)
    module, plain = ProjectedMIFA([4, 4]), MIFA(4, 2)
    plain.load_state_dict(
        {
            key: torch.stack(list(module.omega_c)) if key == "omega_c" else module.mifa.state_dict()[key]
            for key in plain.state_dict()
        }
    )
    xs = [torch.randn(2, 4, 5, 5), torch.randn(2, 4, 3, 3)]
    for mine, theirs in zip(module(xs), plain(xs), strict=True):
        torch.testing.assert_close(mine, theirs)


def test_settings_by_modality_survive_the_folder(tmp_path: Path) -> None:
    net, x = mixed(backbone_args={"photo": {"stem_width": 16}}, own_stem=False, mifa_at=[1, 3], dropout_at="mifa"), images()
    assert list(net.fusion.mifa) == ["1", "3"]
    assert list(net.drop_stages) == [1]
    again = load_model(save_model(net, tmp_path / "model"))
    with torch.no_grad():
        assert torch.equal(again(x)["t"], net(x)["t"])


def test_the_stem_may_be_a_stage_of_its_own_with_the_same_parameters() -> None:
    nets = [create_model("resnet10t", **TWO, own_stem=flag, mfa=False, mifa=False) for flag in (False, True)]
    assert [net.stage_count for net in nets] == [4, 5]
    assert len({sum(p.numel() for p in net.parameters()) for net in nets}) == 1


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
