"""Limits follow from the numbers, and are not said where the numbers do not say them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from drifa.report.limitations import limitations
from drifa.runs.files import read_run
from tests.report.other_runs import edit


def said(run: Path) -> str:
    return " ".join(limitations(read_run(run)))


def test_each_is_said_where_its_rule_holds_and_nowhere_else(run: Path) -> None:
    assert "judged on 60 groups only" in said(run)
    assert "not shown to be better" not in said(run)
    assert "One network was trained" not in said(run)

    def dishonest(metrics: dict[str, Any]) -> None:
        metrics["cell"]["ensemble_mc"]["ece"] = {"value": 0.2, "low": 0.1, "high": 0.3}
        metrics["skin_lesion"]["ensemble_mc"]["ece"] = {"value": 0.02, "low": 0.01, "high": 0.3}

    edit(run / "metrics.json", dishonest)
    edit(run / "model.json", lambda model: model.update(members=1))
    edit(run / "evaluation.json", lambda evaluation: evaluation["tasks"]["cell"].update(groups=1000))
    assert "cell: stated probabilities are off by 20.0\u00a0%" in said(run)
    assert "skin_lesion: stated" not in said(run)
    assert "cell: judged on" not in said(run)
    assert "One network was trained" in said(run)


def test_answers_that_may_be_sure_without_a_look_at_the_image_are_told(run: Path) -> None:
    for task, more, expected in (({"abstention": {"bar": None}}, {}, True), ({"abstention": None}, {}, False)):
        (run / "calibration.json").write_text(json.dumps({"drifa_calibration": 2, "tasks": {"cell": task}, **more}))
        assert ("Nobody checks whether an image" in said(run)) is expected
    checked = {"drifa_calibration": 2, "tasks": {"cell": {"abstention": {"bar": None}}}, "strangers_file": {"digest": ""}}
    (run / "calibration.json").write_text(json.dumps(checked))
    assert "Nobody checks" not in said(run)


def test_nothing_is_said_before_an_evaluation(run: Path) -> None:
    (run / "metrics.json").unlink()
    assert limitations(read_run(run)) == []
