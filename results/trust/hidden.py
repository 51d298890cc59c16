"""The hidden class: what a check for strangers that never met one class of a set says of its images.

python results/trust/hidden.py "$DRIFA_DATA" tf_efficientnet_lite0.safetensors

Writes hidden.json and hidden.md beside this file; images, features and split as of strangers.py, split 0.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import timm
from safetensors.torch import load_file
from strangers import DATASETS, RATE, SEED, SHARES, Looks, auroc, images_of, look, of

from drifa.files import write_json, write_text
from drifa.runs.run import environment
from drifa.uncertainty.outliers import OutlierScores

COMMAND = 'python results/trust/hidden.py "$DRIFA_DATA" tf_efficientnet_lite0.safetensors'
#: Images of a class below which it is not hidden: too few to judge by.
FEWEST = 20


def one_class(own: Looks, labels: np.ndarray, groups: np.ndarray, hidden: str) -> dict[str, Any]:
    """The check learned without a class, asked about held-out images of the others and about all of the class."""
    names = np.random.default_rng([SEED, 0]).permutation(np.unique(groups))
    first, second = (np.cumsum(SHARES) * len(names)).astype(int)
    known = labels != hidden
    train, val, test = (np.isin(groups, part) & known for part in np.split(names, [first, second]))
    scores = OutlierScores.fit(of(own, train), labels[train], own[1][train], seed=SEED)
    check = scores.calibrate(of(own, val), own[1][val], groups[val], RATE, SEED)
    usual, new = (scores(of(own, rows), own[1][rows]) for rows in (test, ~known))
    alarms, caught = (check.strange(of(own, rows), own[1][rows]).mean() for rows in (test, ~known))
    counts = {"held_out": int(test.sum()), "hidden": int((~known).sum())}
    return {**counts, "false_alarms": float(alarms), "auroc": float(auroc(usual, new)), "caught": float(caught)}


def main() -> None:
    data, weights, out = Path(sys.argv[1]), Path(sys.argv[2]), Path(__file__).parent
    network = timm.create_model("tf_efficientnet_lite0", num_classes=0).eval()
    network.load_state_dict({k: v for k, v in load_file(weights).items() if not k.startswith("classifier")})
    found: dict[str, dict[str, Any]] = {}
    for name in DATASETS:
        images, labels, groups = images_of(name, data / name)
        own, labels = look(network, images), labels.astype(str)
        classes, counts = np.unique(labels, return_counts=True)
        chosen = [one for one, count in zip(classes, counts, strict=True) if count >= FEWEST]
        found[name] = {hidden: one_class(own, labels, groups, hidden) for hidden in chosen}
    where = environment()
    write_json(out / "hidden.json", {"command": COMMAND, "environment": where, "datasets": found})
    lines = [
        "# The hidden class",
        "",
        f"`{COMMAND}`, {where['date'][:10]}, drifa {where['drifa']}, torch {where['torch']}, {where['system']}, GPU: "
        f"{where['gpu']}, seed {SEED}. A check (`mahalanobis`,",
        f"{100 * RATE:g} % false alarms; images and features as in README.md) that never met one class is asked",
        "about all images of the class, and about held-out images of the others; classes of fewer than "
        f"{FEWEST} images are not hidden.",
        "",
        "| set | hidden class | its images | held-out images | false alarms | AUROC | caught |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, classes_of in found.items():
        for hidden, row in classes_of.items():
            lines.append(
                f"| {DATASETS[name]} | {hidden} | {row['hidden']} | {row['held_out']} | {100 * row['false_alarms']:.1f} % "
                f"| {row['auroc']:.3f} | {100 * row['caught']:.1f} % |"
            )
    write_text(out / "hidden.md", "\n".join(lines) + "\n")
    print(f"wrote {out}/hidden.json and {out}/hidden.md")


if __name__ == "__main__":
    main()
