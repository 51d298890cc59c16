"""A program of a network that segments answers as it does, in any size, calibrated as its run is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from drifa.export import onnx
from drifa.export.program import LIMIT, Examples, compared, exported, outputs_of, save_program, two_rows
from drifa.export.slices import SHARE, STRAY, AskedRegions, SliceProgram
from drifa.fusion import FUSIONS
from drifa.uncertainty.region_calibration import SMALLEST, RegionTemperatures
from tests.networks.narrow import TWO, narrow

SHARP = RegionTemperatures(regions=("WT", "TC", "ET"), temperatures=(3.0, 1.0, 0.5))


def examples(any_size: bool = False, side: int = 40) -> Examples:
    torch.manual_seed(1)
    return Examples({name: torch.randn(3, 1, side, side).half().float() for name in TWO}, False, any_size)


def program(asked: AskedRegions, **changes: Any) -> SliceProgram:
    return SliceProgram([narrow(**changes), narrow(**changes)], {"tumour": asked}).eval()


def saved(members: SliceProgram, asked: Examples, path: Path) -> Any:
    arguments = two_rows(asked)
    return onnx.save_onnx(members, arguments, path, outputs_of(members, *arguments), "x", None, asked.any_size)


@pytest.mark.parametrize(
    ("fusion", "indices"),
    [
        pytest.param(name, indices, marks=[] if name == "concat" else pytest.mark.slow)
        for name, kind in FUSIONS.items()
        for indices in ("branch", "mean")
        if kind.serves_decoder
    ],
)
def test_every_fusion_is_exported(fusion: str, indices: str, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    members = program(AskedRegions("regions"), fusion=fusion, indices=indices)
    # The attention of an untrained CAF is even but for rounding, which then picks what its branches pool.
    limit = STRAY if (fusion, indices) == ("caf", "branch") else LIMIT
    assert compared(saved(members, examples(), tmp_path / "model.onnx"), members, examples()) <= limit


@pytest.mark.parametrize(("output", "learned"), [("regions", SHARP), ("classes", None)])
def test_sides_are_free_where_slices_are_of_any_size(output: str, learned: RegionTemperatures | None, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    members = program(AskedRegions(output, learned), fusion="concat", output=output)
    shown = examples(any_size=True)
    assert {images["t1"].shape[2] for images, _ in shown.asked()} == {40, 30}
    run = saved(members, shown, tmp_path / "model.onnx")
    assert compared(run, members, shown) <= LIMIT
    images = {name: torch.randn(1, 1, 33, 70) for name in TWO}
    assert run({**images, "present": torch.ones(1, 2, dtype=torch.bool)})["probabilities_tumour"].shape == (1, 3, 33, 70)


@pytest.mark.slow
def test_a_torch_program_answers_as_its_networks(tmp_path: Path) -> None:
    members, shown = program(AskedRegions("regions", SHARP), fusion="concat"), examples()
    run = save_program(exported(members, two_rows(shown), "x"), tmp_path / "model.pt2")
    assert compared(run, members, shown) <= LIMIT


def test_absent_slots_have_no_influence_on_what_is_recorded(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    members, shown = program(AskedRegions("regions"), fusion="concat"), examples()
    run = saved(members, shown, tmp_path / "model.onnx")
    images, present = two_rows(shown)[0], torch.tensor([[True, False], [False, True]])
    nothing = {name: x.clone() for name, x in images.items()}
    nothing["t1"][0] = nothing["flair"][1] = torch.nan
    one, other = (run({**given, "present": present})["probabilities_tumour"] for given in (images, nothing))
    assert np.array_equal(one, other)


def test_temperatures_are_those_of_the_record_to_the_ends_of_float32() -> None:
    p = torch.tensor([0.0, SMALLEST, 1e-4, 0.3, 0.5, 0.9, 1 - 2**-20, 1 - 2**-23, 1.0]).expand(1, 1, 3, 1, -1)
    found = AskedRegions("regions", SHARP).summary("x", p, torch.ones(1, 1, dtype=torch.bool))
    expected = SHARP(p[0, 0].numpy())
    np.testing.assert_allclose(found["probabilities_x"][0].numpy(), expected, atol=1e-6)
    assert torch.equal(found["raw_x"], p[0])
    plain = AskedRegions("regions").summary("x", p, torch.ones(1, 1, dtype=torch.bool))
    assert list(plain) == ["probabilities_x"]


def test_a_stray_pixel_is_let_pass_and_no_more() -> None:
    answers, asked = np.full((1, 1, 1, 20, 20), 0.5), AskedRegions("regions")

    def off(pixels: int, by: float) -> float:
        moved = answers[0].copy()
        moved.reshape(-1)[:pixels] += by
        return asked.off("x", answers, True, {"probabilities_x": moved})

    few = int((1 - SHARE) * 400)
    assert off(few - 1, STRAY / 2) == 0
    assert off(few - 1, 2 * STRAY) == pytest.approx(2 * STRAY)
    assert off(2 * few, STRAY / 2) == pytest.approx(STRAY / 2)
    assert off(1, np.nan) == float("inf")
    calibrated = replace(asked, temperatures=RegionTemperatures(regions=("x",), temperatures=(2.0,)))
    assert calibrated.off("x", answers, True, {"raw_x": answers[0], "probabilities_x": answers[0] + 0.02}) > LIMIT


def test_slices_are_read_in_the_precision_of_the_training() -> None:
    x: dict[str, Tensor] = {"t1": torch.tensor([0.1, 2.0003])}
    assert torch.equal(SliceProgram([narrow()], {}).inputs(None, x)["t1"], x["t1"].half().float())
