"""Each switch does what it says, alone and together; without any, the numbers are those of the package."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from drifa.experiments.authors import SWITCHES, authors, count_all, counted, tiles
from drifa.files import read_json
from drifa.metrics.classification import Judged
from drifa.runs.run import Run

LABELS = np.array([0, 0, 1, 2, 2])
PROBABILITIES = np.array([[0.8, 0.1, 0.1], [0.4, 0.35, 0.25], [0.6, 0.3, 0.1], [0.1, 0.1, 0.8], [0.2, 0.45, 0.35]])


def test_without_a_switch_numbers_are_those_of_the_package() -> None:
    sound = Judged(LABELS, PROBABILITIES).measure(np.ones((1, 5)))
    for name, value in counted(LABELS, PROBABILITIES).items():
        assert value == pytest.approx(sound[name][0]), name


def test_a_threshold_leaves_unsure_answers_out() -> None:
    found = counted(LABELS, PROBABILITIES, threshold=True)
    # Rows 0 and 3 are right; 1 would be, but reaches no half; 2 is wrong; 4 says nothing.
    assert found["accuracy"] == pytest.approx(2 / 5)
    assert found["precision"] == pytest.approx((1 / 2 + 0 + 1) / 3)
    assert found["recall"] == pytest.approx((1 / 2 + 0 + 1 / 2) / 3)


def test_exchanged_arguments_exchange_precision_and_recall_alone() -> None:
    sound, found = counted(LABELS, PROBABILITIES), counted(LABELS, PROBABILITIES, swapped=True)
    assert (found["precision"], found["recall"]) == (sound["recall"], sound["precision"])
    assert (found["accuracy"], found["f1"]) == (sound["accuracy"], sound["f1"])


def test_a_repeated_test_set_holds_each_image_as_often_as_its_tiles_allow() -> None:
    rows = tiles(4, 10, np.random.default_rng(0))
    assert len(rows) == 10
    assert np.bincount(rows, minlength=4).max() <= 3


def predictions(task: str, count: int, **changes: Any) -> pd.DataFrame:
    random = np.random.default_rng(count)
    p = random.dirichlet(np.ones(3), count)
    label = np.array(["a", "b", "c"])[random.integers(0, 3, count)]
    head = {"subject": np.arange(count).astype(str), "task": task, "condition": "partners", "member": 0, "label": label}
    return pd.DataFrame({**head, "mode": "deterministic", "probabilities": list(p), **changes})


def test_only_the_shorter_test_set_is_repeated_and_all_switches_work_together() -> None:
    both = pd.concat([predictions("long", 30), predictions("short", 12)])
    table = pd.concat([both, both.assign(mode="mc", probabilities=[np.array([0.2, 0.2, 0.6])] * len(both))])
    found = {
        (one.task, one.metric, one.switches): one
        for one in count_all(table, {"long": ["a", "b", "c"], "short": ["a", "b", "c"]})
    }
    assert found["long", "accuracy", ("tiled",)].added == 0
    assert found["short", "accuracy", ("tiled",)].added == pytest.approx(0, abs=1)
    assert all(found[task, name, ()].added == 0 for task in ("long", "short") for name in ("accuracy", "f1"))
    share = (predictions("long", 30)["label"] == "c").mean()
    assert found["long", "accuracy", ("dropout",)].value == pytest.approx(share)
    assert found["long", "accuracy", tuple(SWITCHES)].value == pytest.approx(share)


def test_a_run_is_counted_and_its_own_evaluation_left_alone(unpaired_run: Run) -> None:
    before = (unpaired_run.folder / "predictions.parquet").read_bytes()
    found = authors(unpaired_run.folder)
    metrics = json.loads((unpaired_run.folder / "metrics.json").read_text())
    for one in found:
        if not one.switches:
            assert one.value == pytest.approx(metrics[one.task]["deterministic"][one.metric]["value"]), one
    assert (unpaired_run.folder / "predictions.parquet").read_bytes() == before
    assert read_json(unpaired_run.folder / "authors.json") is not None
    assert "all together" in (unpaired_run.folder / "authors.md").read_text()
