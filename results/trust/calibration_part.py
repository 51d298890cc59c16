"""Does validation, which chose the epoch, flatter a calibration? The same networks calibrated on both parts, on the phantom.

python results/trust/calibration_part.py [SEEDS]

Each network trains on a phantom from which a part was cut off that nothing else meets. A temperature and the sets are then
fitted on as many groups of validation as of that part, and judged on the test split. Writes calibration_part.json and .md
beside this file.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from drifa.config import make_config
from drifa.data import make_phantom
from drifa.data.study.checks import CALIBRATION
from drifa.demo import demo_config
from drifa.evaluation.evaluate import evaluate
from drifa.files import write_json, write_text
from drifa.metrics.intervals import seed_interval
from drifa.prediction.trust import learn_trust
from drifa.runs.run import Run, environment
from drifa.training.train import train

HERE, SUBJECTS, SIDE = Path(__file__).parent, 1000, 64
#: A short training that is far from done, and a long one that has learned its training images by heart.
EPOCHS = (4, 12)


def answers(run: Run, split: str, out: Path) -> pd.DataFrame:
    where, _ = evaluate(run.folder, split=split, out=out / split, settings={"passes": 0})
    table = pd.read_parquet(where / "predictions.parquet")
    return table[table["label"].notna()]


def arrays(rows: pd.DataFrame, classes: list[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    labels = rows["label"].map({name: number for number, name in enumerate(classes)}).to_numpy(dtype=np.int64)
    return labels, np.stack(list(rows["probabilities"])), rows["group"].to_numpy()


def measured(seed: int, epochs: int, folder: Path) -> list[dict[str, Any]]:
    make_phantom(folder / "study", subjects=SUBJECTS, image_size=SIDE, seed=seed)
    raw = demo_config(folder / "study").model_dump(mode="json", exclude_unset=True)
    raw["data"] |= {"fractions": [0.4, 0.2, 0.4], "calibration_fraction": 1 / 3, "split_seed": seed}
    raw["train"] |= {"members": 1, "epochs": epochs, "seed": seed, "calibrate": False, "threads": 1}
    run = train(make_config(raw), folder / "run", quiet=True)
    tables = {split: answers(run, split, folder / "out") for split in ("val", CALIBRATION, "test")}
    rows = []
    for task, about in run.info.tasks.items():
        own = {split: arrays(table[table["task"] == task], about["classes"]) for split, table in tables.items()}
        count = min(len(np.unique(own[split][2])) for split in ("val", CALIBRATION))
        labels, p, _ = own["test"]
        for source in ("val", CALIBRATION):
            kept = np.isin(own[source][2], np.random.default_rng(seed).permutation(np.unique(own[source][2]))[:count])
            trust = learn_trust(*(one[kept] for one in own[source]), about["classes"], seed=seed)
            if trust.calibration is None or trust.sets is None:
                continue
            q = trust(p)
            inside = trust.sets(q)[np.arange(len(q)), labels]
            nll = -np.log(np.maximum(q[np.arange(len(q)), labels], 1e-12)).mean()
            found = {"nll": nll, "coverage": inside.mean(), "temperature": trust.calibration.model_dump()["temperature"]}
            rows.append({"seed": seed, "epochs": epochs, "task": task, "source": source, "groups": count, **found})
    return rows


def main() -> None:
    seeds = range(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
    rows: list[dict[str, Any]] = []
    for epochs in EPOCHS:
        for seed in seeds:
            with tempfile.TemporaryDirectory() as folder:
                rows += measured(seed, epochs, Path(folder))
    table = pd.DataFrame(rows)
    lines = [
        "# Validation or a part of its own?",
        "",
        f"Made by `python results/trust/calibration_part.py {len(seeds)}`: the phantom ({SUBJECTS} subjects, {SIDE} px), one",
        "network per seed, seeds of study, split and network alike; temperature and 90 % sets are fitted on validation, which",
        "also chose the epoch, or on as many groups that nothing else met. Differences are validation minus the other part,",
        "on the test split, with 95 % t-intervals over seeds.",
        "",
        "| epochs | task | groups | coverage of 90 % sets: validation | own part | difference, points | NLL: difference |",
        "|---|---|---|---|---|---|---|",
    ]
    for (epochs, task), some in table.groupby(["epochs", "task"], sort=False):
        pairs = some.pivot_table(index="seed", columns="source", values=["coverage", "nll"]).dropna()
        gaps = {name: pairs[name]["val"] - pairs[name][CALIBRATION] for name in ("coverage", "nll")}
        told = {name: seed_interval((scale * gaps[name]).tolist()) for name, scale in (("coverage", 100), ("nll", 1))}
        each = [f"{100 * pairs['coverage'][source].mean():.1f} %" for source in ("val", CALIBRATION)]
        spans = [
            f"{told[name]['mean']:+.{digits}f} [{told[name]['low']:+.{digits}f}, {told[name]['high']:+.{digits}f}]"
            for name, digits in (("coverage", 1), ("nll", 4))
        ]
        lines.append(f"| {epochs} | {task} | {some['groups'].iloc[0]} | {' | '.join(each)} | {' | '.join(spans)} |")
    write_json(HERE / "calibration_part.json", {"environment": environment(), "rows": rows})
    write_text(HERE / "calibration_part.md", "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
