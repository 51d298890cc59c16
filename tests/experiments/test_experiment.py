"""An experiment file is read whole, or refused in a sentence that names the mistake."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from drifa.errors import DrifaError
from drifa.experiments.experiment import read_experiment
from drifa.experiments.plan import make_plan
from tests.experiments.conftest import Write


def test_arms_stand_on_the_base_and_win_over_overrides(write: Write) -> None:
    asked = read_experiment(write(overrides=["train.lr=0.01"]), ["model.fusion=single", "train.epochs=3"])
    assert {name: arm["model"]["fusion"] for name, arm in asked.arms.items()} == {"drifa": "drifa", "concat": "concat"}
    assert all((arm["train"]["lr"], arm["train"]["epochs"]) == (0.01, 3) for arm in asked.arms.values())
    assert asked.told == {"drifa": ["model.fusion=drifa"], "concat": ["model.fusion=concat"]}


def test_three_ways_to_write_an_arm_are_one(write: Write) -> None:
    ways: list[Any] = [["train.mixup=0.2"], {"train": {"mixup": 0.2}}, [{"train.mixup": 0.2}]]
    arms = {f"way{number}": way for number, way in enumerate(ways)}
    asked = read_experiment(write(arms=arms, primary=None))
    assert asked.arms["way0"] == asked.arms["way1"] == asked.arms["way2"]
    assert asked.told["way0"] == asked.told["way1"] == asked.told["way2"] == ["train.mixup=0.2"]


def test_a_configuration_with_fusions_is_an_experiment(write: Write, tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump(yaml.safe_load(write().read_text())["config"]))
    asked = read_experiment(config, fusions=["drifa", "concat"], seeds=[4])
    assert list(asked.arms) == ["drifa", "concat"]
    assert asked.experiment.seeds == [4]
    with pytest.raises(DrifaError, match="--fusions drifa,concat"):
        read_experiment(config)
    with pytest.raises(DrifaError, match="did you mean 'concat'"):
        read_experiment(config, fusions=["drifa", "concatt"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seeds": []}, "no seeds"),
        ({"seeds": None}, "'seeds' is missing"),
        ({"seeds": [1, 1]}, "seed 1 is used twice"),
        ({"seed": 1}, "unknown key 'seed' .did you mean 'seeds'"),
        ({"primary": "drifa - conct, accuracy"}, "'conct' .did you mean 'concat'"),
        ({"primary": "drifa - drifa, accuracy"}, "with itself"),
        ({"primary": "drifa"}, "must look like"),
        ({"primary": {"arm": ["drifa", "concat"]}}, "did you mean 'arms'"),
        ({"interval": "seeds"}, "needs 3 seeds, and there are 2"),
        ({"arms": {"drifa": []}, "primary": None}, "a comparison needs two"),
        ({"arms": {"a/b": [], "c": []}, "primary": None}, "'a/b' cannot name an arm"),
        ({"arms": {"A": [], "b": [], "a": []}, "primary": None}, "'A' and 'a' would share folders"),
        ({"arms": {True: [], "b": []}, "primary": None}, "the arm True is no text; write its name in quotes"),
        ({"arms": {"a": ["train.seed=3"], "b": []}, "primary": None}, "the seeds of an experiment are its 'seeds'"),
        ({"arms": {"a": {"modell": {"fusion": "drifa"}}, "b": []}, "primary": None}, "did you mean 'model'"),
        ({"arms": {"a": {"model": None}, "b": []}, "primary": None}, "section 'model' is None; write key: value pairs"),
        ({"primary": {"arms": ["drifa"], "metric": "auc"}}, "'primary.arms.1' is missing"),
        ({"metrics": ["auc", "nll", "auc"]}, "names the metric 'auc' twice"),
        ({"overrides": ["train.members=3"]}, "give more 'seeds'"),
        ({"arms": None}, "neither an experiment"),
    ],
)
def test_a_mistake_is_named(write: Write, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DrifaError, match=message) as caught:
        read_experiment(write(**changes))
    assert "\n" not in str(caught.value)


def test_an_experiment_takes_no_fusions_from_outside(write: Write) -> None:
    with pytest.raises(DrifaError, match="leave --seeds away"):
        read_experiment(write(), seeds=[0])
    with pytest.raises(DrifaError, match="leave --folds away"):
        read_experiment(write(), folds=3)


def test_a_configuration_is_compared_by_folds(write: Write, tmp_path: Path) -> None:
    path = tmp_path / "base.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(write().read_text())["config"]))
    plan = make_plan(read_experiment(path, fusions=["drifa", "concat"], seeds=[0], folds=3))
    assert [job.name for job in plan.jobs] == [f"{arm}-s0-f{fold}" for fold in range(3) for arm in ("drifa", "concat")]


def test_a_configuration_is_looked_for_beside_the_file_and_then_in_the_working_directory(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = yaml.safe_load(write().read_text())["config"]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "experiments").mkdir()
    (tmp_path / "base.yaml").write_text(yaml.safe_dump({**base, "train": {"epochs": 7}}))
    path = write(config="base.yaml", overrides=[])
    moved = path.rename(tmp_path / "experiments" / "one.yaml")
    assert read_experiment(moved).arms["drifa"]["train"]["epochs"] == 7
    (moved.parent / "base.yaml").write_text(yaml.safe_dump({**base, "train": {"epochs": 8}}))
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert read_experiment(moved).arms["drifa"]["train"]["epochs"] == 8
    (moved.parent / "base.yaml").unlink()
    with pytest.raises(DrifaError, match=r"config file base\.yaml does not exist"):
        read_experiment(moved)
