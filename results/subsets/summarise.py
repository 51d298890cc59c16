"""Reads the runs of results/subsets/run.sh and writes results.json and README.md beside this file.

python results/subsets/summarise.py runs/subsets results/subsets
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from drifa.files import write_json, write_text
from drifa.runs.run import Run

FUSIONS = ("drifa", "concat", "se_matched", "gloria", "mttu_net", "caf", "mtf_ma")


def percent(value: dict[str, float]) -> str:
    return f"{100 * value['value']:.1f} [{100 * value['low']:.1f}, {100 * value['high']:.1f}]"


def main() -> None:
    folder, out = Path(sys.argv[1]), Path(sys.argv[2])
    runs = [Run.open(folder / fusion) for fusion in FUSIONS]
    members = runs[0].trained_members()
    environment = json.loads((runs[0].folder / "environment.json").read_text())
    result: dict[str, Any] = {"command": "sh results/subsets/run.sh", "environment": environment, "fusions": {}}
    lines = [
        "# The phantom's tasks from every subset of its modalities",
        "",
        "Made by `sh results/subsets/run.sh` (`configs/quick/phantom.yaml`; modality dropout 0.25). `surface` can be read from",
        "the photo, `depth` from the ultrasound, `spread` from both together only: 50 % is the best that one modality allows.",
        "All have one budget and one learning rate, which nobody tuned: a low figure may mean that these do not suit a fusion.",
        "",
        f"- Date {environment['date']}, drifa {environment['drifa']}, torch {environment['torch']}, {environment['system']}, "
        f"one CPU thread, GPU: {environment['gpu']}.",
        f"- Members {len(members)}, seeds {[runs[0].config.train.seed + n for n in members]}, "
        "averaged; dropout off; accuracy in %, value [95 % bootstrap over subjects].",
        "",
        "| fusion | parameters | task | photo | ultrasound | both | subjects |",
        "|---|---|---|---|---|---|---|",
    ]
    for run in runs:
        found = json.loads((run.folder / "evaluation.json").read_text())["subsets"]
        parameters = json.loads((run.folder / "model.json").read_text())["parameters"]
        result["fusions"][run.config.model.fusion] = {"parameters": parameters, "tasks": found}
        for task, subsets in found.items():
            cells = [percent(subsets[key]["accuracy"]) if key in subsets else "–" for key in ("photo", "ultrasound")]
            both = subsets["photo+ultrasound"]
            row = [
                f"`{run.config.model.fusion}`",
                f"{parameters:,}",
                task,
                *cells,
                percent(both["accuracy"]),
                str(both["count"]),
            ]
            lines.append("| " + " | ".join(row) + " |")
    write_json(out / "results.json", result)
    write_text(out / "README.md", "\n".join(lines) + "\n")
    print(f"wrote {out}/results.json and {out}/README.md")


if __name__ == "__main__":
    main()
