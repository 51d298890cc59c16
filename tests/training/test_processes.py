"""Several processes train what one would: the launchers, the losses, the figures, the dropout, the continuation."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from drifa import DrifaError
from drifa.config import Config, dump_config, make_config
from drifa.data import make_phantom
from drifa.training.processes import check_launch, process_rank, wait_for
from drifa.training.recipe import pool_statistics
from drifa.training.train import train
from tests.studies import TINY_NET, tiny_config

LAUNCH = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
# One pair of processes does it all: most of the time goes into starting them.
SCRIPT = """
from drifa.cli.main import app

for line in ("exact.yaml --out exact", "whole.yaml --out whole", "half.yaml --out half", "--resume half train.epochs=2"):
    app(["train", *line.split(), "--quiet"], standalone_mode=False)
"""
LAUNCHERS = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "TORCHELASTIC_RUN_ID", "SLURM_PROCID", "SLURM_STEP_ID", "SLURM_NTASKS")


def separable(study: Path, **train: object) -> Config:
    """A training in which nothing depends on which rows share a process: no BatchNorm, dropout or augmentation."""
    raw = tiny_config(study, members=1, optimizer="sgd", lr=0.05, **train).model_dump(mode="json")
    raw["data"] |= {"shift": 0, "degrees": 0}
    raw["model"] |= {"dropout": 0, "backbone_args": {**TINY_NET, "norm_layer": "groupnorm1"}}
    return make_config(raw, "test")


def small(study: Path, **train: object) -> Config:
    """A training of two processes, of which the table says who validates."""
    raw = tiny_config(study, members=1, batch_size=4, devices=2, **train).model_dump(mode="json")
    raw["data"] |= {"protocol": "column", "column": "part"}
    return make_config(raw, "test")


def history(run: Path) -> pd.DataFrame:
    return pd.read_csv(run / "members" / "0" / "history.csv").drop(columns="seconds")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of two processes: `exact` without batch statistics; `whole` and `half` with one subject to validate for both."""
    folder = tmp_path_factory.mktemp("processes")
    make_phantom(folder / "study", subjects=70, image_size=32, paired=False)
    make_phantom(folder / "small", subjects=24, image_size=32)
    table = pd.read_csv(folder / "small" / "study.csv", dtype=str, keep_default_na=False)
    groups = table["group"].unique()
    # One subject to validate, of two processes.
    first = table["subject"] == table["subject"][table["group"] == groups[0]].iloc[0]
    table = table[first | (table["group"] != groups[0])]
    table["part"] = table["group"].map({groups[0]: "val", groups[1]: "test"}).fillna("train")
    table.to_csv(folder / "small" / "study.csv", index=False)
    configs = {
        "exact": separable(folder / "study", batch_size=8, devices=2),
        "whole": small(folder / "small"),
        "half": small(folder / "small", epochs=1),
    }
    for name, config in configs.items():
        (folder / f"{name}.yaml").write_text(dump_config(config), encoding="utf-8")
    (folder / "script.py").write_text(SCRIPT, encoding="utf-8")
    own = {key: value for key, value in os.environ.items() if key not in LAUNCHERS}
    command = [*LAUNCH, "script.py"]
    ended = subprocess.run(command, cwd=folder, env=own, capture_output=True, text=True, timeout=280, check=False)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("wrote exact: 1 trained member(s)") == 1
    return folder


@pytest.mark.slow
def test_two_processes_have_the_losses_figures_and_weights_of_one_with_the_same_batch(place: Path, tmp_path: Path) -> None:
    train(separable(place / "study", batch_size=16), tmp_path / "one", quiet=True)
    pd.testing.assert_frame_equal(history(tmp_path / "one"), history(place / "exact"), rtol=1e-5, atol=1e-6)
    one, two = (load_file(run / "members" / "0" / "model.safetensors") for run in (tmp_path / "one", place / "exact"))
    for key, value in one.items():
        torch.testing.assert_close(value, two[key], rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_two_processes_of_which_one_has_nothing_to_validate_continue_exactly(place: Path) -> None:
    assert (pd.read_csv(place / "whole" / "split.csv")["split"] == "val").sum() == 1
    pd.testing.assert_frame_equal(history(place / "whole"), history(place / "half"), check_exact=True)
    gates = [(place / name / "members" / "0" / "gates.csv").read_bytes() for name in ("whole", "half")]
    assert gates[0] == gates[1]
    whole, half = (
        torch.load(place / name / "members" / "0" / "last.ckpt", weights_only=True)["state_dict"] for name in ("whole", "half")
    )
    for key, value in whole.items():
        assert torch.equal(value, half[key]), key


def test_every_batch_norm_gets_the_mean_over_the_processes() -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2), nn.BatchNorm2d(2, track_running_stats=False))
    weights = {key: value.clone() for key, value in net.state_dict().items()}

    def mean(values: Tensor) -> Tensor:
        return (values + 3) / 2

    pool_statistics(net, mean)
    for key, value in net.state_dict().items():
        assert torch.equal(value, mean(weights[key]) if key in ("1.running_mean", "1.running_var") else weights[key]), key


@pytest.fixture
def launch(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Sets what a launcher sets."""
    for name in LAUNCHERS:
        monkeypatch.delenv(name, raising=False)

    def started(**variables: int) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(name, str(value))

    return started


@pytest.mark.parametrize(
    "variables",
    [{"TORCHELASTIC_RUN_ID": 7, "RANK": 3, "WORLD_SIZE": 4}, {"SLURM_STEP_ID": 0, "SLURM_PROCID": 3, "SLURM_NTASKS": 4}],
    ids=["torchrun", "srun"],
)
def test_a_launcher_starts_as_many_processes_as_devices(variables: dict[str, int], launch: Callable[..., None]) -> None:
    launch(**variables)
    check_launch(tiny_config(Path("study"), devices=2, nodes=2))
    assert process_rank() == 3
    with pytest.raises(DrifaError, match=r"started 4 .* train\.devices=2 and train\.nodes=1 want 2"):
        check_launch(tiny_config(Path("study"), devices=2))


def test_several_machines_need_a_launcher_and_one_does_not(launch: Callable[..., None]) -> None:
    launch()
    check_launch(tiny_config(Path("study"), devices=2))
    assert process_rank() == 0
    with pytest.raises(DrifaError, match="torchrun or srun"):
        check_launch(tiny_config(Path("study"), nodes=2))


def test_a_run_that_nobody_makes_is_not_waited_for_without_end(tmp_path: Path) -> None:
    with pytest.raises(DrifaError, match="first process has not made"):
        wait_for(tmp_path / "run", seconds=0)
