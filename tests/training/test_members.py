"""Members differ by their seed alone, and a member that learns nothing says so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from drifa.training.members import choose_precision
from drifa.training.train import train
from tests.studies import tiny_config
from tests.training.recipes import recipe, weights


def test_automatic_precision_is_32_bit_on_a_cpu_and_a_choice_is_kept(study: Path) -> None:
    assert choose_precision(tiny_config(study)) == "32-true"
    assert choose_precision(tiny_config(study, precision="bf16-mixed")) == "bf16-mixed"


def test_a_network_that_is_no_better_than_the_most_common_class_says_so(
    study: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = train(recipe(study, epochs=6, lr=1e-9), tmp_path / "run", quiet=True)
    assert "the most common class alone has" in caplog.text
    notes = json.loads((run.member(0) / "config.json").read_text())["training"]["notes"]
    assert any("after 2 of 6 epochs" in note for note in notes)


def test_members_differ_by_seed_and_share_the_split(study: Path, tmp_path: Path) -> None:
    run = train(tiny_config(study, epochs=1, members=2), tmp_path / "run", quiet=True)
    a, b = (load_file(run.member(n) / "model.safetensors") for n in (0, 1))
    assert any(not torch.equal(a[key], b[key]) for key in a)
    alone = train(tiny_config(study, epochs=1, members=1, seed=1), tmp_path / "alone", quiet=True)
    assert all(torch.equal(b[key], value) for key, value in weights(alone).items())
