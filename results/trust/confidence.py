"""Does a network grow surer when a modality is taken away? Mean confidence and accuracy of finished runs by subset.

    python results/trust/confidence.py RUN [RUN …]

Runs of one configuration, `drifa calibrate --subsets` done. Writes confidence.json and .md beside this file.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from drifa.evaluation.partial import PartialAnswers, partial_answers
from drifa.files import write_json, write_text
from drifa.metrics.intervals import seed_interval
from drifa.prediction.predictor import Predictor
from drifa.runs.run import Run

HERE = Path(__file__).parent
FIGURES = ("accuracy", "confidence", "calibrated confidence")


def percent(values: list[float]) -> str:
    told = seed_interval([100 * value for value in values])
    return f"{told['mean']:.1f} [{told['low']:.1f}, {told['high']:.1f}]"


def whole_answers(run: Run) -> Iterator[PartialAnswers]:
    """The stored answers of `drifa evaluate`, from all modalities."""
    table = pd.read_parquet(run.folder / "predictions.parquet")
    for task, rows in table[table["label"].notna() & (table["split"] == "test")].groupby("task"):
        labels = rows["label"].map({name: number for number, name in enumerate(run.info.tasks[task]["classes"])})
        probabilities, groups = np.stack(list(rows["probabilities"])), rows["group"].to_numpy()
        yield PartialAnswers(tuple(run.info.modalities), str(task), labels.to_numpy(), probabilities, groups)


def main() -> None:
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: {name: [] for name in FIGURES})
    for path in sys.argv[1:]:
        predictor = Predictor.open(path)
        assert predictor.trust is not None
        run = predictor.run
        for one in (*partial_answers(predictor, "test", every=True), *whole_answers(run)):
            trust = predictor.trust.of(one.task, None if len(one.subset) == len(run.info.modalities) else one.subset)
            assert trust is not None
            row = found[f"{one.task} from {' + '.join(one.subset)}"]
            row["accuracy"].append(float((one.probabilities.argmax(axis=1) == one.labels).mean()))
            row["confidence"].append(float(one.probabilities.max(axis=1).mean()))
            row["calibrated confidence"].append(float(trust(one.probabilities).max(axis=1).mean()))
    environment = json.loads((run.folder / "environment.json").read_text(encoding="utf-8"))
    write_json(HERE / "confidence.json", {"environment": environment, "runs": len(sys.argv) - 1, "found": found})
    lines = [
        "# Confidence without a modality",
        "",
        f"Made by `python results/trust/confidence.py RUN …`, {environment['date'][:10]}, drifa {environment['drifa']}: the "
        f"{len(sys.argv) - 1} networks with age,",
        "sex and site of `results/experiments/metadata.md` (HAM10000, modality dropout 0.25), calibrated by subset; means over",
        "the test split in %, with 95 % t-intervals over networks.",
        "",
        f"| answer | {' | '.join(FIGURES)} |",
        f"|---|{'---|' * len(FIGURES)}",
        *(f"| {name} | {' | '.join(percent(row[figure]) for figure in FIGURES)} |" for name, row in found.items()),
    ]
    write_text(HERE / "confidence.md", "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
