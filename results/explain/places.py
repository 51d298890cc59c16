"""Do maps of relevance lie on the object that makes the class? Shares inside the phantom's masks, and checks of the maps.

What makes a class may be the lesion, its edge, or that there is none further on: the shares are told by class, too.

    python -c "from drifa.data import make_phantom; make_phantom('runs/places-study', 640, masks=True)"
    drifa demo --out runs/places
    python results/explain/places.py runs/places [RUN …]

Runs on phantoms that were written with masks; the second of the kept figures is the one of tests/test_ground_truth.py (one
network, 8 epochs, no dropout). Writes places.json and places.md beside this file.
"""

from __future__ import annotations

import datetime
import platform
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from drifa.data.adapters.phantom_images import LESION
from drifa.explain.asked import batch_of, on_device, thinned
from drifa.explain.cam import cells, correlation, layer_of, relevance, upsampled
from drifa.explain.trust import Removal, grown, share_inside, shuffled
from drifa.files import write_json, write_text
from drifa.prediction.predictor import Predictor
from drifa.tasks import Classes
from drifa.version import __version__

HERE = Path(__file__).parent
#: The task that a lesion alone decides -> where that lesion is seen.
OWN = {"surface": "photo", "depth": "ultrasound"}
CASES, CHECKED, SHUFFLES = 64, 16, 3
#: Method, and the layer if not the usual one (-1: the last).
WAYS: tuple[tuple[str, int | None], ...] = (
    *(("hirescam", None), ("gradcam", None), ("hirescam", 0), ("gradcam", 0)),
    *(("hirescam", 2), ("gradcam", 2), ("hirescam", -1), ("gradcam", -1)),
)
CHECKS = ("Alike", "Insertion", "Deletion", "No better")
#: Those whose pixels are taken out and put in, which is slow.
CHECKED_WAYS = WAYS[0], WAYS[1], WAYS[-1]


def mean_share(maps: Tensor, mask: Tensor) -> float:
    return float(share_inside(maps, mask).nanmean())


def below(lesion: Tensor) -> Tensor:
    """What lies beneath each lesion, as wide as it is: bool ``[B, H, W]``."""
    under = lesion.cumsum(dim=1) == lesion.sum(dim=1, keepdim=True)
    return under & lesion.any(dim=1, keepdim=True) & ~lesion


def places(
    predictor: Predictor, task: str, modality: str
) -> tuple[dict[str, dict[str, float]], dict[str, dict[str, float]], float]:
    """Way -> its figures, class -> those of the usual way, and the area of the lesion; means over networks and cases."""
    study, nets = predictor.run.study(), predictor.nets
    subjects = study.subjects()
    rows = thinned(subjects.in_split("test"), CASES)
    images, present = on_device(predictor, batch_of(subjects, predictor.run.cache(study, None), rows))
    truth = torch.from_numpy(subjects.targets[task][rows]).to(predictor.device)
    files = [study.root / "masks" / modality / f"{name}.png" for name in subjects.ids[rows]]
    lesion = torch.from_numpy(np.stack([np.asarray(Image.open(file)) == LESION for file in files])).to(predictor.device)
    infos = next(iter(nets[0].branches.values())).infos
    others = [shuffled(net, seed) for net in nets for seed in range(SHUFFLES)]
    found: dict[str, dict[str, float]] = {}
    classes: dict[str, dict[str, float]] = {}
    for method, stage in WAYS:
        layer = layer_of(nets[0], images) if stage is None else str(infos[stage].name)
        own, by_chance = (
            [relevance(net, images, present, task, truth, layer, method)[modality] for net in each] for each in (nets, others)
        )
        grid = cells(nets[0], images, present, layer, method)[modality]
        wide = grown(lesion, grid)
        ideal = upsampled(F.adaptive_avg_pool2d(lesion[:, None].float(), grid)[:, 0], lesion.shape[1:])
        alike = [correlation(maps, by_chance[SHUFFLES * k]).abs() for k, maps in enumerate(own)]
        way = f"{method} at {layer}"
        found[way] = {
            "cells": grid[0],
            "inside": float(np.mean([mean_share(one, lesion) for one in own])),
            "inside_shuffled": float(np.nanmean([mean_share(one, lesion) for one in by_chance])),  # some maps are empty
            "inside_ideal": mean_share(ideal, lesion),
            "near": float(np.mean([mean_share(one, wide) for one in own])),
            "near_shuffled": float(np.nanmean([mean_share(one, wide) for one in by_chance])),
            "near_area": float(wide.float().mean()),
            "randomisation": float(torch.stack(alike).nanmean()),
        }
        if (method, stage) == WAYS[0]:
            kind = predictor.subject_kinds[task]
            assert isinstance(kind, Classes)
            for number, name in enumerate(kind.classes):
                picked = truth == number
                parts = {"on": lesion, "near": wide, "below": below(lesion)}
                classes[name] = {"cases": int(picked.sum())}
                for part, mask in parts.items():
                    classes[name][part] = float(np.mean([mean_share(one[picked], mask[picked]) for one in own]))
                    classes[name][f"{part}_area"] = float(mask[picked].float().mean())
        if (method, stage) in CHECKED_WAYS:
            some = {name: image[:CHECKED] for name, image in images.items()}
            removal = Removal(nets[0], some, present[:CHECKED], modality)
            one = removal.faithfulness(task, truth[:CHECKED], own[0][:CHECKED])
            found[way] |= {
                "insertion": float((one.insertion - one.random).mean()),
                "deletion": float((one.deletion - one.random).mean()),
                "no_better": float((one.insertion <= one.random).float().mean()),
            }
    return found, classes, float(lesion.float().mean())


