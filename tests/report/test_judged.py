"""A task as it was judged: every kind has a title, an order of modes and details of the most thorough one."""

from __future__ import annotations

from pathlib import Path

from drifa.report.judged import judged_tasks
from drifa.runs.files import read_run
from tests.report.other_runs import edit, regions_run


def test_the_title_says_how_much_was_judged_in_the_words_of_the_kind(mixed: Path, volumes: Path) -> None:
    titles = {task.name: task.title["facts"] for task in [*judged_tasks(read_run(mixed)), *judged_tasks(read_run(volumes))]}
    assert titles == {
        "skin_lesion": "120 images of 60 groups, 5 classes",
        "cell": "120 images of 60 groups, 3 classes",
        "age": "120 subjects of 60 groups, in years",
        "tumour": "8 subjects",
    }


def test_kinds_are_chosen_and_the_order_of_the_metrics_is_kept(mixed: Path) -> None:
    files = read_run(mixed)
    assert [task.name for task in judged_tasks(files)] == ["skin_lesion", "cell", "age"]
    assert [task.name for task in judged_tasks(files, "number")] == ["age"]
    assert judged_tasks(files, "regions") == []


def test_the_most_thorough_mode_comes_first_wherever_it_was_written(numbers: Path) -> None:
    (task,) = judged_tasks(read_run(numbers))
    assert task.modes == list(task.details) == ["ensemble_mc", "deterministic"]
    assert task.best == task.metrics["ensemble_mc"]
    assert task.detail == task.judged["modes"]["ensemble_mc"]
    assert task.detail_mode == task.describe("ensemble_mc")


def test_a_task_without_metrics_or_without_details_is_still_a_task(run: Path) -> None:
    edit(run / "metrics.json", lambda metrics: metrics.pop("cell"))
    edit(run / "evaluation.json", lambda evaluation: evaluation["tasks"].pop("skin_lesion"))
    lesion, cell = judged_tasks(read_run(run))
    assert lesion.modes
    assert lesion.detail == {}
    assert lesion.detail_mode is None
    assert lesion.title == {"name": "skin_lesion", "facts": ""}
    assert cell.modes == cell.measured == []
    assert cell.best == {}
    assert cell.detail


def test_volumes_are_counted_where_the_first_format_did_not(tmp_path: Path) -> None:
    (task,) = judged_tasks(read_run(regions_run(tmp_path, evaluation_format=1)))
    assert task.count == 8
    assert task.regions == ["WT", "TC"]
