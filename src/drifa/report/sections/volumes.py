"""Every segmented subject, the worst first: its Dice, and its true and predicted volume."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drifa.report import figures
from drifa.report.judged import judged_tasks
from drifa.runs.files import RunFiles

if TYPE_CHECKING:
    import pandas as pd

#: Rows of the table of subjects, the worst first.
MOST_SUBJECTS = 50
COLUMNS = ["dice", "sensitivity", "hd95", "truth_ml", "predicted_ml"]


def record(files: RunFiles) -> dict[str, Any] | None:
    """Each task of regions in its most thorough mode; None for a run without such tasks."""
    if not files.expects("regions"):
        return None
    tasks = []
    for task in judged_tasks(files, "regions"):
        rows = _rows(task.name, task.modes, files)
        if rows is not None:
            tasks.append(
                {
                    "name": task.name,
                    "mode": task.describe(task.modes[0]),
                    "count": rows["subject"].nunique(),
                    "subjects": _worst_first(rows),
                    "strip": figures.dice_strip(_by_region(rows)),
                }
            )
    return {"tasks": tasks}


def _rows(task: str, modes: list[str], files: RunFiles) -> pd.DataFrame | None:
    """What ``volumes.csv`` says of a task in its most thorough mode; None if it says nothing."""
    if files.volumes is None or not modes:
        return None
    rows = files.volumes[(files.volumes["task"] == task) & (files.volumes["mode"] == modes[0])]
    return rows if len(rows) else None


def _by_region(rows: pd.DataFrame) -> dict[str, list[float]]:
    means = rows.groupby(["region", "subject"], sort=False)["dice"].mean()
    return {str(region): values.tolist() for region, values in means.groupby("region", sort=False)}


def _worst_first(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Means over members, the worst subject first."""
    each = rows.groupby(["subject", "region"], sort=False)[COLUMNS].mean()
    worst = each["dice"].groupby("subject", sort=False).mean().sort_values(kind="stable").index[:MOST_SUBJECTS]
    return [
        {
            "subject": subject,
            "rows": [{"region": region, **row} for region, row in each.loc[subject].to_dict(orient="index").items()],
        }
        for subject in worst
    ]
