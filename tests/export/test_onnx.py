"""An ONNX file answers as its networks do, for any rows and any of their modalities."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from drifa.errors import DrifaError
from drifa.export import onnx
from drifa.export.program import LIMIT, Asked, Program, compared, random_examples
from drifa.fusion import FUSIONS
from drifa.links import LINKS
from tests.networks.tiny import PAPER, tiny

pytest.importorskip("onnxruntime")
EXAMPLES = random_examples(PAPER["modalities"], (), 64)
ALL = {name: x[:2].float() for name, x in EXAMPLES.images.items()}, torch.ones(2, 2, dtype=torch.bool)


def asked(task: str) -> Asked:
    return Asked(LINKS["softmax"], lambda draws, whole: {f"probabilities_{task}": draws.mean(axis=0)})


TASKS = {task: asked(task) for task in PAPER["tasks"]}
OUTPUTS = [f"probabilities_{task}" for task in TASKS]


@pytest.mark.parametrize(
    "fusion", [pytest.param(name, marks=[] if name in ("concat", "caf") else pytest.mark.slow) for name in FUSIONS]
)
def test_every_fusion_is_exported(fusion: str, tmp_path: Path) -> None:
    members = Program([tiny(fusion)], TASKS).eval()
    run = onnx.save_onnx(members, ALL, tmp_path / "model.onnx", OUTPUTS, fusion)
    assert compared(run, members, EXAMPLES) <= LIMIT


@pytest.mark.slow
def test_maps_of_odd_sizes_are_pooled_as_they_are_in_the_network(tmp_path: Path) -> None:
    examples = random_examples(PAPER["modalities"], (), 139)
    shown = {name: x[:2].float() for name, x in examples.images.items()}, ALL[1]
    members = Program([tiny("caf")], TASKS).eval()
    run = onnx.save_onnx(members, shown, tmp_path / "model.onnx", OUTPUTS, "caf")
    assert compared(run, members, examples) <= LIMIT


def test_what_stands_in_an_absent_slot_has_no_influence(tmp_path: Path) -> None:
    run = onnx.save_onnx(Program([tiny("concat")], TASKS).eval(), ALL, tmp_path / "model.onnx", OUTPUTS, "x")
    images, present = ALL[0], torch.tensor([[True, False], [False, True]])
    nothing = {name: x.clone() for name, x in images.items()}
    nothing["pap_smear"][0] = nothing["dermoscopy"][1] = torch.nan
    one, other = (run({**given, "present": present}) for given in (images, nothing))
    for name in OUTPUTS:
        assert np.array_equal(one[name], other[name])


def test_an_opset_without_an_operator_is_refused_in_one_sentence(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(DrifaError, match="leave --opset 8 out"):
        onnx.save_onnx(Program([tiny("mttu_net")], TASKS).eval(), ALL, tmp_path / "model.onnx", OUTPUTS, "x", 8)
    print("and then")
    assert capfd.readouterr() == ("and then\n", "")  # the exporter's C++ prints the graph past sys.stdout


def test_a_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx, "find_spec", lambda name: None if name == "onnxruntime" else object())
    with pytest.raises(DrifaError, match=r"ONNX takes onnxruntime, .*drifa\[export\]"):
        onnx.check_packages()
