"""A written table says ours, theirs and the difference, and marks the rows that its footnotes are of."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pandas as pd

from drifa.experiments.reproduction import Cell, Note, Reproduction, markdown, write_reproduction

BOTH = Cell("both", "D3", "drifa", "accuracy", "M5", 90.0, 80.0, 100.0, "groups", "98.4", -8.4)
THEIRS = Cell("both", "D3", "", "accuracy", "M1", None, None, None, "", "95.0", None)
SETTING = {"scale": "quick", "protocol": "strict", "seeds": []}
TABLE = Reproduction("table1", "small", SETTING, {"both": "no difference"}, [BOTH, THEIRS], [Note("D3", ("M1",), "unlikely")])


def test_each_row_shows_both_numbers_and_the_note_that_it_is_named_in() -> None:
    lines = markdown(TABLE).splitlines()
    assert "| drifa | M5 | 90.0 [80.0, 100.0]; 98.4 (-8.4) |" in lines
    assert "| – | M1 [1] | not measured; 95.0 |" in lines
    assert "1. D3, M1: unlikely." in lines


def test_settings_that_were_changed_are_told() -> None:
    assert "seeds 0, 1, 2; drifa" in markdown(TABLE)
    changed = replace(TABLE, setting=SETTING | {"overrides": ["model.backbone=vgg11", "train.epochs=2"]})
    assert "seeds 0, 1, 2, with `model.backbone=vgg11 train.epochs=2`; drifa" in markdown(changed)


def test_the_three_files_hold_the_same_cells(tmp_path: Path) -> None:
    write_reproduction(TABLE, tmp_path)
    told = json.loads((tmp_path / "table1.json").read_text())
    assert [cell["printed_row"] for cell in told["cells"]] == pd.read_csv(tmp_path / "table1.csv")["printed_row"].tolist()
    assert told["notes"] == [{"dataset": "D3", "rows": ["M1"], "says": "unlikely"}]
