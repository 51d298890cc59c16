"""Strangers at the door on real images: what a check of each modality says of the other three and of spoiled images.

python results/trust/strangers.py "$DRIFA_DATA" tf_efficientnet_lite0.safetensors RUN...

Writes results.json and README.md beside this file; no network is trained. The weights are those of timm's model of that name,
the runs those of results/standard, which are asked as `drifa calibrate` and `drifa predict` ask them.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
from PIL import Image
from safetensors.torch import load_file
from sklearn.metrics import roc_auc_score

from drifa.data.adapters.prepare import ADAPTERS
from drifa.data.reading.images import read_image
from drifa.evaluation.strangers import Viewer, learn_strangers
from drifa.files import write_json, write_text
from drifa.prediction.predictor import Predictor
from drifa.prediction.strangers import look as asked
from drifa.runs.run import environment
from drifa.uncertainty.distances import DISTANCES
from drifa.uncertainty.image_statistics import statistics_of
from drifa.uncertainty.outliers import OutlierScores

COMMAND = 'python results/trust/strangers.py "$DRIFA_DATA" tf_efficientnet_lite0.safetensors RUN...'
DATASETS = {"ham10000": "dermoscopy", "sipakmed": "pap smear", "nickparvar": "brain MRI", "iqothnccd": "lung CT"}
IMAGES, SPOILED, SIDE, RATE, SEED, SPLITS = 400, 100, 96, 0.05, 0, 3
#: Shares of groups for training and validation; the rest is held out.
SHARES = (0.45, 0.35)
#: Modality of a run -> that of its dataset.
OWN = {"dermoscopy": "dermoscopy", "pap_smear": "pap smear", "mri": "brain MRI", "ct": "lung CT"}
CHANGES = ("blank", "noise", "inverted", "quarter turn")
#: Features of each depth, and statistics.
Looks = tuple[tuple[np.ndarray, ...], np.ndarray]


def images_of(name: str, folder: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images, labels and groups; of every group one image before any lends a second."""
    study = ADAPTERS[name].prepare(folder)
    table = study.table.sample(frac=1, random_state=SEED)
    table = table.iloc[np.argsort(table.groupby("group").cumcount().to_numpy(), kind="stable")][:IMAGES]
    pixels = [
        np.asarray(Image.fromarray(read_image(study.root / path, 3)).resize((SIDE, SIDE), Image.Resampling.BILINEAR))
        for path in table["path"]
    ]
    return np.stack(pixels), table[next(iter(study.tasks))].to_numpy(), table["group"].to_numpy()


def look(network: torch.nn.Module, images: np.ndarray) -> Looks:
    """Pooled features of the five stages, and statistics of the resized image: sizes of files tell nothing here."""
    features = []
    with torch.inference_mode():
        for start in range(0, len(images), 50):
            x = torch.from_numpy(images[start : start + 50]).permute(0, 3, 1, 2).float() / 255
            maps = network.forward_intermediates((x - 0.5) / 0.5, intermediates_only=True)
            features.append([one.mean(dim=(2, 3)).numpy().astype(np.float64) for one in maps])
    return tuple(np.concatenate(depth) for depth in zip(*features, strict=True)), statistics_of(images)


def spoiled(images: np.ndarray, random: np.random.Generator) -> dict[str, np.ndarray]:
    levels = random.integers(0, 256, size=(len(images), 1, 1, 1), dtype=np.uint8)
    changed = (
        np.broadcast_to(levels, images.shape).copy(),
        random.integers(0, 256, size=images.shape, dtype=np.uint8),
        255 - images,
        np.rot90(images, axes=(1, 2)).copy(),
    )
    return dict(zip(CHANGES, changed, strict=True))


