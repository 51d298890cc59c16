"""Puts the network of run.sh here: its figures and learning curves to results.json, and README.md.

python results/scratch/collect.py RUN
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pandas as pd

from drifa.files import write_json, write_text

HERE = Path(__file__).parent

_place = importlib.util.spec_from_file_location("standard", HERE.parent / "standard" / "collect.py")
assert _place is not None
assert _place.loader is not None
standard = importlib.util.module_from_spec(_place)
_place.loader.exec_module(standard)
SHOWN = standard.SHOWN


def gates(folder: Path) -> list[dict[str, Any]]:
    """Of both attentions, in the first and in the last epoch: the mean gate, and how much it differs from image to image."""
    table = pd.read_csv(folder / "members" / "0" / "gates.csv")
    table = table[table["epoch"].isin([table["epoch"].min(), table["epoch"].max()])]
    means = table.groupby(["kind", "epoch"], as_index=False)[["mean", "spread"]].mean()
    return [dict(row) for row in means.round(4).to_dict("records")]


def page(record: dict[str, Any]) -> str:
    history = record["history"]
    lines = [
        HEAD.format(**record, hours=sum(history["seconds"]) / 3600),
        "",
        "| task | " + " | ".join(SHOWN) + " |",
        "|---|" + "---|" * len(SHOWN),
    ]
    for task, found in record["test"].items():
        lines.append(f"| {task} | " + " | ".join(standard.told([found[metric]]) for metric in SHOWN) + " |")
    keys = [f"{part}_accuracy/{task}" for task in record["test"] for part in ("train", "val")]
    keys += [f"val_loss/{task}" for task in record["test"]]
    lines += ["", "## Learning curves", "", "Accuracies in percent; losses in nats, of one pass with dropout off.", ""]
    lines += [
        "| epoch | rate | " + " | ".join(key.replace("_", " ", 1) for key in keys) + " |",
        "|---|---|" + "---|" * len(keys),
    ]
    for row, epoch in enumerate(history["epoch"]):
        cells = [f"{100 * history[key][row]:.1f}" if "accuracy" in key else f"{history[key][row]:.3f}" for key in keys]
        kept = " (kept)" if epoch == record["best_epoch"] else ""
        lines.append(f"| {epoch + 1}{kept} | {history['lr'][row]:g} | " + " | ".join(cells) + " |")
    lines += ["", "## Gates", "", "Means over all blocks and channels; the spread is over images.", ""]
    lines += ["| attention | epoch | gate | spread |", "|---|---|---|---|"]
    for gate in record["gates"]:
        lines.append(f"| {gate['kind'].upper()} | {gate['epoch'] + 1} | {gate['mean']:.3f} | {gate['spread']:.3f} |")
    return "\n".join(lines) + "\n"


HEAD = """# The paper's network, given two hours

DRIFA-Net on ResNet18 of full width ({parameters:,} parameters) from scratch, HAM10000 with SIPaKMeD, by the paper's recipe
(`configs/paper`) at {image_size} px and for {epochs} epochs in place of 128 px and 200: what {hours:.1f} hours of one CPU
thread held, beside other work. After the third epoch small maps were computed in another way, equal to rounding. One seed;
deterministic pass, mean over 8 training partners, on splits that cut no group; in percent, with bootstrap intervals over
groups (the ECE of a resample is biased upwards, so that its interval may lie above the value). Kept is the epoch of the lowest
validation loss. No setting was tuned on the test split.

```bash
sh results/scratch/run.sh {epochs}
```"""


def main() -> None:
    folder = Path(sys.argv[1])
    _, record, _ = standard.collect(folder)
    record["gates"] = gates(folder)
    write_json(HERE / "results.json", record)
    write_text(HERE / "README.md", page(record))


if __name__ == "__main__":
    main()
