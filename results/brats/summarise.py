"""Reads the runs of results/brats/run.sh and writes results.json and README.md beside this file.

python results/brats/summarise.py runs/brats results/brats
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pandas as pd

from drifa.files import write_json, write_text
from drifa.metrics.segmentation import summarise_volumes

STUDIES = {
    "brats2018": "BraTS 2018 training subjects, FLAIR and T1, whole tumour (WT)",
    "brats2013": "BraTS 2013 high-grade subjects, FLAIR and T1c, whole tumour (WT), tumour core (TC), enhancing tumour (ET)",
}
ARMS = {
    "drifa": "`drifa`, both",
    "concat": "`concat`, both",
    "flair": "`single`, FLAIR only",
    "group": "`concat`, both, `model.norm=group`",
    "plateau": "`concat`, both, `train.lr_patience=5` (the paper's schedule)",
}
READING = [
    "Three subjects train a network (one of 2013), so read this as a trial of the chain, not of the methods:",
    "",
    "* For the whole tumour both sequences together are no better than FLAIR alone, in every arm, and also when one network is",
    "  asked with either.",
    "* A threshold on FLAIR is better on average than every network. One reason shows in a tumour of 2018 that no network with",
    "  BatchNorm's running statistics finds, and that is found well with the statistics of its own slices: those of three",
    "  subjects do not serve every fourth. GroupNorm, which keeps none, finds it and loses another.",
    "* One subject's validation loss steers the paper's schedule: the learning rate fell after a third of the training in one",
    "  fold and never in another. With `concat` that costs little.",
    "* One seed per fold. Epochs and flips were chosen on these subjects: 20 epochs without flips, with intensity jitter,",
    "  found next to nothing.",
]
SHOWN = {"dice": "Dice", "sensitivity": "sensitivity", "specificity": "specificity", "hd95": "HD95, mm", "missed": "missed"}


def main() -> None:
    folder, out = Path(sys.argv[1]), Path(sys.argv[2])
    runs = [path for path in sorted(folder.iterdir()) if (path / "metrics.json").is_file()]
    environment = json.loads((runs[0] / "environment.json").read_text())
    result: dict[str, Any] = {
        "command": "sh results/brats/run.sh",
        "config": "configs/quick/brats.yaml",
        "environment": environment,
        "studies": {},
    }
    lines = [
        "# BraTS: DRIFA in SegNet and its controls on a handful of subjects",
        "",
        "Made by `sh results/brats/run.sh` (`configs/quick/brats.yaml`: 48 px slices, an eighth of SegNet's width, modality",
        "dropout 0.25, flips; 40 epochs for 2018 and 120 for 2013, which is as many steps). Every arm of a fold sees the same",
        "subjects. It shows that the chain from NIfTI to judged masks works on real volumes; so few subjects rank nothing.",
        "",
        f"- Date {environment['date']}, drifa {environment['drifa']}, torch {environment['torch']}, {environment['system']}, "
        f"one CPU thread, GPU: {environment['gpu']}.",
        "- Means over the tested subjects, on the volumes' own grid (1 mm); a missed region counts the diagonal of the volume",
        "  in HD95 (373.13 mm for 240 x 240 x 155 voxels). The seed of the network is the number of the fold.",
    ]
    for study, title in STUDIES.items():
        found, text = _study(study, title, [path for path in runs if path.name.startswith(f"{study}-")])
        result["studies"][study] = found
        lines += text
    result["checks"] = json.loads((out / "checks.json").read_text())
    lines += _checks(result["checks"])
    write_json(out / "results.json", result)
    write_text(out / "README.md", "\n".join(lines) + "\n")
    print(f"wrote {out}/results.json and {out}/README.md")


def _study(study: str, title: str, runs: list[Path]) -> tuple[dict[str, Any], list[str]]:
    tables, parameters = [], {}
    for path in runs:
        arm = path.name.split("-")[1]
        table = pd.read_csv(path / "volumes.csv", keep_default_na=False, na_values=[""])
        tables.append(table.assign(arm=arm, subset=table["subset"].astype(object).fillna("")))
        parameters[arm] = json.loads((path / "model.json").read_text())["parameters"]
    everything = pd.concat(tables, ignore_index=True)
    complete = sorted(set.intersection(*(set(rows["subject"]) for _, rows in everything.groupby("arm"))))
    everything = everything[everything["subject"].isin(complete)]
    receipt = json.loads((runs[0] / "split_receipt.json").read_text())
    counts = receipt["subjects"]
    result: dict[str, Any] = {"subjects_tested": complete, "subjects_per_fold": counts, "parameters": parameters, "arms": {}}
    lines = [
        "",
        f"## {title}",
        "",
        f"{sum(counts.values())} subjects. A fold trains on {counts['train']}, validates on {counts['val']}, "
        f"tests {counts['test']}; {len(complete)} of {receipt['folds']} folds, each with every arm: {', '.join(complete)}.",
        "",
        "| | region | " + " | ".join(SHOWN.values()) + " | each subject's Dice | parameters |",
        "|---" * (len(SHOWN) + 4) + "|",
    ]
    whole = everything[everything["mode"] == "deterministic"]
    for arm, words in ARMS.items():
        rows = whole[whole["arm"] == arm]
        for region, metrics in summarise_volumes(rows, resamples=100).items() if len(rows) else ():
            dice = rows[rows["region"] == region].set_index("subject")["dice"].reindex(complete)
            result["arms"].setdefault(arm, {})[region] = {**metrics, "dice_of": dice.to_dict()}
            cells = [_number(metrics[name], name) for name in SHOWN]
            each = ", ".join(f"{value:.2f}" for value in dice)
            lines.append(f"| {words} | {region} | " + " | ".join(cells) + f" | {each} | {parameters[arm]:,} |")
    partial = everything[(everything["mode"] == "subset") & everything["arm"].isin(("drifa", "concat"))]
    means = partial.pivot_table("dice", ["arm", "region"], "subset", sort=False)
    result["subsets"] = {f"{arm} {region}": row.to_dict() for (arm, region), row in means.iterrows()}
    lines += ["", "Asked with every subset of the modalities (`drifa evaluate --subsets`), mean Dice:", ""]
    lines += ["| | region | " + " | ".join(means.columns) + " |", "|---" * (len(means.columns) + 2) + "|"]
    for (arm, region), row in means.iterrows():
        lines.append(f"| `{arm}` | {region} | " + " | ".join(f"{value:.3f}" for value in row) + " |")
    return result, lines


def _checks(checks: dict[str, Any]) -> list[str]:
    lines = [
        "",
        "## What a threshold finds, what BatchNorm costs, and what the schedule does",
        "",
        "From `checks.py`; Dice of the whole tumour on the 48 px slices.",
        "",
        "| a threshold on FLAIR that is best for the other subjects | mean | each subject |",
        "|---|---|---|",
    ]
    for study, found in checks["threshold"].items():
        dice = [one["dice"] for _, one in sorted(found.items())]
        lines.append(f"| {study} | {sum(dice) / len(dice):.3f} | {', '.join(f'{value:.2f}' for value in dice)} |")
    lines += ["", "| weights of `concat`, BatchNorm with | mean | each subject |", "|---|---|---|"]
    for kind, words in (("running", "its running statistics"), ("batch", "statistics of the tested subject's slices")):
        dice = [one[kind] for _, one in sorted(checks["statistics"].items())]
        lines.append(f"| {words} | {sum(dice) / len(dice):.3f} | {', '.join(f'{value:.2f}' for value in dice)} |")
    lines += ["", "| `train.lr_patience=5`, 40 epochs | " + " | ".join(f"fold {fold}" for fold in checks["schedule"]) + " |"]
    lines += ["|---" * (len(checks["schedule"]) + 1) + "|"]
    lines.append(
        "| epochs at the first learning rate | " + " | ".join(str(count) for count in checks["schedule"].values()) + " |"
    )
    return [*lines, "", *READING]


def _number(value: dict[str, Any], metric: str) -> str:
    if value["value"] is None:
        return "–"
    return f"{value['value']:.1f}" if metric == "hd95" else f"{value['value']:.3f}"


if __name__ == "__main__":
    main()
