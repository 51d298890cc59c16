"""What a run says of itself: written and read alike, and read from the format before."""

from __future__ import annotations

import json
from typing import Any

import pytest

from drifa.errors import DrifaError
from drifa.runs.info import RunInfo

HEAD: dict[str, Any] = {
    "backbone": "resnet18",
    "fusion": "drifa",
    "parameters": 10,
    "modalities": {"photo": 3},
    "task_modalities": {"t": ["photo"]},
    "image_size": 32,
    "components": 1,
    "members": 2,
    "pretrained": [],
    "study": {"name": "s"},
}
NUMBER = {"kind": "number", "unit": "years", "mean": 50.0, "std": 10.0, "criterion": "mse"}


def test_it_is_read_as_it_was_written() -> None:
    info = RunInfo.from_json({"drifa_run": 2, **HEAD, "tabular": {}, "tasks": {"t": NUMBER}})
    assert RunInfo.from_json(json.loads(json.dumps(info.to_json()))) == info
    assert info.macs is None  # nobody counted
    assert info.reads == "subject"


def test_the_format_before_is_read_as_if_written_today() -> None:
    old = {"drifa_run": 1, **HEAD, "tasks": {"t": ["a", "b"]}}
    assert RunInfo.from_json(old).tasks == {"t": {"kind": "classes", "classes": ["a", "b"]}}
    segmented = {**old, "regions": {"t": {"a": [1], "b": [2]}}}
    info = RunInfo.from_json(segmented, output="classes")
    assert info.tasks == {"t": {"kind": "regions", "regions": {"a": [1], "b": [2]}, "output": "classes"}}
    assert info.reads == "pixels"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"drifa_run": 3}, r"model.json was written in run format 3; this drifa \(.*\) reads up to 2"),
        ({"drifa_run": None}, "run format None"),
        ({"tasks": {"t": {"kind": "grades"}}}, "task 't' of model.json is of the unknown kind 'grades'; update drifa"),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_sentence(change: dict[str, Any], message: str) -> None:
    with pytest.raises(DrifaError, match=message):
        RunInfo.from_json({"drifa_run": 2, **HEAD, "tabular": {}, "tasks": {"t": NUMBER}, **change})


def test_a_file_that_is_not_whole_is_named() -> None:
    with pytest.raises(DrifaError, match=r"model.json has no 'tabular'"):
        RunInfo.from_json({"drifa_run": 2, **HEAD, "tasks": {"t": NUMBER}})
