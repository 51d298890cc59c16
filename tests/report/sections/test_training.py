"""Training: what the kept epoch reached, under the name and in the unit of each task."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from drifa.report.sections import training
from drifa.runs.files import read_run
from tests.report_page import report


def test_a_history_with_holes_is_drawn(run: Path) -> None:
    path = run / "members/0/history.csv"
    lines = path.read_text().splitlines()
    cells = lines[2].split(",")
    cells[3] = ""
    path.write_text("\n".join([lines[0], lines[1], ",".join(cells), *lines[3:], lines[-1][:5]]) + "\n")
    (run / "members/1/history.csv").write_text("\n".join(lines[:2]) + "\n")
    (run / "members/notes").mkdir()
    (run / "members/notes/history.csv").write_text("epoch\n1\n")
    page = report(run)
    assert page.has("training", "Network 0")
    assert not page.has("training", "Network notes")
    assert "nan" not in page.source


@pytest.mark.parametrize(
    ("kind", "label", "value"),
    [
        ("run", "Validation accuracy, %: cell", "90.0"),
        ("numbers", "Validation mean error, years: age", "6.2"),
        ("volumes", "Validation Dice, %: tumour/WT", "60.0"),
    ],
)
def test_scores_of_the_kept_epoch(kind: str, label: str, value: str, request: pytest.FixtureRequest) -> None:
    run = request.getfixturevalue(kind)
    assert report(run).has("training", label)
    record = training.record(read_run(run))
    assert {score["label"]: score["key"] for score in record["scores"]}[label] in record["members"][0]["scores"]
    assert value in record["members"][0]["scores"].values()


def test_the_kept_epoch_has_the_lowest_validation_loss(run: Path) -> None:
    for member in training.record(read_run(run))["members"]:
        history = pd.read_csv(run / f"members/{member['member']}/history.csv")
        assert member["best_epoch"] == str(history["epoch"][history["val_loss"].idxmin()] + 1)  # people count from 1


def test_what_training_noted_is_told(run: Path) -> None:
    assert not report(run).has("training", "learned little")
    path = run / "members/1/config.json"
    stored = json.loads(path.read_text()) if path.is_file() else {}
    note = "after 2 of 6 epochs, task 'cell' has at best 20.0% accuracy on validation"
    path.write_text(json.dumps({**stored, "training": {**stored.get("training", {}), "notes": [note]}}))
    page = report(run)
    assert page.has("training", "Network 1 learned little:")
    assert page.has("training", "after 2 of 6 epochs")


def test_the_gates_are_drawn_where_training_measured_them(run: Path) -> None:
    assert not report(run).has("training", "spread of the gate")
    rows = pd.DataFrame({"epoch": [0, 1], "kind": "mifa", "block": "stage 1", "modality": "photo", "mean": 0.8, "spread": 0.02})
    rows.to_csv(run / "members/1/gates.csv", index=False)
    page = report(run)
    assert page.has("training", "Network 1: spread of the gate that moves most")
    assert not page.has("training", "Network 0: spread of the gate")
