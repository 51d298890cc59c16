"""Reliability on the test split once what `drifa calibrate` learned is applied."""

from __future__ import annotations

from typing import Any

import numpy as np

from drifa.metrics.curves import reliability
from drifa.report.answers import class_answers
from drifa.report.judged import JudgedTask
from drifa.runs.files import RunFiles
from drifa.uncertainty.calibration import read_calibration
from drifa.uncertainty.prior import PriorCorrection


def calibrated_bins(task: JudgedTask, files: RunFiles) -> list[dict[str, Any]]:
    """Bins of :func:`drifa.metrics.curves.reliability` of the calibrated answers.

    Args:
        task: Of classes.
        files: The run.

    Returns:
        The bins; none where no calibration was learned, or the networks were asked in another way for it than here.

    Raises:
        DrifaError: What was learned is damaged.
    """
    told = files.calibration or {}
    learned = (told.get("tasks") or {}).get(task.name) or {}
    answers = class_answers(task.name, task.classes, files)
    if answers is None or not (learned.get("calibration") or learned.get("prior")):
        return []
    table, p = answers
    members = (files.evaluation or {}).get("members")
    if table["mode"].iloc[0] != told.get("mode") or members != told.get("members"):
        return []
    if not table["label"].isin(task.classes).all():
        return []
    place = f"{files.folder / 'calibration.json'}: tasks.{task.name}"
    if learned.get("prior"):
        p = PriorCorrection.from_json(learned["prior"], f"{place}.prior")(p)
    if learned.get("calibration"):
        p = read_calibration(learned["calibration"], f"{place}.calibration")(p)
    return reliability(np.array([task.classes.index(name) for name in table["label"]]), p)
