"""Pretrained weights arrive in a branch, are counted, and are refused with the tensor that does not fit."""

from __future__ import annotations

from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import nn

from drifa import DrifaError, create_model
from drifa.backbones import Branch

TINY = {"channels": [4, 4, 8, 8]}


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
