"""Figures of the paper show every arm of a finished experiment on the same cases, and write nothing where they cannot."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from drifa.errors import DrifaError
from drifa.experiments.comparison import Comparison
from drifa.experiments.jobs import Outcome
from drifa.experiments.paper_figures import draw_figure, runs_of
from tests.report_page import Page

Done = tuple[Path, list[Outcome], Comparison]
LAYER = "layer2.0"  # images of 32 pixels leave one pixel behind the last stage


@pytest.fixture(scope="module")
def table(done: Done, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as `drifa reproduce` leaves it, of one part."""
    out = tmp_path_factory.mktemp("table")
    shutil.copytree(done[0], out / "D1")
    return out


def test_readouts_of_every_arm_lie_side_by_side_with_their_numbers(table: Path) -> None:
    path, patients = draw_figure("figure5", table)
    told = json.loads((table / "figure5.json").read_text())["experiments"]["D1"]
    assert not patients
    assert set(told) == {"surface", "depth", "spread"}
    for arms in told.values():
        assert list(arms) == ["drifa", "concat"]  # as in the comparison, the first arm first
        assert all(-1 <= one["silhouette"] <= 1 and 0 <= one["knn_accuracy"] <= 1 for one in arms.values())
    assert [tag for tag, _ in Page(path).tags].count("svg") == 6


def test_maps_of_every_arm_are_of_the_same_images(table: Path) -> None:
    path, patients = draw_figure("figure4", table, cases=2, layer=LAYER)
    told = json.loads((table / "figure4.json").read_text())["experiments"]["D1"]
    assert not patients
    assert all(len(cases) == 2 for cases in told.values())
    assert all(list(case["answers"]) == ["drifa", "concat"] for cases in told.values() for case in cases)
    page = Page(path)
    assert "images of patients" not in page.source  # the phantom's are synthetic
    words = [str(given["alt"]) for tag, given in page.tags if tag == "img"]
    for case in told["depth"]:
        assert f"ultrasound of {case['subject']}" in words
        assert f"ultrasound of {case['subject']}, and what drifa sees for {case['class']}" in words


def test_the_folder_of_a_comparison_is_one_experiment(table: Path) -> None:
    path, _ = draw_figure("figure5", table / "D1")
    assert path == table / "D1" / "figure5.html"


def test_patients_are_warned_of(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drifa.explain.asked.is_phantom", lambda study: False)
    path, patients = draw_figure("figure4", table, cases=1, layer=LAYER)
    assert patients
    assert "This page holds images of patients" in Page(path).source


def test_what_cannot_be_drawn_is_told_and_nothing_is_written(table: Path, tmp_path: Path) -> None:
    with pytest.raises(DrifaError, match="holds no experiment; give the folder of a finished"):
        draw_figure("figure5", tmp_path)
    shutil.copytree(table / "D1", tmp_path / "D1")
    for page in tmp_path.glob("D1/figure*"):
        page.unlink()
    with pytest.raises(DrifaError, match="have one pixel at the layer"):
        draw_figure("figure4", tmp_path, layer="layer4.0")
    for job in ("drifa-s0", "concat-s1"):
        (tmp_path / "D1" / "jobs" / job / "job.json").unlink()
    with pytest.raises(DrifaError, match="has no seed that every arm has finished"):
        draw_figure("figure5", tmp_path)
    assert not list(tmp_path.rglob("figure*"))


def test_the_lowest_seed_that_all_have_is_shown(table: Path, tmp_path: Path) -> None:
    shutil.copytree(table / "D1", tmp_path / "D1")
    assert runs_of(tmp_path / "D1")["drifa"].name == "drifa-s0"
    (tmp_path / "D1" / "jobs" / "concat-s0" / "job.json").unlink()
    assert {arm: run.name for arm, run in runs_of(tmp_path / "D1").items()} == {"drifa": "drifa-s1", "concat": "concat-s1"}