def averaged(each: Sequence[dict[str, dict[str, float]]], weights: Sequence[int]) -> dict[str, dict[str, float | None]]:
    """The mean of the same figures of several runs, of those that have one."""

    def mean(name: str, key: str) -> float | None:
        values = np.array([part[name][key] for part in each])
        known = np.isfinite(values)
        return float(np.average(values[known], weights=np.array(weights)[known])) if known.any() else None

    return {name: {key: mean(name, key) for key in numbers} for name, numbers in each[0].items()}


def page(told: Mapping[str, Any]) -> str:
    """The figures as tables."""
    lines = [
        "# Where maps of relevance lie",
        "",
        "Made by the commands on top of [places.py](places.py): "
        f"{told['networks']} networks of {len(told['seeds'])} run(s), seeds {told['seeds']},",
        f"{told['cases']} test cases of 64 pixels each, {told['shuffles']} shuffles of the weights of every network.",
        "",
        f"- {told['date']}, drifa {told['drifa']}, torch {told['torch']}, {told['device']}",
        "- *on it*: share of the relevance inside the lesion; *shuffled*: the same of networks of shuffled weights;",
        "  *best possible*: of a map that is the lesion itself, in cells of that size; *near it*: with a margin of one cell;",
        "  *area*: what an even map has.",
        "- *alike*: size of the correlation with the map of shuffled weights (0 is good); *insertion*: above that of random",
        "  maps (high is good), *deletion*: likewise (low is good); *no better*: share of maps whose insertion is not above",
        f"  that of random ones; of the first network of a run and {CHECKED} cases.",
    ]
    for task, one in told["found"].items():
        lines += ["", f"## `{task}`, {OWN[task]}: the lesion has {one['area']:.3f} of the area", ""]
        names = ("Map", "Cells", "On it", "Shuffled", "Best possible", "Near it", "Shuffled", "Area", *CHECKS)
        lines += [f"| {' | '.join(names)} |", f"|{'---|' * len(names)}"]
        for way, numbers in one["ways"].items():
            parts = ["-" if value is None else f"{value:.3f}" for key, value in numbers.items() if key != "cells"]
            parts += ["-"] * (len(names) - 2 - len(parts))
            lines.append(f"| {way} | {numbers['cells']:.0f} | {' | '.join(parts)} |")
        lines += ["", f"By class, {next(iter(one['ways']))}; *below*: beneath the lesion, as wide as it is:", ""]
        lines += ["| Class | Cases | On it | Area | Near it | Area | Below it | Area |", f"|{'---|' * 8}"]
        for name, part in one["classes"].items():
            shares = [f"{part[key]:.3f}" for place in ("on", "near", "below") for key in (place, f"{place}_area")]
            lines.append(f"| `{name}` | {part['cases']:.0f} | {' | '.join(shares)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    predictors = [Predictor.open(path) for path in sys.argv[1:]]
    networks = sum(len(one.nets) for one in predictors)
    told: dict[str, Any] = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "drifa": __version__,
        "torch": torch.__version__,
        "device": f"{platform.machine()}, {predictors[0].device.type}",
        "networks": networks,
        "seeds": [one.run.config.train.seed for one in predictors],
        "cases": CASES,
        "shuffles": SHUFFLES,
        "found": {},
    }
    for task, modality in OWN.items():
        each = [places(one, task, modality) for one in predictors]
        weights = [len(one.nets) for one in predictors]
        told["found"][task] = {
            "area": each[0][2],
            "ways": averaged([part[0] for part in each], weights),
            "classes": averaged([part[1] for part in each], weights),
        }
    write_json(HERE / "places.json", told)
    write_text(HERE / "places.md", page(told))


if __name__ == "__main__":
    main()
