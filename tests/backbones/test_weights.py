"""Pretrained weights arrive in a branch, are counted, and are refused with the tensor that does not fit."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import nn

from drifa import DrifaError, create_model
from drifa.backbones import Branch
from drifa.backbones.weights import load_pretrained

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

    @pytest.mark.parametrize("prefix", ["module.", "model.", "backbone.", "encoder.", "module.model.backbone."])
    @pytest.mark.parametrize("nest", [(), ("state_dict",), ("model",), ("ema",), ("checkpoint", "model"), ("params_ema",)])
    def test_what_training_programs_add_is_taken_away_and_said(
        self, weights, tmp_path: Path, caplog: pytest.LogCaptureFixture, prefix: str, nest: tuple[str, ...]
    ) -> None:
        path, state = weights
        content: dict = {prefix + key: value for key, value in state.items()} | {"head.extra": torch.zeros(3)}
        for key in reversed(nest):
            content = {key: content, "epoch": 3}
        torch.save(content, tmp_path / "w.pth")
        a, b = (Branch("resnet18", 3, pretrained=str(p), arguments=TINY) for p in (path, tmp_path / "w.pth"))
        assert all(torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters(), strict=True))
        assert f"prefix {prefix!r}" in caplog.text
        assert prefix in str(b.loaded)
        assert ("".join(f"[{key!r}]" for key in nest) in caplog.text) or not nest

    def test_what_is_ambiguous_or_something_else_is_told(self, weights, tmp_path: Path) -> None:
        _, state = weights
        twice = {f"{side}.{key}": value for side in ("student", "teacher") for key, value in state.items()}
        for content, words in (
            (twice, r"holds resnet18 2 times, below 'student\.' and 'teacher\.'"),
            ({"model": state, "ema": state}, "holds weights as 'model' and as 'ema'"),
            ({"generator": state, "critic": state}, "holds weights as 'generator' and as 'critic'"),
            (
                {f"blocks.{k}.bn1.weight": torch.ones(4) for k in range(9)},
                "does not fit resnet18: it has 1 of .* tensors at most, whatever prefix",
            ),
            ({"epoch": 3, "optimizer": {"lr": 0.1}}, "no state dict .* but epoch, optimizer"),
            ({"blocks.weight": torch.zeros(2)}, r"it holds blocks\.weight …, and conv1\.weight is needed"),
        ):
            torch.save(content, tmp_path / "w.pth")
            with pytest.raises(DrifaError, match=words):
                Branch("resnet18", 3, pretrained=str(tmp_path / "w.pth"), arguments=TINY)

    def test_a_part_of_the_network_is_taken_and_said(self, weights, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        _, state = weights
        torch.save({key: value for key, value in state.items() if not key.startswith("layer4")}, tmp_path / "w.pth")
        Branch("resnet18", 3, pretrained=str(tmp_path / "w.pth"), arguments=TINY)
        assert "the others keep their random values" in caplog.text

    def test_a_longer_network_is_asked_about_and_its_classifier_is_not(
        self, weights, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        path, _ = weights
        Branch("resnet18", 3, pretrained=str(path), arguments=TINY)
        assert not caplog.text
        save_file(timm.create_model("resnet34", num_classes=10, **TINY).state_dict(), tmp_path / "w.safetensors")
        Branch("resnet18", 3, pretrained=str(tmp_path / "w.safetensors"), arguments=TINY)
        assert "tensors in the stages of resnet18 that it has no place for (layer1.2" in caplog.text

    @pytest.mark.parametrize(("made", "named"), [("w.pth", "w.safetensors"), ("w.safetensors", "w.bin")])
    def test_what_a_file_is_says_its_content_and_not_its_name(self, weights, tmp_path: Path, made: str, named: str) -> None:
        path, state = weights
        (torch.save if made == "w.pth" else save_file)(state, tmp_path / made)
        (tmp_path / made).rename(tmp_path / named)
        a, b = (Branch("resnet18", 3, pretrained=str(p), arguments=TINY) for p in (path, tmp_path / named))
        assert all(torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters(), strict=True))

    def test_a_frozen_network_takes_no_part_of_its_weights(self, weights, tmp_path: Path) -> None:
        _, state = weights
        torch.save({key: value for key, value in state.items() if not key.startswith("layer4")}, tmp_path / "w.pth")
        build = {"modalities": {"a": 3}, "tasks": {"t": 2}, "backbone_args": TINY, "pretrained": str(tmp_path / "w.pth")}
        for attach in ("stages", "intermediates"):
            with pytest.raises(DrifaError, match=r"tensors of resnet18, .* random \(layer4.*leave out freeze"):
                create_model(attach=attach, freeze=True, **build)
            create_model(attach=attach, **build)

    def test_a_network_without_a_convolution_is_loaded(self, tmp_path: Path) -> None:
        plain = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
        save_file(plain.state_dict(), tmp_path / "w.safetensors")
        other = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
        assert "matched 4 of 4" in load_pretrained(other, "resnet18", 3, tmp_path / "w.safetensors")
        assert torch.equal(other[1].weight, plain[1].weight)

    def test_without_a_connection_one_error_says_how_to_bring_a_file(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        original = timm.create_model

        def unreachable(*names, pretrained: bool = False, **arguments):
            if pretrained:
                logging.getLogger("timm").warning("retrying")
                raise ConnectionError("no route\nto host")
            return original(*names, **arguments)

        monkeypatch.setattr(timm, "create_model", unreachable)
        with pytest.raises(DrifaError, match=r"ConnectionError: no route\).*torch\.save.*model\.pretrained=resnet18\.pth"):
            Branch("resnet18", 3, pretrained=True, arguments=TINY)
        assert caplog.text == ""

    def test_one_channel_images_get_the_summed_first_convolution(self, weights) -> None:
        path, state = weights
        branch = Branch("resnet18", 1, pretrained=str(path), arguments=TINY)
        first = next(m for m in branch.modules() if isinstance(m, nn.Conv2d))
        torch.testing.assert_close(first.weight, state["conv1.weight"].sum(1, keepdim=True))

    def test_other_widths_are_refused_with_the_tensor(self, weights) -> None:
        with pytest.raises(DrifaError, match="does not fit resnet18: tensor 'layer"):
            Branch("resnet18", 3, pretrained=str(weights[0]))

    def test_numbers_and_texts_beside_the_tensors_are_left_out_and_said(
        self, weights, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        path, state = weights
        beside = {"epoch": 3, "lr": 0.1, "arch": "resnet18", "best": None}
        for content in ({**beside, **state}, {"state_dict": {**state, **beside}, "optimizer": {"lr": 0.1}}):
            caplog.clear()
            torch.save(content, tmp_path / "w.pth")
            a, b = (Branch("resnet18", 3, pretrained=str(p), arguments=TINY) for p in (path, tmp_path / "w.pth"))
            assert all(torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters(), strict=True))
            assert "beside the tensors was left out: epoch, lr, arch, best" in caplog.text

    @pytest.mark.parametrize("value", [float("nan"), float("inf")])
    def test_weights_that_are_not_finite_are_refused_with_the_tensor(self, weights, tmp_path: Path, value: float) -> None:
        _, state = weights
        state["fc.weight"][0] = value  # of no use here
        save_file(state, tmp_path / "w.safetensors")
        Branch("resnet18", 3, pretrained=str(tmp_path / "w.safetensors"), arguments=TINY)
        for dtype in (torch.float32, torch.float16):
            wrong = {key: one.to(dtype) if one.is_floating_point() else one for key, one in state.items()}
            wrong["layer1.0.conv1.weight"][0, 0, 0, 0] = value
            save_file(wrong, tmp_path / "w.safetensors")
            with pytest.raises(DrifaError, match=r"no finite number \(NaN or inf\) in the tensor 'layer1\.0\.conv1\.weight'"):
                Branch("resnet18", 3, pretrained=str(tmp_path / "w.safetensors"), arguments=TINY)

    def test_missing_broken_or_pickled_files_are_refused(self, tmp_path: Path) -> None:
        (tmp_path / "bad.safetensors").write_bytes(b"no weights")
        (tmp_path / "bad.pth").write_bytes(b"no weights")
        (tmp_path / "folder.pth").mkdir()
        (tmp_path / "lfs.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
        (tmp_path / "page.pth").write_text("\n<!DOCTYPE html>")
        torch.save(nn.Linear(2, 2), tmp_path / "object.pth")
        torch.save(nn.Linear(2, 2), tmp_path / "old.pth", _use_new_zipfile_serialization=False)
        torch.save({"a": np.zeros(3)}, tmp_path / "numpy.pth")
        torch.jit.script(nn.Linear(2, 2)).save(tmp_path / "program.pt")
        (tmp_path / "cut.pth").write_bytes((tmp_path / "object.pth").read_bytes()[:100])
        for name, word in (
            ("none.pth", "does not exist"),
            ("folder.pth", "is a folder; name the file in it"),
            ("lfs.safetensors", "is a pointer of Git LFS and not the weights themselves; fetch them with `git lfs pull`"),
            ("page.pth", "is a web page"),
            ("bad.safetensors", "cannot be read"),
            ("bad.pth", "cannot be read"),
            ("cut.pth", "cannot be read"),
            ("object.pth", "holds objects of Python, .* never unpickled; save the tensors alone where it was made"),
            ("old.pth", "holds objects of Python"),
            ("numpy.pth", "holds objects of Python"),
            ("program.pt", "is a TorchScript program, which is not run here; save the tensors alone"),
        ):
            with pytest.raises(DrifaError, match=word) as caught:
                Branch("resnet18", 3, pretrained=str(tmp_path / name), arguments=TINY)
            assert "x1b" not in str(caught.value), name
            assert "weights_only" not in str(caught.value), name
