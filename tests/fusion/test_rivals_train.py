"""Rivals and controls through the common training: same recipe, their own losses, the same choice of the best epoch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from drifa import load_model
from drifa.config import make_config
from drifa.data import make_phantom
from drifa.training.train import train
from tests.studies import tiny_config

RUNS: list[tuple[str, dict[str, Any]]] = [
    ("gloria", {"dim": 8, "beta": 0.5}),
    ("mttu_net", {"dim": 8, "depth": 1, "heads": 2, "mlp": 16}),
    ("caf", {}),
    ("mtf_ma", {"dim": 8, "heads": 2}),
    ("se_matched", {"ratio": 2.0}),
]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("phantom") / "study"
    make_phantom(folder, subjects=40, image_size=32)
    return folder


@pytest.mark.parametrize(("fusion", "options"), RUNS, ids=[name for name, _ in RUNS])
def test_it_trains_from_a_configuration_and_comes_back_from_its_folder(
    study: Path, tmp_path: Path, fusion: str, options: dict[str, Any]
) -> None:
    raw = tiny_config(study, members=1, epochs=2, modality_dropout=0.3).model_dump()
    raw["model"] |= {"fusion": fusion, "fusion_args": options}
    run = train(make_config(raw), tmp_path / "run", quiet=True)
    history = pd.read_csv(run.member(0) / "history.csv")
    assert len(history) == 2
    assert history["val_loss"].notna().all()
    # Eq. 9 with equal weights judges every method alike, whatever it trains with.
    parts = history[[name for name in history if name.startswith("val_loss/")]]
    assert (history["val_loss"] - parts.mean(axis=1)).abs().max() < 1e-6
    net = load_model(run.member(0))
    assert net.config["fusion"] == fusion
    images = {name: torch.rand(2, channels, 32, 32) for name, channels in net.config["modalities"].items()}
    assert all(logits.isfinite().all() for logits in net(images).values())
