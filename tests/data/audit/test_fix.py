"""Joining groups: a union that changes nothing else and empties a split that it would cut."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd

from drifa.data.audit import join_groups
from tests.data.audit.made import make


def test_joining_is_a_union_that_keeps_everything_else_and_can_be_repeated(tmp_path: Path) -> None:
    study = make(tmp_path, count=12, group=[f"g{number // 2}" for number in range(12)])
    joined, count = join_groups(study, [[1, 2], [3, 11]])
    # g0 - g1 - g5 are one now: each image brings its whole group along.
    assert joined.table["group"].tolist() == ["g0"] * 4 + ["g2", "g2", "g3", "g3", "g4", "g4", "g0", "g0"]
    assert count == 2
    pd.testing.assert_frame_equal(joined.table.drop(columns="group"), study.table.drop(columns="group"))
    again, more = join_groups(joined, [[1, 2], [3, 11]])
    assert more == 0
    assert again.table["group"].equals(joined.table["group"])


def test_joining_empties_a_split_that_it_would_cut_and_keeps_one_that_it_would_not(tmp_path: Path) -> None:
    study = make(tmp_path, count=12, split=["train"] * 8 + ["test"] * 4)
    assert (join_groups(study, [[0, 1]])[0].table["split"] == study.table["split"]).all()
    assert (join_groups(study, [[0, 11]])[0].table["split"] == "").all()
    paper = replace(study, split_protocol="paper")
    assert (join_groups(paper, [[0, 11]])[0].table["split"] == study.table["split"]).all()
