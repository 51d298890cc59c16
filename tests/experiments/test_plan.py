"""Jobs: every arm meets every seed and fold on one split, and what would waste hours is refused first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from drifa.errors import DrifaError
from drifa.experiments.experiment import read_experiment
from drifa.experiments.plan import Plan, job_key, make_plan
from tests.experiments.conftest import Write


def test_every_arm_meets_every_seed_on_one_split(plan: Plan) -> None:
    assert [job.name for job in plan.jobs] == ["drifa-s0", "concat-s0", "drifa-s1", "concat-s1"]
    assert [job.config.train.seed for job in plan.jobs] == [0, 0, 1, 1]
    assert {job.config.train.members for job in plan.jobs} == {1}
    assert len({job.split for job in plan.jobs}) == 1
    assert len({job.config.data.split_seed for job in plan.jobs}) == 1
    assert len({job.key for job in plan.jobs}) == 4
    assert plan.primary.tasks == ("depth",)


def test_folds_test_every_case_once(write: Write) -> None:
    plan = make_plan(read_experiment(write(folds=3, seeds=[0])))
    assert [job.fold for job in plan.jobs if job.arm == "drifa"] == [0, 1, 2]
    assert len({job.split for job in plan.jobs}) == 3


def test_without_a_task_the_primary_metric_is_a_mean_over_tasks(write: Write) -> None:
    plan = make_plan(read_experiment(write(primary="drifa - concat, accuracy", metrics=[])))
    assert plan.primary.tasks == ("surface", "depth", "spread")
    assert "ece" in plan.tasks["depth"].chosen


def test_the_key_knows_what_is_learned_and_not_where(plan: Plan, tmp_path: Path) -> None:
    job, weights = plan.jobs[0], tmp_path / "weights.pt"
    moved = job.config.model_copy(deep=True)
    moved.data.study, moved.data.cache, moved.train.threads = "elsewhere", "there", 3
    assert job_key(moved, job.split) == job.key
    assert job_key(job.config, "another") != job.key
    assert job_key(job.config, job.split, "9.9") != job.key
    moved.train.lr = 0.5
    assert job_key(moved, job.split) != job.key
    keys = []
    for content in (b"a", b"b"):
        weights.write_bytes(content)
        moved.model.pretrained = str(weights)
        keys.append(job_key(moved, job.split))
    assert keys[0] != keys[1]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"arms": {"a": ["train.epoch=2"], "b": []}, "primary": None}, "did you mean 'train.epochs'"),
        ({"arms": {"a": ["model.fusion=drifa"], "b": []}, "primary": None}, "the same network twice"),
        ({"arms": {"a": ["data.split_seed=1"], "b": []}, "primary": None}, "different cases of task"),
        ({"metrics": ["balanced_acuracy"]}, "did you mean 'balanced_accuracy'"),
        ({"primary": "drifa - concat, acuracy, depth"}, "did you mean 'accuracy'"),
        ({"primary": "drifa - concat, accuracy, dept"}, "did you mean 'depth'"),
    ],
)
def test_a_mistake_is_named_before_anything_is_trained(write: Write, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DrifaError, match=message):
        make_plan(read_experiment(write(**changes)))


@pytest.mark.parametrize("given", ["nowhere.safetensors", {"photo": "nowhere.safetensors"}])
def test_weights_that_do_not_exist_are_missed_before_anything_is_trained(write: Write, given: Any) -> None:
    arms = {"a": {"model": {"pretrained": given}}, "b": ["model.fusion=concat"]}
    with pytest.raises(DrifaError, match=r"arm 'a' of tiny: weights file nowhere\.safetensors does not exist"):
        make_plan(read_experiment(write(arms=arms, primary=None)))


def test_a_metric_of_another_kind_of_task_is_not_offered(write: Write, tmp_path: Path) -> None:
    from drifa.data import make_phantom

    make_phantom(tmp_path / "study", subjects=60, image_size=32, numbers=True)
    overrides = [f"data.study={tmp_path / 'study'}"]
    plan = make_plan(read_experiment(write(primary="drifa - concat, mae, radius"), overrides))
    assert plan.primary.tasks == ("radius",)
    with pytest.raises(DrifaError, match="'mae', which depth does not have") as caught:
        make_plan(read_experiment(write(primary="drifa - concat, mae, depth"), overrides))
    assert "'mae'?" not in str(caught.value)
