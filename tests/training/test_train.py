"""Training: a run is repeatable, resumes to the same weights, and never leaves half a file."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
import torch

from drifa import DrifaError
from drifa.config import Config
from drifa.data import make_phantom
from drifa.files import atomic_path, locked
from drifa.networks.complexity import macs
from drifa.networks.folder import load_model
from drifa.runs.run import Run
from drifa.training import module as module_file
from drifa.training.train import resume, train
from tests.studies import tiny_config
from tests.training.recipes import recipe, weights


def last(run: Run) -> dict:
    return torch.load(run.member(0) / "last.ckpt", weights_only=True)


def assert_same_training(a: Run, b: Run) -> None:
    for key, value in weights(a).items():
        assert torch.equal(value, weights(b)[key]), key
    first, second = last(a), last(b)
    for key, value in first["state_dict"].items():
        assert torch.equal(value, second["state_dict"][key]), key
    assert first["drifa"]["scheduler"] == second["drifa"]["scheduler"]
    assert first["optimizer_states"][0]["param_groups"] == second["optimizer_states"][0]["param_groups"]
    history = [pd.read_csv(run.member(0) / "history.csv").drop(columns="seconds") for run in (a, b)]
    pd.testing.assert_frame_equal(*history, check_exact=True)
    assert len({(run.member(0) / "gates.csv").read_bytes() for run in (a, b)}) == 1


def test_a_run_folder_holds_what_the_others_read(whole: Run) -> None:
    for name in ("config.yaml", "model.json", "environment.json", "split.csv", "split_receipt.json"):
        assert (whole.folder / name).is_file()
    assert len(pd.read_csv(whole.member(0) / "history.csv")) == 4
    assert json.loads((whole.folder / "split_receipt.json").read_text())["groups_in_two_splits"] == 0
    assert list(whole.member(0).glob("tensorboard/events*"))
    assert not list(whole.folder.rglob("*.tmp"))


@pytest.mark.slow
def test_two_epochs_and_two_resumed_equal_four(whole: Run, study: Path, tmp_path: Path) -> None:
    train(recipe(study, epochs=2), tmp_path / "run", quiet=True)
    assert_same_training(resume(tmp_path / "run", {"epochs": 4}, quiet=True), whole)


def train_until_power_cut(config: Config, folder: Path, epoch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A training that is killed in the second step of an epoch."""
    original = module_file.MultitaskModule.training_step

    def killed(self, batch, index):
        if self.current_epoch == epoch and index == 1:
            raise RuntimeError("power cut")
        return original(self, batch, index)

    with monkeypatch.context() as patch:
        patch.setattr(module_file.MultitaskModule, "training_step", killed)
        with pytest.raises(RuntimeError, match="power cut"):
            train(config, folder, quiet=True)


STANDARD = {
    "recipe": "standard",
    "warmup": 1,
    "class_weights": {"surface": "balanced", "depth": "sqrt"},
    "sampling": "balanced",
    "mixup": 0.4,
}


