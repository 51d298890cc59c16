"""Reading a run folder: the kind of each task, told once for every format, and only the columns that its kinds need."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from drifa.errors import DrifaError
from drifa.runs.files import CASE_COLUMNS, ROW_COLUMNS, read_run
from drifa.runs.run import Run
from tests.report.other_runs import edit, number_run, regions_run


@pytest.fixture
def numbers(tmp_path: Path) -> Path:
    return number_run(tmp_path / "numbers")


def test_kinds_are_those_that_the_evaluation_says(numbers: Path) -> None:
    assert read_run(numbers).kinds == {"age": "number"}
    edit(numbers / "evaluation.json", lambda evaluation: evaluation["tasks"].update(sex={"kind": "classes"}))
    files = read_run_without_answers(numbers)
    assert files.kinds == {"age": "number", "sex": "classes"}
    assert files.expects("number")
    assert files.expects("regions", "classes")
    assert not files.expects("regions")


def read_run_without_answers(run: Path) -> Any:
    (run / "predictions.parquet").unlink()
    return read_run(run)


@pytest.mark.parametrize("evaluation_format", [1, 2])
@pytest.mark.parametrize("gone", [(), ("model.json",), ("evaluation.json",), ("evaluation.json", "metrics.json")])
def test_segmentation_is_known_from_whatever_is_there(tmp_path: Path, evaluation_format: int, gone: tuple[str, ...]) -> None:
    run = regions_run(tmp_path, evaluation_format)
    for name in gone:
        (run / name).unlink()
    assert read_run(run).kinds == {"tumour": "regions"}


@pytest.mark.parametrize("gone", [("evaluation.json",), ("evaluation.json", "model.json"), ("evaluation.json", "metrics.json")])
def test_a_number_is_known_without_its_evaluation(numbers: Path, gone: tuple[str, ...]) -> None:
    for name in gone:
        (numbers / name).unlink()
    assert read_run(numbers).kinds == {"age": "number"}


@pytest.mark.parametrize(
    ("trained", "kind"),
    [({"kind": "number", "unit": "years"}, "number"), ({"kind": "classes", "classes": ["a"]}, "classes"), ({}, "classes")],
)
def test_before_the_evaluation_the_model_says_what_a_task_answers(numbers: Path, trained: Any, kind: str) -> None:
    for name in ("evaluation.json", "metrics.json", "predictions.parquet"):
        (numbers / name).unlink()
    edit(numbers / "model.json", lambda model: model.update(tasks={"age": trained}))
    assert read_run(numbers).kinds == {"age": kind}


def test_a_task_of_which_nothing_is_said_is_of_classes(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("train: {}\n")
    assert read_run(tmp_path).kinds == {}
    assert read_run(tmp_path).expects("classes")
    assert not read_run(tmp_path).expects("number", "regions")
    (tmp_path / "metrics.json").write_text('{"old": {"mc": {"accuracy": {"value": 0.5}}}}')
    assert read_run(tmp_path).kinds == {"old": "classes"}


def test_only_the_columns_of_the_kinds_are_needed_and_read(numbers: Path) -> None:
    table = read_run(numbers).predictions
    assert table is not None
    assert list(table) == [*ROW_COLUMNS, *CASE_COLUMNS["number"], "group"]
    path = numbers / "predictions.parquet"
    pd.read_parquet(path).drop(columns="std").to_parquet(path)
    with pytest.raises(DrifaError, match=r"predictions\.parquet' has no column 'std': run `drifa evaluate RUN` again"):
        read_run(numbers)


def test_a_run_of_both_needs_the_columns_of_both(numbers: Path) -> None:
    edit(numbers / "evaluation.json", lambda evaluation: evaluation["tasks"].update(sex={"kind": "classes"}))
    with pytest.raises(DrifaError, match="has no column 'label'"):
        read_run(numbers)
    path = numbers / "predictions.parquet"
    pd.read_parquet(path).assign(**dict.fromkeys(CASE_COLUMNS["classes"])).to_parquet(path)
    table = read_run(numbers).predictions
    assert table is not None
    assert list(table) == [*ROW_COLUMNS, *CASE_COLUMNS["classes"], *CASE_COLUMNS["number"], "group"]


def test_files_of_two_evaluations_are_not_read_as_one(paired_run: Run, tmp_path: Path) -> None:
    run = Path(shutil.copytree(paired_run.folder, tmp_path / "run"))
    assert read_run(run).metrics is not None
    (run / "metrics.json").write_text((run / "metrics.json").read_text() + " ")
    with pytest.raises(DrifaError, match=r"metrics\.json is not of the evaluation .* run `drifa evaluate"):
        read_run(run)
