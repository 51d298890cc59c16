"""Branches: the paper's ResNet18 cut into stages, MFA where the paper has it, pretrained weights counted."""

from __future__ import annotations

from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import nn

from drifa import MFA, DrifaError, create_model
from drifa.backbones import Branch, ConvMFA

TINY = {"channels": [4, 4, 8, 8]}


def test_resnet18_has_the_eight_blocks_of_the_paper() -> None:
    infos = Branch("resnet18", 3).infos
    assert [(info.channels, info.reduction) for info in infos] == [
        *[(64, 4)] * 2,
        *[(128, 8)] * 2,
        *[(256, 16)] * 2,
        *[(512, 32)] * 2,
    ]
    assert [info.ends_level for info in infos] == [False, True] * 4


def test_mfa_stands_after_every_convolution_of_the_main_path_and_after_all_blocks_but_the_last() -> None:
    branch = Branch("resnet18", 3, MFA, "conv", arguments=TINY)
    attended = [name for name, module in branch.stages.named_modules() if isinstance(module, ConvMFA)]
    assert len(attended) == 1 + 2 * 8
    assert not [name for name in attended if "downsample" in name]
    assert [isinstance(module, MFA) for module in branch.refine] == [True] * 7 + [False]


@pytest.mark.parametrize(("mfa_at", "count"), [("block", 8), ("stage", 4)])
def test_coarser_places_carry_mfa_only_behind_blocks(mfa_at: str, count: int) -> None:
    branch = Branch("resnet18", 3, MFA, mfa_at, arguments=TINY)
    assert sum(isinstance(module, MFA) for module in branch.modules()) == count
    assert not [module for module in branch.modules() if isinstance(module, ConvMFA)]


def test_biases_come_on_request_for_every_convolution() -> None:
    plain, biased = (Branch("resnet18", 3, conv_bias=flag, arguments=TINY) for flag in (False, True))
    convolutions = [module for module in biased.modules() if isinstance(module, nn.Conv2d)]
    assert all(module.bias is not None for module in convolutions)
    more = sum(p.numel() for p in biased.parameters()) - sum(p.numel() for p in plain.parameters())
    assert more == sum(module.out_channels for module in convolutions)


@pytest.mark.parametrize("backbone", ["resnet_18", "vit_tiny_patch16_224"])
def test_a_backbone_that_cannot_serve_is_refused_by_name(backbone: str) -> None:
    with pytest.raises(DrifaError, match=backbone):
        Branch(backbone, 3)


@pytest.mark.parametrize(
    ("backbone", "told"),
    [
        ("resnet_18", "near names: resnet18, "),
        ("resnext", "near names: resnext26ts, "),
        ("timm/resnet18.a1_in1k", "near names: resnet18, "),
        ("qqqqqqq", r"these can be used: .*RegNet \(regnetx_002\)"),
        (None, r"these can be used: "),
    ],
)
def test_an_unknown_backbone_is_answered_with_a_few_names_and_not_with_all(backbone: str, told: str) -> None:
    with pytest.raises(DrifaError, match=f"{backbone!r} is not a timm model \\({told}") as caught:
        Branch(backbone, 3)
    assert len(str(caught.value)) < 2500


def test_a_backbone_that_fails_says_on_what_and_why() -> None:
    with pytest.raises(DrifaError, match=r"on images of 64, 128, 192 pixels \(AssertionError\)"):
        Branch("halonet26t", 3)


def test_unknown_arguments_of_the_backbone_are_named() -> None:
    with pytest.raises(DrifaError, match="colour"):
        Branch("resnet18", 3, arguments={"colour": 1})


class TestPretrained:
    @pytest.fixture
    def weights(self, tmp_path: Path) -> tuple[Path, dict[str, torch.Tensor]]:
        torch.manual_seed(1)
        state = timm.create_model("resnet18", num_classes=10, **TINY).state_dict()
        save_file(state, tmp_path / "resnet18.safetensors")
        return tmp_path / "resnet18.safetensors", state

    def test_every_tensor_of_the_trunk_arrives_in_the_attached_network(self, weights) -> None:
        path, state = weights
        net = create_model(
            modalities={"a": 3, "b": 3}, tasks={"t": 2}, backbone_args=TINY, pretrained=str(path), mfa={"reduction": 2}
        )
        for name in ("a", "b"):
            first = next(m for m in net.branches[name].modules() if isinstance(m, nn.Conv2d))
            assert torch.equal(first.weight, state["conv1.weight"])
            matched, total = (int(word) for word in net.loaded[name].replace(" of ", " ").split() if word.isdigit())
            assert matched == total == len([key for key in state if not key.startswith("fc.") and "num_batches" not in key])
            assert "fc.weight" in net.loaded[name]

    def test_a_pytorch_file_serves_too(self, weights, tmp_path: Path) -> None:
        path, state = weights
        torch.save({"state_dict": state}, tmp_path / "w.pth")
        a, b = (Branch("resnet18", 3, pretrained=str(p), arguments=TINY) for p in (path, tmp_path / "w.pth"))
        for p, q in zip(a.parameters(), b.parameters(), strict=True):
            assert torch.equal(p, q)

    def test_one_channel_images_get_the_summed_first_convolution(self, weights) -> None:
        path, state = weights
        branch = Branch("resnet18", 1, pretrained=str(path), arguments=TINY)
        first = next(m for m in branch.modules() if isinstance(m, nn.Conv2d))
        torch.testing.assert_close(first.weight, state["conv1.weight"].sum(1, keepdim=True))

    def test_other_widths_are_refused_with_the_tensor(self, weights) -> None:
        with pytest.raises(DrifaError, match="does not fit resnet18: tensor 'layer"):
            Branch("resnet18", 3, pretrained=str(weights[0]))

    def test_missing_broken_or_pickled_files_are_refused(self, tmp_path: Path) -> None:
        (tmp_path / "bad.safetensors").write_bytes(b"no weights")
        torch.save(nn.Linear(2, 2), tmp_path / "object.pth")
        for name, word in (
            ("none.pth", "does not exist"),
            ("bad.safetensors", "cannot be read"),
            ("object.pth", "cannot be read"),
        ):
            with pytest.raises(DrifaError, match=word):
                Branch("resnet18", 3, pretrained=str(tmp_path / name), arguments=TINY)