def one_split(own: Looks, labels: np.ndarray, groups: np.ndarray, others: dict[str, Looks], seed: int) -> dict[str, Any]:
    """Every method on one split of the groups; what was made of the first own images is judged where these are held out."""
    names = np.random.default_rng([SEED, seed]).permutation(np.unique(groups))
    first, second = (np.cumsum(SHARES) * len(names)).astype(int)
    train, val, test = (np.isin(groups, part) for part in np.split(names, [first, second]))
    found: dict[str, Any] = {
        "groups": [first, second - first, len(names) - second],
        "images": [train.sum(), val.sum(), test.sum()],
    }
    for method in DISTANCES:
        scores = OutlierScores.fit(of(own, train), labels[train], own[1][train], method, seed)
        check = scores.calibrate(of(own, val), own[1][val], groups[val], RATE, seed)
        usual, own_looks = scores(of(own, test), own[1][test]), scores.looks(of(own, test), own[1][test])
        alarms = check.strange(of(own, test), own[1][test])
        _, number = np.unique(groups[test], return_inverse=True)
        share = np.bincount(number, alarms) / np.bincount(number)
        found[method] = {"false_alarms": share.mean()}
        for name, other in others.items():
            rows = test[: len(other[1])] if name in CHANGES else np.full(len(other[1]), True)
            seen = of(other, rows), other[1][rows]
            looks = scores.looks(*seen)

            found[method][name] = {
                "auroc": auroc(usual, scores(*seen)),
                "auroc_last": auroc(own_looks[-2], looks[-2]),
                "auroc_statistics": auroc(own_looks[-1], looks[-1]),
                "caught": check.strange(*seen).mean(),
            }
    return found


def auroc(inside: np.ndarray, outside: np.ndarray) -> float:
    return roc_auc_score(np.repeat([0, 1], [len(inside), len(outside)]), np.concatenate([inside, outside]))


def of_run(folder: Path, loaded: dict[str, np.ndarray]) -> dict[str, Any]:
    """What the checks of a run say of images of its test split, of the sets that it does not know, and of spoiled images."""
    predictor = Predictor.open(folder, device="cpu")
    viewer = Viewer.open(predictor)
    checks, told, _ = learn_strangers(predictor, RATE)
    found = {}
    for name, check in checks.items():
        who = viewer.who("test", name)
        usual = check.scores(*viewer.looks(who, name))
        first = viewer.pixels.read(name, viewer.subjects.image[who[:SPOILED], viewer.subjects.modalities.index(name)])
        channels, side = first.shape[1:3]
        others = {other: resized(images, side, channels) for other, images in loaded.items() if DATASETS[other] != OWN[name]}
        others |= {
            k: v.transpose(0, 3, 1, 2)
            for k, v in spoiled(first.permute(0, 2, 3, 1).numpy(), np.random.default_rng(SEED)).items()
        }
        rows = {}
        for other, images in others.items():
            seen = asked(predictor.nets[0], name, torch.from_numpy(np.ascontiguousarray(images)), None)
            rows[other] = {"auroc": round(auroc(usual, check.scores(*seen)), 4), "caught": check.strange(*seen).mean().round(4)}
        found[name] = {"images": len(who), "groups": check.record.groups, **told[name], "strangers": rows}
    return found


def resized(images: np.ndarray, side: int, channels: int) -> np.ndarray:
    """uint8 ``[N, H, W, 3]`` -> ``[N, C, side, side]``."""
    pictures = [Image.fromarray(one).resize((side, side), Image.Resampling.BILINEAR) for one in images]
    grey = [np.asarray(one.convert("L"))[None] if channels == 1 else np.asarray(one).transpose(2, 0, 1) for one in pictures]
    return np.stack(grey)


def of(looks: Looks, rows: np.ndarray) -> tuple[np.ndarray, ...]:
    """The features of some images."""
    return tuple(depth[rows] for depth in looks[0])


def mean(values: list[Any]) -> Any:
    """The mean over splits, of nested dicts of numbers."""
    if isinstance(values[0], dict):
        return {key: mean([value[key] for value in values]) for key in values[0]}
    return np.mean(values, axis=0).round(4).tolist()


