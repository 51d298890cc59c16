"""The phantom's joint task: what fusion is for, measured against each modality alone with the same recipe."""

from __future__ import annotations

from pathlib import Path

import pytest

from drifa.config import make_config
from drifa.data import make_phantom
from drifa.demo import SUBJECTS, demo_config
from drifa.evaluation.evaluate import evaluate
from drifa.training.train import train


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_fusion_clearly_beats_either_modality_on_the_joint_task(tmp_path: Path, seed: int) -> None:
    make_phantom(tmp_path / "study", SUBJECTS, seed=seed)
    spread = {}
    for name, modalities in {"both": [], "photo": ["photo"], "ultrasound": ["ultrasound"]}.items():
        raw = demo_config(tmp_path / "study").model_dump()
        raw["data"]["modalities"] = modalities
        raw["train"]["members"] = 1
        train(make_config(raw), tmp_path / name, quiet=True)
        spread[name] = evaluate(tmp_path / name)[1]["spread"]["deterministic"]["accuracy"]
    for alone in ("photo", "ultrasound"):
        assert spread["both"]["low"] > spread[alone]["high"], spread
        assert spread[alone]["low"] <= 0.5, spread  # half of the joint label is out of sight
