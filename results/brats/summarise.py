"""Reads the runs of results/brats/run.sh and writes results.json and README.md beside this file.

python results/brats/summarise.py runs/brats results/brats
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pandas as pd

from drifa.evaluation.segmentation_metrics import summarise_volumes
from drifa.files import write_json, write_text

ARMS = {"drifa": "`drifa`, FLAIR + T1", "concat": "`concat`, FLAIR + T1", "flair": "`single`, FLAIR"}
SHOWN = ("dice", "sensitivity", "specificity", "hd95", "missed")


def number(value: dict[str, Any], metric: str) -> str:
    if value["value"] is None:
        return "–"
    return f"{value['value']:.1f}" if metric == "hd95" else f"{value['value']:.3f}"


def main() -> None:
    folder, out = Path(sys.argv[1]), Path(sys.argv[2])
    tables, environments, parameters = [], [], {}
    for path in sorted(folder.glob("brats2018-*")):
        if not (path / "volumes.csv").is_file():
            continue
        arm = path.name.split("-")[1]
        table = pd.read_csv(path / "volumes.csv", keep_default_na=False, na_values=[""]).fillna({"subset": ""})
        tables.append(table.assign(arm=arm))
        environments.append(json.loads((path / "environment.json").read_text()))
        parameters[arm] = json.loads((path / "model.json").read_text())["parameters"]
    everything = pd.concat(tables, ignore_index=True)
    whole = everything[everything["mode"] == "deterministic"]
    partial = everything[everything["mode"] == "subset"]
    complete = set.intersection(*(set(rows["subject"]) for _, rows in whole.groupby("arm")))
    result: dict[str, Any] = {
        "command": "sh results/brats/run.sh",
        "config": "configs/quick/brats.yaml",
        "environment": environments[0],
        "subjects_tested": sorted(complete),
        "parameters": parameters,
        "arms": {},
        "subsets": {},
    }
    lines = [
        "# BraTS: DRIFA in SegNet and its controls on a handful of subjects",
        "",
        "Made by `sh results/brats/run.sh` (`configs/quick/brats.yaml`: 48 px slices, an eighth of SegNet's width, 20 epochs).",
        "It shows that the chain from NIfTI to judged masks works on real volumes; with so few subjects it ranks nothing.",
        "",
        f"- Date {environments[0]['date']}, drifa {environments[0]['drifa']}, torch {environments[0]['torch']}, "
        f"{environments[0]['system']}, one CPU thread, GPU: {environments[0]['gpu']}.",
        f"- Data: 5 BraTS 2018 training subjects, FLAIR and T1, whole tumour. Each row trains on 3, validates on 1, tests 1; "
        f"{len(complete)} folds were run: {', '.join(sorted(complete))}. The seed of the network is the number of the fold.",
        "- Means over the tested subjects on the volumes' own grid (240 x 240 x 155, 1 mm); a missed tumour counts 373.13 mm.",
        "",
        "| | parameters | " + " | ".join((*SHOWN, "subjects' Dice")) + " |",
        "|---" * (len(SHOWN) + 3) + "|",
    ]
    for arm, title in ARMS.items():
        rows = whole[(whole["arm"] == arm) & whole["subject"].isin(complete)]
        if rows.empty:
            continue
        found = summarise_volumes(rows, resamples=100)["WT"]
        result["arms"][arm] = {**found, "dice_of": dict(zip(rows["subject"], rows["dice"].astype(float), strict=True))}
        each = ", ".join(f"{value:.3f}" for value in rows["dice"].astype(float))
        lines.append(f"| {title} | {parameters[arm]:,} | " + " | ".join(number(found[m], m) for m in SHOWN) + f" | {each} |")
    lines += [
        "",
        "Trained with modality dropout 0.25, asked with every subset (`drifa evaluate --subsets`); mean Dice:",
        "",
        "| | FLAIR | T1 | FLAIR + T1 |",
        "|---|---|---|---|",
    ]
    for arm in ("drifa", "concat"):
        rows = partial[(partial["arm"] == arm) & partial["subject"].isin(complete)]
        means = rows.assign(dice=rows["dice"].astype(float)).groupby("subset")["dice"].mean().to_dict()
        result["subsets"][arm] = means
        lines.append(f"| `{arm}` | " + " | ".join(f"{means[key]:.3f}" for key in ("flair", "t1", "flair+t1")) + " |")
    write_json(out / "results.json", result)
    write_text(out / "README.md", "\n".join(lines) + "\n")
    print(f"wrote {out}/results.json and {out}/README.md")


if __name__ == "__main__":
    main()