def table(result: dict[str, Any], method: str) -> list[str]:
    lines = [
        "| check of | false alarms (lowest to highest) | stranger | AUROC | caught | AUROC, last stage alone "
        "| AUROC, statistics alone |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, one in result["datasets"].items():
        found, alarms = one["mean"][method], [100 * split[method]["false_alarms"] for split in one["splits"]]
        head = f"| {DATASETS[name]} | {100 * found['false_alarms']:.1f} % ({min(alarms):.1f} to {max(alarms):.1f}) "
        for stranger, row in found.items():
            if stranger != "false_alarms":
                cells = [
                    DATASETS.get(stranger, stranger),
                    f"{row['auroc']:.3f}",
                    f"{100 * row['caught']:.1f} %",
                    f"{row['auroc_last']:.3f}",
                    f"{row['auroc_statistics']:.3f}",
                ]
                lines.append(f"{head}| " + " | ".join(cells) + " |")
                head = "| | "
    return lines


def of_runs(runs: dict[str, Any]) -> list[str]:
    if not runs:
        return []
    lines = [
        "",
        "## Of trained networks",
        "",
        "The checks that `drifa calibrate` learns of runs of `results/standard` (an EfficientNet-Lite0 each, trained on):",
        f"test images of their own against {IMAGES} images of each other set, and spoiled ones made of the first {SPOILED}.",
        "",
        "| run | check of | test images | false alarms (95 % interval) | stranger | AUROC | caught |",
        "|---|---|---|---|---|---|---|",
    ]
    for run, checks in runs.items():
        for name, one in checks.items():
            alarms = one["false_alarms"]
            value, low, high = (100 * alarms[key] for key in ("value", "low", "high"))
            head = f"| {run} | {OWN[name]}, {one['groups']} validation groups | {one['images']} "
            head += f"| {value:.1f} % ({low:.1f} to {high:.1f}) "
            for stranger, row in one["strangers"].items():
                lines.append(f"{head}| {DATASETS.get(stranger, stranger)} | {row['auroc']:.3f} | {100 * row['caught']:.1f} % |")
                head = "| | | | "
    return lines


def main() -> None:
    data, weights, out = Path(sys.argv[1]), Path(sys.argv[2]), Path(__file__).parent
    network = timm.create_model("tf_efficientnet_lite0", num_classes=0).eval()
    network.load_state_dict({k: v for k, v in load_file(weights).items() if not k.startswith("classifier")})
    loaded = {name: images_of(name, data / name) for name in DATASETS}
    looks = {name: look(network, images) for name, (images, _, _) in loaded.items()}
    result: dict[str, Any] = {
        "command": COMMAND,
        "environment": environment(),
        "settings": {
            "images": IMAGES,
            "spoiled": SPOILED,
            "side": SIDE,
            "rate": RATE,
            "seed": SEED,
            "splits": SPLITS,
            "shares": SHARES,
        },
        "datasets": {},
        "runs": {},
    }
    for name, (images, labels, groups) in loaded.items():
        others = {other: looks[other] for other in DATASETS if other != name}
        others |= {change: look(network, x) for change, x in spoiled(images[:SPOILED], np.random.default_rng(SEED)).items()}
        splits = [mean([one_split(looks[name], labels, groups, others, seed)]) for seed in range(SPLITS)]
        result["datasets"][name] = {"images": len(images), "mean": mean(splits), "splits": splits}
    for folder in map(Path, sys.argv[3:]):
        result["runs"][folder.name] = of_run(folder, {name: images for name, (images, _, _) in loaded.items()})
    write_json(out / "results.json", result)
    made = result["environment"]
    lines = [
        "# Strangers at the door",
        "",
        f"Made by `{COMMAND}`:",
        f"pooled features of the five stages of an EfficientNet-Lite0 trained on ImageNet, {SIDE} px, and the statistics of",
        "the resized images, so that the sizes of files tell nothing. A check of each modality, at a rate of",
        f"{100 * RATE:g} % false alarms, is asked about held-out images of its own, the other three modalities, and own",
        "held-out images replaced by one grey level (`blank`) or by uniform `noise`, `inverted`, or turned by 90° (those held",
        f"out of the first {SPOILED} images).",
        "",
        f"- Date {made['date']}, drifa {made['drifa']}, torch {made['torch']}, timm {made['timm']}, {made['system']}, "
        f"GPU: {made['gpu']}.",
        f"- Seed {SEED}; figures are means over {SPLITS} splits by group; false alarms are a mean over held-out groups.",
        *(
            f"- {DATASETS[name]} (`{name}`, a reduced copy): {one['images']} images; in training, validation and held out "
            f"{' / '.join(f'{n:.0f}' for n in one['mean']['images'])} images of "
            f"{' / '.join(f'{n:.0f}' for n in one['mean']['groups'])} groups."
            for name, one in result["datasets"].items()
        ),
    ]
    for method in DISTANCES:
        lines += ["", f"## `{method}`", "", *table(result, method)]
    lines += of_runs(result["runs"])
    write_text(out / "README.md", "\n".join(lines) + "\n")
    print(f"wrote {out}/results.json and {out}/README.md")


if __name__ == "__main__":
    main()
