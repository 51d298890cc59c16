"""Puts what a finished `drifa compare` or `drifa data leakage-cost` wrote here, with what made it.

    python results/experiments/collect.py NAME FOLDER COMMAND

FOLDER is its `--out`; COMMAND is what was typed.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from drifa.files import write_json, write_text

HERE = Path(__file__).parent


def environment(folder: Path) -> dict[str, Any]:
    """Of the first finished network."""
    found: dict[str, Any] = json.loads(min(folder.glob("jobs/*/environment.json")).read_text(encoding="utf-8"))
    return found


def collect(name: str, folder: Path, command: str) -> None:
    compared = folder if (folder / "comparison.json").is_file() else folder / "runs"
    comparison = json.loads((compared / "comparison.json").read_text(encoding="utf-8"))
    del comparison["cases"]  # a long list of test images
    where = environment(compared)
    record = {"command": command, "environment": where, "comparison": comparison}
    if compared != folder:
        record |= json.loads((folder / "leakage.json").read_text(encoding="utf-8"))
        text = (folder / "leakage.md").read_text(encoding="utf-8")
    else:
        text = (compared / "comparison.md").read_text(encoding="utf-8").split("\n## Cases on which")[0].rstrip() + "\n"
    title, rest = text.split("\n", 1)
    made = f"drifa {where['drifa']}, torch {where['torch']}, {where['system']}, one CPU thread, GPU: {where['gpu']}"
    write_text(HERE / f"{name}.md", f"{title}\n\n`{command}`, {where['date'][:10]}, {made}.\n{rest}")
    write_json(HERE / f"{name}.json", record)


if __name__ == "__main__":
    collect(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
