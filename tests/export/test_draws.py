"""Two parts answer under given masks as the networks do under the same draw, wherever their dropout stands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from drifa.errors import DrifaError
from drifa.export import draws
from drifa.export.draws import Head, Prefix, check_dropout, save_draws
from drifa.export.program import LIMIT, Program, random_examples, two_rows
from drifa.networks.dropout import pass_keys, row_seeds
from drifa.uncertainty.sampling import sample
from tests.export.test_onnx import TASKS
from tests.networks.tiny import PAPER, tiny

EXAMPLES = random_examples(PAPER["modalities"], (), 64)


def parts(nets: list[Any]) -> tuple[Prefix, Head, dict[str, torch.Tensor], torch.Tensor]:
    prefix, head = Prefix(nets, TASKS).eval(), Head(nets, TASKS).eval()
    images, present = two_rows(EXAMPLES)
    with torch.inference_mode():
        return prefix, head, prefix(images, present), present


@pytest.mark.parametrize(
    ("fusion", "options"),
    [
        *((fusion, {"dropout_at": at}) for fusion in ("drifa", "caf", "gloria") for at in ("head", "blocks")),
        ("concat", {"dropout_at": "blocks", "attach": "intermediates"}),
    ],
)
def test_the_masks_of_a_pass_give_its_answers(fusion: str, options: dict[str, Any]) -> None:
    nets = [tiny(fusion, **options)] * 2
    _, head, maps, present = parts(nets)
    images, _ = two_rows(EXAMPLES)
    masks, seeds = head.masks(maps, present), row_seeds(["0", "1"], seed=5)
    answers: list[dict[str, torch.Tensor]] = []
    for turn in range(2):
        keep = {}
        for name, mask in masks.items():
            keep[name] = mask.of(pass_keys(seeds + 0x51ED * int(name.split("_")[1]), turn))
            assert (keep[name].float().mean() - mask.keep).abs() < 0.2
        with torch.inference_mode():
            answers.append(head(maps, keep, present))
    expected = sample(nets, head.inputs(nets[0], images), passes=2, seed=5)
    for task in TASKS:
        mean = torch.stack([one[f"probabilities_{task}"] for one in answers]).mean(0)
        np.testing.assert_allclose(mean.numpy(), expected[task].probabilities, atol=LIMIT)


def test_the_first_part_ends_in_front_of_the_first_dropout() -> None:
    _, at_head, last, present = parts([tiny("concat", dropout_at="head")])
    _, in_blocks, first, _ = parts([tiny("concat", dropout_at="blocks")])
    assert len(at_head.masks(last, present)) == 2
    assert len(in_blocks.masks(first, present)) == 6
    assert [tuple(mask.shape) for mask in at_head.masks(last, present).values()] == [tuple(x.shape[1:]) for x in last.values()]


@pytest.mark.parametrize("at", [pytest.param("blocks", marks=pytest.mark.slow), "head"])
def test_both_files_are_compared_with_the_networks(at: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnxruntime")
    members = Program([tiny("concat", dropout_at=at)], TASKS).eval()
    worst, told = save_draws(members, tmp_path, EXAMPLES, "x")
    assert worst <= LIMIT
    assert {path.name for path in tmp_path.iterdir()} == set(told["parts"])
    monkeypatch.setattr(draws.Mask, "of", lambda self, keys: torch.ones(len(keys), *self.shape, dtype=torch.bool))
    with pytest.raises(DrifaError, match="answers otherwise than the run"):
        save_draws(members, tmp_path, EXAMPLES, "x")


def test_networks_without_dropout_are_refused() -> None:
    check_dropout([tiny()], "x")
    with pytest.raises(DrifaError, match=r"trained with model\.dropout=0; train with .*model\.dropout_at=head"):
        check_dropout([tiny(), tiny(dropout=0.0)], "x")
