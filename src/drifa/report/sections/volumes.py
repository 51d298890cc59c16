"""Every segmented subject: its Dice by size, how its predicted volume agrees with the true one, and the worst first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drifa.report import figures, volume_figures, words
from drifa.report.data_link import data_link
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
                    "regions": _regions(task.name, rows),
                    "data": data_link(f"{task.name}-volumes", _told(rows)),
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


def _means(rows: pd.DataFrame) -> pd.DataFrame:
    """Means over members, by subject and region."""
    return rows.groupby(["subject", "region"], sort=False)[COLUMNS].mean()


def _told(rows: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(key): value for key, value in row.items()} for row in _means(rows).reset_index().to_dict(orient="records")]


def _regions(task: str, rows: pd.DataFrame) -> list[dict[str, Any]]:
    """The figures of volumes by region, of the subjects whose volumes are known."""
    shown = []
    for region, part in _means(rows).groupby("region", sort=False):
        known = part.dropna(subset=["truth_ml", "predicted_ml"])
        sized = known.dropna(subset=["dice"])
        if known.empty or sized.empty:
            continue
        pairs = list(zip(known["truth_ml"].tolist(), known["predicted_ml"].tolist(), strict=True))
        points = list(zip(sized["truth_ml"].tolist(), sized["dice"].tolist(), strict=True))
        name = f"{task}-{region}"
        found = volume_figures.agreement(pairs)
        shown.append(
            {
                "region": region,
                "dice": volume_figures.dice_by_volume(f"Dice of {region} in {task} by true volume", points),
                "volumes": volume_figures.bland_altman(f"Predicted minus true volume of {region} in {task}", pairs),
                "dice_data": data_link(f"{name}-dice-by-volume", [{"truth_ml": x, "dice": y} for x, y in points]),
                "volumes_data": data_link(f"{name}-volume", [{"truth_ml": x, "predicted_ml": y} for x, y in pairs]),
                "agreement": {key: words.number(value, 1) for key, value in found._asdict().items()} if found else None,
            }
        )
    return shown


def _worst_first(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Means over members, the worst subject first."""
    each = _means(rows)
    worst = each["dice"].groupby("subject", sort=False).mean().sort_values(kind="stable").index[:MOST_SUBJECTS]
    return [
        {
            "subject": subject,
            "rows": [{"region": region, **row} for region, row in each.loc[subject].to_dict(orient="index").items()],
        }
        for subject in worst
    ]
