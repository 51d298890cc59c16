"""What the screen shows: metrics with their intervals, subsets, and a bar from the first step to the last."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import rich.progress

from drifa.cli.screen import print_metrics, print_subsets, print_trust, progress_bar


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")


def interval(value: float | None, low: float | None = None, high: float | None = None) -> dict[str, float | None]:
    return {"value": value, "low": low, "high": high}


def lines(capsys: pytest.CaptureFixture[str]) -> list[list[str]]:
    """The cells of every printed row that has any."""
    rows = [line.replace("┃", "│").split("│")[1:-1] for line in capsys.readouterr().out.splitlines()]
    return [[cell.strip() for cell in row] for row in rows if any(character.isalnum() for character in "".join(row))]


def test_a_metric_stands_beside_its_interval_in_every_mode(capsys: pytest.CaptureFixture[str]) -> None:
    modes = {
        "single": {"accuracy": interval(0.91234, 0.85, 0.96), "auc": interval(None), "brier": interval(0.2, 0.1, 0.3)},
        "ensemble": {"accuracy": interval(0.95), "auc": interval(None), "brier": interval(0.2, 0.1, 0.3)},
    }
    print_metrics({"lesion": modes})
    assert lines(capsys) == [["lesion", "single", "ensemble"], ["accuracy", "0.912", "0.950"], ["", "0.850–0.960", ""]]


def test_of_volumes_the_metrics_of_regions_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    metrics = {name: interval(0.5, 0.4, 0.6) for name in ("dice_WT", "hd95_WT", "missed_WT", "slice_accuracy", "accuracy")}
    print_metrics({"tumour": {"single": metrics}})
    shown = [row[0] for row in lines(capsys) if row[0]]
    assert shown == ["tumour", "dice_WT", "hd95_WT", "missed_WT"]


def test_subsets_are_one_row_each(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def metrics(value: float) -> dict[str, Any]:
        names = ("accuracy", "dice_WT", "dice_present_WT", "ece")
        return {name: interval(value) for name in names}

    found = {"subsets": {"tumour": {"flair": metrics(0.25), "flair + t1": metrics(0.75)}}}
    (tmp_path / "evaluation.json").write_text(json.dumps(found))
    print_subsets(tmp_path)
    assert lines(capsys) == [
        ["tumour, from", "accuracy", "dice_WT"],
        ["flair", "0.250", "0.250"],
        ["flair + t1", "0.750", "0.750"],
    ]


class _Bar(rich.progress.Progress):
    """Notes when it is on the screen."""

    told: list[str]

    def start(self) -> None:
        _Bar.told.append("start")

    def stop(self) -> None:
        _Bar.told.append("stop")


def test_the_bar_stands_from_the_first_step_to_the_last_and_between_phases_there_is_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _Bar.told = []
    monkeypatch.setattr(rich.progress, "Progress", _Bar)
    with progress_bar(quiet=False) as advance:
        assert advance is not None
        assert _Bar.told == []
        advance(1, 2, "images")
        advance(2, 2, "images")
        assert _Bar.told == ["start", "stop"]
        advance(1, 2, "volumes")
        advance(1, 3, "slices")
        advance(2, 2, "volumes")
        assert _Bar.told == ["start", "stop", "start"]
    assert _Bar.told == ["start", "stop"] * 2  # an error or an end takes it away too
    with progress_bar(quiet=True) as advance:
        assert advance is None


def test_a_phase_that_never_ends_leaves_no_trouble_to_a_training_behind_it() -> None:
    with progress_bar(quiet=False) as advance:
        assert advance is not None
        advance(1, 2, "volumes")
        console = rich.get_console()
        if console._live_stack:  # as Lightning does before its own bar
            console.clear_live()


def test_a_number_names_its_unit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tasks = {"age": {"kind": "number", "unit": "years"}, "kind": {"kind": "classes"}}
    (tmp_path / "evaluation.json").write_text(json.dumps({"tasks": tasks}))
    print_metrics({"age": {"mc": {"mae": interval(4.2)}}, "kind": {"mc": {"accuracy": interval(0.5)}}}, tmp_path)
    assert [row[0] for row in lines(capsys)] == ["age, years", "mae", "kind", "accuracy"]


def test_a_calibration_says_what_it_is_worth_also_where_a_modality_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    half = {"value": 0.5, "low": 0.4, "high": 0.6}
    learned = {"notes": [], "calibration": {"ece": {"after": half}}, "abstention": [{"coverage": half, "risk": half}]}
    nothing = {"notes": ["no calibration: 3 cases are too few", "no bar for abstention: a risk"]}
    print_trust(
        {
            "test": {},
            "tasks": {},
            "test_subsets": {"photo": {"cell": learned}, "ct": {"cell": nothing}},
            "test_regions": {"tumour": {"WT": {"nll": {"before": half, "after": half}}}},
            "strangers": {},
            "notes": ["a last word"],
        }
    )
    span = "0.500 [0.400, 0.600]"
    assert capsys.readouterr().out.splitlines() == [
        f"cell, from photo alone: ECE on test {span}, {span} answered, {span} of these wrongly",
        "cell, from ct alone: no calibration, no bar for abstention",
        f"tumour, WT: NLL of voxels on test before {span}, after {span}",
        "note: a last word",
    ]
