"""Numbers: the contract, the parts of their uncertainty, and a number that a network learns beside classes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
import torch

from drifa import load
from drifa.config import make_config
from drifa.data import make_phantom
from drifa.data.targets import NumberTarget
from drifa.errors import DrifaError
from drifa.evaluation.evaluate import evaluate
from drifa.tasks import Kind, Number
from drifa.training.train import train
from tests.studies import tiny_config
from tests.tasks.contract import SubjectKindContract


class TestNumber(SubjectKindContract):
    target = NumberTarget("years")
    texts = ("30", "41.5", "52", "63", "74", "85", "30", "")
    wrong = "41,5"
    perfect: ClassVar = {"mae": 0.0, "rmse": 0.0, "r2": 1.0, "pearson": 1.0, "coverage_90": 1.0, "mae_at_80": 0.0}

    def outputs(self, kind: Kind, truth: torch.Tensor) -> torch.Tensor:
        assert isinstance(kind, Number)
        value = ((truth - kind.mean) / kind.std).nan_to_num(0)
        outputs = torch.stack([value, torch.full_like(value, -4)], dim=1) if kind.outputs == 2 else value[:, None]
        return outputs.float()


class TestNumberByMse(TestNumber):
    perfect: ClassVar = {"mae": 0.0, "rmse": 0.0, "r2": 1.0, "pearson": 1.0}

    def kind(self, tmp_path: Path) -> Kind:
        kind = super().kind(tmp_path)
        assert isinstance(kind, Number)
        return Number(kind.unit, kind.mean, kind.std, "mse")

    def test_a_single_draw_states_no_spread(self, tmp_path: Path) -> None:
        kind, truth, known = self.example(tmp_path)
        assert "nll" not in kind.measured(kind.summarise(self.answers(kind, truth, 1)), truth, known).measure(np.ones((1, 7)))
        assert kind.answer(kind.summarise(self.answers(kind, truth, 1)[:, :1]), None).std is None


def test_the_parts_of_the_uncertainty_are_the_variances_of_the_mixture_in_the_unit() -> None:
    kind = Number("years", 50.0, 10.0)
    random = np.random.default_rng(0)
    means, variances = random.normal(size=(6, 4)), random.uniform(0.1, 2, size=(6, 4))
    summary = kind.summarise(np.stack([means, variances], axis=-1))
    assert summary.epistemic_std is not None
    assert summary.aleatoric_std is not None
    np.testing.assert_allclose(summary.value, 50 + 10 * means.mean(0))
    np.testing.assert_allclose(summary.epistemic_std, 10 * means.std(0))
    np.testing.assert_allclose(summary.aleatoric_std, 10 * np.sqrt(variances.mean(0)))
    # The mixture itself, drawn: its variance is the sum of the two parts.
    drawn = 50 + 10 * (means[:, :1] + np.sqrt(variances[:, :1]) * random.normal(size=(6, 200_000)))
    assert summary.std is not None
    assert summary.std[0] == pytest.approx(drawn.std(), rel=0.01)


def test_an_honest_spread_covers_what_it_says_and_the_floor_is_the_training_mean() -> None:
    kind = Number("ml", 3.0, 2.0)
    random = np.random.default_rng(0)
    value, std = random.normal(3, 2, 4000), random.uniform(0.2, 1, 4000)
    truth, known = value + std * random.normal(size=4000), np.ones(4000, dtype=bool)
    draws = np.stack([(value - 3) / 2, (std / 2) ** 2], axis=-1)[None]
    details = kind.details(kind.summarise(draws), truth, known)
    assert len(details["scatter"]) == 500
    assert all(row["coverage"] == pytest.approx(row["level"], abs=0.03) for row in details["calibration"])
    assert kind.about(truth)["floor"]["rmse"] == pytest.approx(np.sqrt(np.mean((truth - 3) ** 2)))


def test_partners_move_a_number_by_their_standard_deviation() -> None:
    draws = np.array([[[0.0, 1.0]], [[2.0, 1.0]]])
    assert Number("years", 0.0, 5.0).over_partners(draws).tolist() == [5.0]


def test_columns_that_hold_one_number_teach_nothing(tmp_path: Path) -> None:
    study = make_phantom(tmp_path / "study", subjects=40, image_size=32, numbers=True)
    table = study.table.assign(radius="20")
    table.to_csv(tmp_path / "study" / "study.csv", index=False)
    with pytest.raises(DrifaError, match="has the one number 20 in the training split"):
        train(tiny_config(tmp_path / "study"), tmp_path / "run", quiet=True)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("loss", ["gaussian_nll", "mse"])
def test_classes_and_a_number_share_a_run_in_unpaired_studies_too(tmp_path: Path, loss: str) -> None:
    make_phantom(tmp_path / "study", subjects=60, image_size=32, paired=False, numbers=True)
    run = train(tiny_config(tmp_path / "study", epochs=1, number_loss=loss), tmp_path / "run", quiet=True)
    _, metrics = evaluate(run.folder, subsets=True)
    assert "accuracy" in metrics["surface"]["ensemble_mc"]
    assert {"mae", "rmse", "r2", "pearson", "nll", "coverage_90", "mae_alone"} <= metrics["radius"]["ensemble_mc"].keys()
    assert "partner_std" in metrics["radius"]["ensemble"]
    assert ("nll" in metrics["radius"]["deterministic"]) == (loss == "gaussian_nll")
    evaluation = json.loads((run.folder / "evaluation.json").read_text())
    assert evaluation["tasks"]["radius"]["unit"] == "% of the side"
    assert list(evaluation["subsets"]["radius"]) == ["photo"]
    rows = pd.read_parquet(run.folder / "predictions.parquet")
    numbers = rows[rows["task"] == "radius"]
    assert numbers["value"].notna().all()
    assert numbers["predicted"].isna().all()
    both = numbers[numbers["mode"] == "ensemble_mc"]
    parts = both["epistemic_std"] ** 2 + (both["aleatoric_std"] ** 2 if loss == "gaussian_nll" else 0)
    np.testing.assert_allclose(both["std"] ** 2, parts)
    assert (numbers["condition"] == "alone").any()
    study = run.study()
    answer = load(run.folder).predict_one({"photo": study.image_path(int(study.subjects().image.max(axis=1)[0]))})
    assert answer.tasks["radius"].words().endswith("% of the side")


@pytest.mark.slow
def test_the_size_of_a_lesion_is_learned_beside_its_classes(tmp_path: Path) -> None:
    make_phantom(tmp_path / "study", subjects=400, image_size=48, numbers=True)
    config = make_config(
        {
            "data": {"study": str(tmp_path / "study"), "image_size": 48, "shift": 2},
            "model": {"backbone_args": {"layers": [1, 1, 1, 1], "channels": [16, 32, 64, 128]}, "fusion": "concat"},
            "train": {"epochs": 12, "members": 1, "lr": 0.003, "batch_size": 16, "threads": 1, "accelerator": "cpu"},
            "evaluate": {"passes": 5, "resamples": 100},
        }
    )
    run = train(config, tmp_path / "run", quiet=True)
    _, metrics = evaluate(run.folder)
    floor = json.loads((run.folder / "evaluation.json").read_text())["tasks"]["radius"]["floor"]
    radius = metrics["radius"]["mc"]
    assert radius["mae"]["high"] < floor["mae"]
    assert radius["pearson"]["low"] > 0.5
    assert metrics["depth"]["mc"]["accuracy"]["low"] > 2 / 3
