"""What the report asks of the ranking of classes: one entry per class, limits only over groups."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from drifa.report.judged import judged_tasks
from drifa.report.ranking import ranking
from drifa.runs.files import read_run


def test_limits_need_groups_and_nothing_comes_without_probabilities(run: Path) -> None:
    path = run / "predictions.parquet"
    table = pd.read_parquet(path)
    for gone, entries, limits in ([], 5, True), (["group"], 5, False), (["probabilities"], 0, False):
        table.drop(columns=gone).to_parquet(path)
        files = read_run(run)
        task = judged_tasks(files, "classes")[0]
        found = ranking(task, files)
        assert len(found) == entries
        assert all(one is not None and (one.found_at(0.9)["low"] is not None) == limits for one in found)
