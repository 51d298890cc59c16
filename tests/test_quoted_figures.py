"""What the README quotes is what `results/` holds."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
PAIR, SEED = "cell_skin_lesion", 0
COLUMNS = [
    ("skin_lesion", "accuracy"),
    ("skin_lesion", "balanced_accuracy"),
    ("cell", "accuracy"),
    ("cell", "balanced_accuracy"),
]


def told() -> dict[str, list[str]]:
    """Fusion -> the cells of its row in the README's table."""
    text = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Measured")[2]
    rows = re.findall(r"^\| `(\w+)` \|(.+)\|$", text, re.MULTILINE)
    return {name: [cell.strip() for cell in cells.split("|")] for name, cells in rows}


def measured() -> dict[str, Any]:
    return json.loads((ROOT / "results/standard/results.json").read_text(encoding="utf-8"))


def words(metric: dict[str, float]) -> str:
    return f"{100 * metric['value']:.1f} [{100 * metric['low']:.1f}, {100 * metric['high']:.1f}]"


def test_the_table_of_the_readme_is_that_of_the_results() -> None:
    rows, results = told(), measured()
    assert {"drifa", "concat"} <= rows.keys()
    for fusion, cells in rows.items():
        record = results[f"{PAIR}/{fusion}-{SEED}"]
        expected = [f"{record['parameters']:,}", *(words(record["test"][task][metric]) for task, metric in COLUMNS)]
        assert cells == expected, fusion


@pytest.mark.parametrize(("task", "share"), [("skin_lesion", "66.9"), ("cell", "20.7")])
def test_the_most_common_class_is_as_common_as_the_readme_says(task: str, share: str) -> None:
    counts = measured()[f"{PAIR}/drifa-{SEED}"]["split"]["counts"]["test"][task]
    subjects = [own["subjects"] for own in counts.values()]
    found = 100 * max(subjects) / sum(subjects)
    assert f"{found:.1f}" == share
    row = next(line for line in (ROOT / "README.md").read_text().splitlines() if line.startswith("| always the most common"))
    assert share in row