def test_the_standard_recipe_resumes_to_the_same_weights_and_keeps_the_average(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = recipe(study, epochs=3, **STANDARD)
    config.data.hue = 0.1
    assert (config.train.optimizer, config.train.schedule, config.data.intensity) == ("adamw", "cosine", 0.1)
    whole = train(config, tmp_path / "whole", quiet=True)
    train_until_power_cut(config, tmp_path / "run", 1, monkeypatch)
    assert_same_training(resume(tmp_path / "run", quiet=True), whole)
    rates = pd.read_csv(whole.member(0) / "history.csv")["lr"]
    assert rates.iloc[0] > rates.iloc[1] > rates.iloc[2]
    kinds = whole.info.tasks
    assert "weights" in kinds["surface"]
    assert "weights" not in kinds["spread"]
    with pytest.raises(DrifaError, match="plans all of its 3 epochs"):
        resume(tmp_path / "run", {"epochs": 5}, quiet=True)


def test_a_run_tells_what_one_of_its_answers_costs(whole: Run) -> None:
    assert whole.info.macs == macs(load_model(whole.member(0)), whole.config.data.image_size)


def test_class_weights_of_an_unknown_task_are_refused(study: Path, tmp_path: Path) -> None:
    with pytest.raises(
        DrifaError, match=r"class_weights names the task 'dept', which this training has not \(did you mean 'depth'"
    ):
        train(recipe(study, class_weights={"dept": "sqrt"}), tmp_path / "run", quiet=True)
    assert not (tmp_path / "run").exists()


def test_a_killed_training_resumes_to_the_same_weights(
    whole: Run, study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_until_power_cut(recipe(study, epochs=4), tmp_path / "run", 2, monkeypatch)
    assert_same_training(resume(tmp_path / "run", quiet=True), whole)


@pytest.mark.slow
def test_ctrl_c_keeps_the_last_checkpoint(whole: Run, study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = module_file.MultitaskModule.training_step

    def interrupted(self, batch, index):
        if self.current_epoch == 1:
            raise KeyboardInterrupt
        return original(self, batch, index)

    with monkeypatch.context() as patch:
        patch.setattr(module_file.MultitaskModule, "training_step", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train(recipe(study, epochs=4), tmp_path / "run", quiet=True)
    with pytest.raises(DrifaError, match="no completely trained member"):
        Run.open(tmp_path / "run").trained_members()
    assert_same_training(resume(tmp_path / "run", quiet=True), whole)


def test_a_full_disk_keeps_the_last_checkpoint_and_says_what_to_do(
    whole: Run, study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = module_file.MultitaskModule._write

    def full(self, better):
        if self.current_epoch == 1:
            with atomic_path(self.folder / "last.ckpt") as temporary:
                temporary.write_bytes(b"half a checkpoint")
                raise OSError(28, "No space left on device")
        original(self, better)

    with monkeypatch.context() as patch:
        patch.setattr(module_file.MultitaskModule, "_write", full)
        with pytest.raises(DrifaError, match="--resume"):
            train(recipe(study, epochs=4), tmp_path / "run", quiet=True)
    assert last(Run.open(tmp_path / "run"))["epoch"] == 0
    assert_same_training(resume(tmp_path / "run", quiet=True), whole)


class TestRefusals:
    def test_a_folder_that_is_not_empty(self, whole: Run, study: Path) -> None:
        with pytest.raises(DrifaError, match="--resume"):
            train(recipe(study), whole.folder, quiet=True)

    def test_a_folder_that_is_no_run(self, tmp_path: Path) -> None:
        with pytest.raises(DrifaError, match="not a run folder"):
            resume(tmp_path, quiet=True)

    def test_a_setting_that_must_not_change(self, whole: Run) -> None:
        with pytest.raises(DrifaError, match=r"train\.lr cannot change"):
            resume(whole.folder, {"lr": 1.0}, quiet=True)

    def test_a_missing_image_is_found_before_anything_is_written(self, tmp_path: Path) -> None:
        small = make_phantom(tmp_path / "study", subjects=40, image_size=32)
        small.image_path(3).unlink()
        with pytest.raises(DrifaError, match="missing"):
            train(tiny_config(tmp_path / "study"), tmp_path / "run", quiet=True)
        assert not (tmp_path / "run").exists()

    def test_a_truncated_image_is_named(self, tmp_path: Path) -> None:
        small = make_phantom(tmp_path / "study", subjects=40, image_size=32)
        path = small.image_path(3)
        path.write_bytes(path.read_bytes()[:100])
        with pytest.raises(DrifaError, match=path.name):
            train(tiny_config(tmp_path / "study"), tmp_path / "run", quiet=True)
        assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["cuda", "gpu", "mps"])
def test_a_device_that_is_not_there_is_refused_before_anything_is_written(
    whole: Run, study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(DrifaError, match=rf"train\.accelerator={name}.*train\.accelerator=auto"):
        train(tiny_config(study, accelerator=name), tmp_path / "run", quiet=True)
    assert not (tmp_path / "run").exists()
    with pytest.raises(DrifaError, match=f"accelerator={name}"):
        resume(whole.folder, {"accelerator": name})
    assert Run.open(whole.folder).config.train.accelerator == "cpu"


def test_more_gpus_than_there_are_is_refused(study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(DrifaError, match=r"train\.devices=3 .* the 2 "):
        train(tiny_config(study, accelerator="gpu", devices=3), tmp_path / "run", quiet=True)


def test_a_training_that_was_killed_before_its_first_step_can_begin_anew(study: Path, tmp_path: Path) -> None:
    run = train(tiny_config(study, epochs=1, members=1), tmp_path / "whole", quiet=True)
    stuck = tmp_path / "stuck"
    stuck.mkdir()
    for name in ("split.csv", "split_receipt.json", "config.yaml", ".lock", ".model.json.1.01234567.tmp"):
        (stuck / name).write_text("half")
    with pytest.raises(DrifaError, match=f"stopped before it began: `drifa train CONFIG --out {stuck}`"):
        resume(stuck, quiet=True)
    again = train(run.config, stuck, quiet=True)
    assert all(torch.equal(weights(run)[key], value) for key, value in weights(again).items())


def test_two_trainings_do_not_share_a_folder(study: Path, tmp_path: Path) -> None:
    pytest.importorskip("fcntl")
    with locked(tmp_path / "run", ""), pytest.raises(DrifaError, match=r"another process is training in .*run"):
        train(tiny_config(study, epochs=1), tmp_path / "run", quiet=True)
    assert [path.name for path in (tmp_path / "run").iterdir()] == [".lock"]


def test_a_resume_that_was_killed_does_not_look_finished(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    run = train(tiny_config(study, epochs=1, members=2), tmp_path / "run", quiet=True)
    modes = {path.stat().st_mode for path in run.folder.rglob("*") if path.is_file() and "tensorboard" not in str(path)}
    assert len(modes) == 1

    def killed(self, batch, index):
        raise RuntimeError("power cut")

    with monkeypatch.context() as patch:
        patch.setattr(module_file.MultitaskModule, "training_step", killed)
        with pytest.raises(RuntimeError, match="power cut"):
            resume(run.folder, {"epochs": 2}, quiet=True)
    with pytest.raises(DrifaError, match="no completely trained member"):
        Run.open(run.folder).trained_members()
    assert resume(run.folder, quiet=True).trained_members() == [0, 1]
    (run.member(1) / "config.json").unlink()
    assert Run.open(run.folder).trained_members() == [0]
    assert "1 of 2 members completely trained" in caplog.text
