"""Puts finished tables of `drifa reproduce` here: the tables as they were written, and of each what made it in `results.json`.

    python results/reproduce/collect.py FOLDER [FOLDER …]

FOLDER is that of one table, such as runs/reproduce-all/table4.
"""

from __future__ import annotations

import datetime
import json
import shutil
import sys
from pathlib import Path
from typing import Any

from drifa.files import write_json, write_text

HERE = Path(__file__).parent
#: What a table's networks were made of and where they were, of the first of them.
ABOUT = ("parameters", "macs", "seconds", "seeds", "sets")


def collect(folder: Path) -> tuple[str, dict[str, Any]]:
    """``SCALE/TABLE`` and its record; copies its table and numbers."""
    path = next(iter(sorted(folder.glob("table?.json"))))
    found = json.loads(path.read_text(encoding="utf-8"))
    setting = found["setting"]
    place = HERE / setting["scale"]
    place.mkdir(exist_ok=True)
    for kind in ("md", "csv"):
        shutil.copy(path.with_suffix(f".{kind}"), place)
    parts = {}
    for part in sorted(one for one in folder.iterdir() if one.is_dir() and not one.name.startswith(".")):
        receipt = json.loads(next(part.glob("**/split_receipt.json")).read_text())
        parts[part.name] = {
            "split": {key: receipt[key] for key in ("sha256", "subjects", "groups") if key in receipt},
            "environment": json.loads(next(part.glob("**/environment.json")).read_text()),
        }
        if (part / "comparison.json").is_file():
            compared = json.loads((part / "comparison.json").read_text())
            parts[part.name] |= {
                "verdict": compared["verdict"],
                "arms": {arm["name"]: {key: arm[key] for key in ABOUT} for arm in compared["arms"]},
                "contrasts": compared["contrasts"],
            }
    changed = setting["overrides"]
    record = {
        "title": found["title"] + (f"; here with `{' '.join(changed)}`" if changed else ""),
        "drifa": found["drifa"],
        "setting": {key: setting[key] for key in ("scale", "protocol", "seeds", "overrides")}
        | {"weights": Path(setting["weights"]).name},
        "date": datetime.date.today().isoformat(),
        "parts": parts,
    }
    return f"{setting['scale']}/{found['table']}", record


def readme(results: dict[str, Any]) -> str:
    """What was made, of how many seeds, and the sentence of each comparison."""
    lines = [(HERE / "words.md").read_text(encoding="utf-8").rstrip(), ""]
    for name, record in sorted(results.items()):
        lines += [f"## [{name}]({name}.md): {record['title']}", ""]
        for part, own in record["parts"].items():
            seeds = sorted({len(arm["seeds"]) for arm in own.get("arms", {}).values()}) or [len(record["setting"]["seeds"])]
            said = own.get("verdict", "one run, asked in every mode.")
            lines.append(f"- **{part}**, {' to '.join(map(str, seeds))} network{'' if seeds == [1] else 's'} per row: {said}")
        lines.append("")
    return "\n".join(lines)


def main() -> None:
    path = HERE / "results.json"
    results = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    results |= dict(collect(Path(folder)) for folder in sys.argv[1:])
    write_json(path, results)
    write_text(HERE / "README.md", readme(results))


if __name__ == "__main__":
    main()
