"""The recipe of every training: the best weights are kept, the learning rate falls, and patience ends."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from unittest import mock

import pandas as pd
import pytest
import torch

from drifa import load_model
from drifa.config import make_config
from drifa.data import Study
from drifa.errors import DrifaError
from drifa.explain.gates import gates
from drifa.runs.run import Run
from drifa.tasks import learn_kinds
from drifa.training import module as module_file
from drifa.training.job import make_loaders
from drifa.training.recipe import GATE_SAMPLES, Recipe, hold_statistics
from drifa.training.train import build_network, resume, train
from tests.studies import TINY_NET
from tests.training.recipes import recipe


def test_the_best_weights_are_kept(whole: Run) -> None:
    history = pd.read_csv(whole.member(0) / "history.csv")
    training = json.loads((whole.member(0) / "config.json").read_text())["training"]
    assert training["best_epoch"] == history["val_loss"].idxmin()
    assert training["best_val_loss"] == history["val_loss"].min()
    load_model(whole.member(0))


def test_each_process_drops_its_own(study: Path, tmp_path: Path) -> None:
    config = make_config({"data": {"study": str(study)}, "model": {"backbone_args": TINY_NET}})
    loaded = Study.load(study)
    kinds = learn_kinds(loaded, config)
    module = module_file.MultitaskModule(build_network(config, loaded, kinds), config, 0, tmp_path, kinds)

    def drawn(rank: int) -> list[float]:
        module._trainer = mock.Mock(global_rank=rank, current_epoch=1)
        module.on_train_epoch_start()
        return torch.rand(4).tolist()

    assert drawn(0) == drawn(0) != drawn(1)


def test_the_learning_rate_falls_when_validation_stalls_and_no_further_than_the_floor(study: Path, tmp_path: Path) -> None:
    config = make_config({"data": {"study": str(study)}, "model": {"backbone_args": TINY_NET}})
    loaded = Study.load(study)
    kinds = learn_kinds(loaded, config)
    module = module_file.MultitaskModule(build_network(config, loaded, kinds), config, 0, tmp_path, kinds)
    optimizer = module.configure_optimizers()
    rates = []
    for _ in range(30):
        module.scheduler.step(1.0)
        rates.append(optimizer.param_groups[0]["lr"])
    assert rates[:6] == [1e-3] * 6  # five epochs of patience
    assert rates[6] == pytest.approx(2e-4)
    assert rates[-1] == pytest.approx(1e-5)


def test_early_stopping_ends_a_run_that_does_not_improve(study: Path, tmp_path: Path) -> None:
    run = train(recipe(study, epochs=12, lr=0.3, early_stopping=1), tmp_path / "run", quiet=True)
    history = pd.read_csv(run.member(0) / "history.csv")["val_loss"]
    assert len(history) < 12
    assert history.iloc[-1] >= history.iloc[:-1].min()
    assert resume(run.folder, quiet=True).folder == run.folder  # finished: nothing is trained again
    assert len(pd.read_csv(run.member(0) / "history.csv")) == len(history)


def test_a_batch_in_parts_teaches_what_the_whole_batch_does(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But for BatchNorm, whose statistics are held here."""
    begin = Recipe.on_train_batch_start

    def held(self: Recipe, batch: object, batch_idx: int) -> None:
        begin(self, batch, batch_idx)
        hold_statistics(self.net)

    monkeypatch.setattr(Recipe, "on_train_batch_start", held)
    weights = []
    for accumulate in (1, 2):
        more = {"accumulate": accumulate, "optimizer": "sgd", "schedule": "cosine", "ema": 0.5}
        config = recipe(study, epochs=2, lr=0.05, **more)
        config.data.degrees = config.data.shift = config.model.dropout = 0
        run = train(config, tmp_path / f"in {accumulate}", quiet=True)
        weights.append(load_model(run.member(0)).state_dict())
        assert len(pd.read_csv(run.member(0) / "history.csv")) == 2
    for name, whole in weights[0].items():
        torch.testing.assert_close(weights[1][name], whole, rtol=1e-4, atol=1e-5, msg=name)


def test_the_gates_of_every_epoch_are_those_of_the_weights_that_it_left(study: Path, tmp_path: Path) -> None:
    run = train(recipe(study, epochs=2, lr=1e-3), tmp_path / "run", quiet=True)
    loaded = run.study()
    net = load_model(run.member(0))
    state = torch.load(run.member(0) / "last.ckpt", weights_only=True)["state_dict"]
    net.load_state_dict({name.removeprefix("net."): value for name, value in state.items()})
    module = mock.Mock(net=net, current_epoch=1)
    _, validation = make_loaders(run.config, loaded, run.cache(loaded, None, [net]), module, seed=0)
    expected = [asdict(gate) for gate in gates(net, ((batch.images, batch.present) for batch in validation))]
    told = pd.read_csv(run.member(0) / "gates.csv")
    assert set(told["epoch"]) == {0, 1}
    assert all(0 < gate["samples"] <= GATE_SAMPLES for gate in expected)  # so few that none was left out
    pd.testing.assert_frame_equal(told[told["epoch"] == 1].drop(columns="epoch").reset_index(drop=True), pd.DataFrame(expected))


def test_a_network_without_gates_writes_none(study: Path, tmp_path: Path) -> None:
    config = recipe(study, epochs=1)
    config.model.fusion = "concat"
    run = train(config, tmp_path / "run", quiet=True)
    assert (run.member(0) / "history.csv").is_file()
    assert not (run.member(0) / "gates.csv").exists()


@pytest.mark.parametrize("accumulate", [3, 4])
def test_parts_are_equal_and_not_too_small(accumulate: int) -> None:
    with pytest.raises(DrifaError, match="does not cut a batch of 8 into equal parts of 4"):
        make_config({"data": {"study": "any"}, "train": {"batch_size": 8, "accumulate": accumulate}})
