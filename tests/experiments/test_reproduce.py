"""A reproduced table holds our numbers, theirs and the difference, with the footnotes at the rows that they are of."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from drifa.errors import DrifaError
from drifa.experiments import reproduce as module
from drifa.experiments.comparison import Comparison
from drifa.experiments.jobs import Outcome
from drifa.experiments.paper_tables import PaperTable, Part, Setting, TableArm, read_table
from drifa.experiments.plan import Plan
from drifa.experiments.reproduce import notes_of, prepare_missing, reproduce, run_config

Done = tuple[Path, list[Outcome], Comparison]
SMALL = PaperTable(
    title="small",
    network="resnet18",
    metrics=["balanced_accuracy", "accuracy", "nll"],
    parts={"both": Part(studies=["phantom"], datasets={"D3": "depth"})},
    arms={"drifa": TableArm(printed="M5"), "concat": TableArm(printed="M2")},
)


def test_ours_stands_beside_theirs(plan: Plan, done: Done, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, _, compared = done
    shutil.copytree(folder, tmp_path / "out" / "both")
    monkeypatch.setattr(module, "read_table", lambda name: SMALL)
    monkeypatch.setattr(module, "plan_part", lambda *_: plan)
    found, outcomes = reproduce("table1", Setting(seeds=[0, 1]), tmp_path / "out", quiet=True)
    assert outcomes == []
    assert found.verdicts == {"both": compared.verdict}
    cells = {(cell.row, cell.metric): cell for cell in found.cells}
    ours = next(one for one in compared.results if (one.arm, one.task, one.metric) == ("drifa", "depth", "balanced_accuracy"))
    assert ours.mean is not None
    assert cells["drifa", "balanced_accuracy"].ours == pytest.approx(100 * ours.mean)
    assert cells["drifa", "balanced_accuracy"].printed == ""
    # The experiment did not measure the accuracy, so that the paper's stands alone; rows without an arm likewise.
    assert (cells["drifa", "accuracy"].ours, cells["drifa", "accuracy"].printed) == (None, "98.4")
    assert {cell.printed_row for cell in found.cells if cell.row == ""} == {"M1", "M3", "M4"}
    text = (tmp_path / "out" / "table1.md").read_text()
    number = next(number for number, note in enumerate(found.notes, 1) if "97.9 cannot be" in note.says)
    assert f"| concat | M2 [{number}]" in text
    assert json.loads((tmp_path / "out" / "table1.json").read_text())["drifa_reproduction"] == 1
    assert len(pd.read_csv(tmp_path / "out" / "table1.csv")) == len(found.cells)


def test_the_difference_is_ours_minus_theirs_in_points() -> None:
    cells = module._cells("table1", SMALL, "both", SMALL.arms, {("drifa", "depth", "accuracy"): (0.9, 0.8, 1.0, "groups")})
    cell = next(cell for cell in cells if (cell.row, cell.metric) == ("drifa", "accuracy"))
    assert (cell.ours, cell.low, cell.high, cell.over) == (90.0, 80.0, 100.0, "groups")
    assert cell.difference == pytest.approx(90 - 98.4)


def test_each_part_of_table_6_has_its_own_printed_rows() -> None:
    table = read_table("table6")
    for part in table.parts:
        cells = module._cells("table6", table, part, table.arms_of(part), {})
        assert {cell.printed_row for cell in cells} == {f"{part} {number}" for number in range(1, 7)}


def test_notes_tell_findings_and_doubts() -> None:
    assert any("cannot be" in note.says for note in notes_of("table1"))
    assert any(note.rows == ("M1", "M2", "M3", "M4", "M5") and "not said" in note.says for note in notes_of("table3"))


def test_a_run_of_members_has_seeds_in_a_row() -> None:
    table = read_table("table7")
    assert run_config(table, "D1+D2", Setting(seeds=[4, 5])).train.members == 2
    assert run_config(table, "D1+D2", Setting(seeds=[4, 5])).train.seed == 4
    with pytest.raises(DrifaError, match="seeds in a row"):
        run_config(table, "D1+D2", Setting(seeds=[0, 2]))


def test_studies_that_are_missing_are_prepared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, Path, str]] = []
    monkeypatch.setattr(module, "prepare", lambda *words: asked.append(words))
    (tmp_path / "ham10000").mkdir()
    (tmp_path / "ham10000" / "study.yaml").touch()
    prepare_missing("table4", Setting(studies=str(tmp_path)), "data", lambda _: None)
    assert asked == [("sipakmed", Path("data/sipakmed"), (tmp_path / "sipakmed").as_posix())]
