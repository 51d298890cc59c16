"""drifa evaluate, for segmentation: every slice of every volume, judged on the volume's own grid."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from drifa.data import Study
from drifa.data.cache.volume_cache import VolumeCache
from drifa.data.reading.slicing import foreground_of
from drifa.data.reading.volumes import Volume, read_volume, write_mask
from drifa.data.sampling.slice_batches import SliceSource
from drifa.errors import DrifaError
from drifa.files import atomic_path, write_json
from drifa.metrics.segmentation import VOLUME_METRICS, judge_volume, summarise_volumes
from drifa.networks.dropout import pass_keys
from drifa.networks.regions import region_probabilities
from drifa.networks.segnet import FusionSegNet
from drifa.present import subset_mask, subsets_of
from drifa.progress import Progress
from drifa.runs.run import Run
from drifa.uncertainty.modes import ALL_MEMBERS

FORMAT = 1
TABLE = "volumes.csv"
#: Mode -> member (or -1 for all) -> region probabilities of all slices of a subject ``[n, R, s, s]``.
Answers = dict[str, dict[int, np.ndarray]]
#: What it was -> task -> probabilities.
SliceAnswers = dict[str, dict[str, np.ndarray]]


def evaluate_volumes(
    run: Run, where: Path, other: Study | None, split: str, subsets: bool, progress: Progress | None = None
) -> dict[str, Any]:
    """Judges a segmentation run and writes metrics.json, evaluation.json, volumes.csv and the predicted masks.

    Args:
        run: A segmentation run.
        where: Folder to write to.
        other: Another study to judge it on; its regions must be those of the run.
        split: ``test``, ``val``, ``train`` or ``all``.
        subsets: Judge every subset of the modalities too (members averaged, dropout off).
        progress: Called with (done, total, what).

    Returns:
        The content of metrics.json: ``task -> mode -> metric -> {value, low, high, sd, n}``; the metrics are those of
        ``segmentation_metrics``, per region, as ``dice_WT``, and ``dice``, the mean over the regions.

    Raises:
        DrifaError: The study does not fit the run, or no subject of the split has a mask.
    """
    nets = run.networks()
    study = _matched(run, other) if other is not None else run.study()
    cache = run.cache(study, progress)
    subjects = study.subjects()
    chosen = [n for n in range(len(subjects)) if split == "all" or subjects.split[n] == split]
    names = subsets_of(list(run.info["modalities"])) if subsets else []
    judge = _Judge(run, study, cache, nets)
    rows: list[dict[str, Any]] = []
    for done, subject in enumerate(chosen, start=1):
        rows += judge.subject(subject, names, where)
        if progress:
            progress(done, len(chosen), "segmenting volumes")
    if not rows:
        raise DrifaError(f"no subject of the {split} split of {study.name!r} has a mask, so there is nothing to judge")
    table = pd.DataFrame(rows)
    with atomic_path(where / TABLE) as temporary:
        table.to_csv(temporary, index=False)
    metrics = _by("mode", table[table["subset"] == ""], run)
    write_json(where / "metrics.json", metrics)
    details = {
        "drifa_evaluation": FORMAT,
        "kind": "segmentation",
        "split": split,
        "study": study.name,
        "subjects": int(table["subject"].nunique()),
        "passes": run.config.evaluate.passes,
        "members": len(nets),
        "subsets": _by("subset", table[table["subset"] != ""], run),
    }
    write_json(where / "evaluation.json", details)
    return metrics


def slice_seeds(names: Sequence[str]) -> torch.Tensor:
    """A seed of the dropout masks per slice, from its name: int64 ``[n]``."""
    return torch.tensor([int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "little") for name in names])


@torch.inference_mode()
def answer_slices(
    net: FusionSegNet,
    images: Mapping[str, torch.Tensor],
    present: torch.Tensor,
    seeds: torch.Tensor,
    passes: int,
    subsets: Sequence[Sequence[str]] = (),
) -> SliceAnswers:
    """Region probabilities of some slices.

    Args:
        net: In evaluation mode.
        images: Modality -> float ``[n, 1, s, s]``.
        present: bool ``[n, m]``.
        seeds: int64 ``[n]`` from :func:`slice_seeds`.
        passes: Monte-Carlo dropout passes.
        subsets: Of the modalities.

    Returns:
        ``fixed`` (dropout off), ``drawn`` (the mean of the passes; empty without any) and ``subsets`` (one per subset that any
        slice has something of): task -> ``[n, R, s, s]``, ``subsets`` with one more axis in front.
    """
    device, output = next(net.parameters()).device, net.config["output"]
    images = {name: image.to(device) for name, image in images.items()}
    present, seeds = present.to(device), seeds.to(device)
    fixed = {task: region_probabilities(logits, output) for task, logits in net(images, present).items()}
    sums = {task: torch.zeros_like(values) for task, values in fixed.items()}
    for turn in range(passes):
        for task, logits in net.sample(images, present, pass_keys(seeds, turn)[None]).items():
            sums[task] += region_probabilities(logits[0], output)
    each = net.over_subsets(images, present, subset_mask(subsets, net.modalities)) if subsets else []
    found: SliceAnswers = {"fixed": {}, "drawn": {}, "subsets": {}}
    for task, values in fixed.items():
        found["fixed"][task] = values.cpu().numpy()
        found["drawn"][task] = (sums[task] / max(passes, 1)).cpu().numpy()[: None if passes else 0]
        given = [region_probabilities(one[task], output).cpu().numpy() for one in each if one is not None]
        found["subsets"][task] = np.stack(given) if given else np.empty((0, *values.shape), dtype=np.float32)
    return found


class _Judge:
    def __init__(self, run: Run, study: Study, cache: VolumeCache, nets: Sequence[FusionSegNet]) -> None:
        self.run, self.study, self.cache, self.nets = run, study, cache, nets
        self.source, self.subjects = SliceSource(study, cache), study.subjects()
        self.device = torch.device("cuda" if torch.cuda.is_available() and run.config.train.accelerator != "cpu" else "cpu")

    def subject(self, subject: int, subsets: Sequence[Sequence[str]], where: Path) -> list[dict[str, Any]]:
        """Rows of the table for one subject; writes its predicted masks."""
        image = int(self.subjects.image[subject][self.subjects.present[subject]][0])
        volume = read_volume(self.study.image_path(image))
        brain = foreground_of(volume.array)
        answers, by_subset = self._answers(subject, subsets)
        rows: list[dict[str, Any]] = []
        for task, regions in self.run.info["regions"].items():
            truth = self.cache.truth(subject, task)
            whole = np.moveaxis(truth, 3, 0) if truth is not None else None
            for mode, members in answers[task].items():
                for member, probabilities in members.items():
                    rows += self._rows(subject, task, mode, member, "", probabilities, whole, volume, brain)
            for name, probabilities in by_subset[task].items():
                rows += self._rows(subject, task, "subset", ALL_MEMBERS, name, probabilities, whole, volume, brain)
            best = next(iter(list(answers[task].values())[-1].values()))
            predicted = self.cache.restore(subject, best) >= 0.5
            write_predictions(where / "predictions", str(self.subjects.ids[subject]), task, regions, predicted, volume)
        return rows

    def _rows(
        self,
        subject: int,
        task: str,
        mode: str,
        member: int,
        subset: str,
        probabilities: np.ndarray,
        truth: np.ndarray | None,
        volume: Volume,
        brain: np.ndarray,
    ) -> list[dict[str, Any]]:
        if truth is None:
            return []
        predicted = np.moveaxis(self.cache.restore(subject, probabilities) >= 0.5, 3, 0)
        head = {
            "subject": self.subjects.ids[subject],
            "group": self.subjects.group[subject],
            "task": task,
            "mode": mode,
            "member": member,
            "subset": subset,
        }
        regions = self.study.tasks[task].classes
        return [{**head, **row} for row in judge_volume(truth, predicted, regions, volume.spacing, brain)]

    def _answers(
        self, subject: int, subsets: Sequence[Sequence[str]]
    ) -> tuple[dict[str, Answers], dict[str, dict[str, np.ndarray]]]:
        """Task -> answers, and task -> subset -> probabilities."""
        rows, settings = self.cache.slices_of(subject), self.run.config.evaluate
        own = set(np.array(self.subjects.modalities)[self.subjects.present[subject]])
        asked = [subset for subset in subsets if own & set(subset)]
        fixed: dict[str, list[np.ndarray]] = {task: [] for task in self.run.info["regions"]}
        drawn: dict[str, list[np.ndarray]] = {task: [] for task in fixed}
        partial: dict[str, list[np.ndarray]] = {task: [] for task in fixed}
        for net in self.nets:
            net.eval().to(self.device)
            starts = range(0, len(rows), settings.batch_size)
            parts = [self._run(net, rows[start : start + settings.batch_size], asked) for start in starts]
            for task in fixed:
                for target, key in ((fixed, "fixed"), (drawn, "drawn"), (partial, "subsets")):
                    target[task].append(np.concatenate([part[key][task] for part in parts], axis=-4))
        answers: dict[str, Answers] = {}
        for task in fixed:
            modes: Answers = {"deterministic": dict(enumerate(fixed[task]))}
            if settings.passes:
                modes["mc"] = dict(enumerate(drawn[task]))
            if len(self.nets) > 1:
                modes["ensemble"] = {ALL_MEMBERS: np.mean(fixed[task], axis=0)}
                if settings.passes:
                    modes["ensemble_mc"] = {ALL_MEMBERS: np.mean(drawn[task], axis=0)}
            answers[task] = modes
        names = ["+".join(subset) for subset in asked]
        means = {task: dict(zip(names, np.mean(values, axis=0), strict=True)) for task, values in partial.items()}
        return answers, means

    def _run(self, net: FusionSegNet, rows: np.ndarray, subsets: Sequence[Sequence[str]]) -> SliceAnswers:
        batch = self.source.batch(rows)
        columns = {name: i for i, name in enumerate(self.source.modalities)}
        none = torch.zeros(len(rows), dtype=torch.bool)
        present = torch.stack(
            [batch["present"][:, columns[name]] if name in columns else none for name in net.modalities], dim=1
        )
        return answer_slices(net, batch["images"], present, self._seeds(rows), self.run.config.evaluate.passes, subsets)

    def _seeds(self, rows: np.ndarray) -> torch.Tensor:
        index, seed = self.cache.index, self.run.config.evaluate.seed
        return slice_seeds([f"{seed}/{self.subjects.ids[index.subject[row]]}/{index.z[row]}" for row in rows])


def write_predictions(
    folder: Path, subject: str, task: str, regions: Mapping[str, Sequence[int]], predicted: np.ndarray, volume: Volume
) -> list[Path]:
    """Writes predicted regions (bool ``[X, Y, Z, R]``) as SUBJECT_TASK.nii.gz on a volume's grid; see :func:`label_maps`."""
    masks = label_maps(predicted, regions)
    return [write_mask(path, masks[suffix], volume) for suffix, path in mask_files(folder, subject, task, masks).items()]


def mask_files(folder: Path, subject: str, task: str, suffixes: Iterable[str]) -> dict[str, Path]:
    """Where :func:`write_predictions` writes the masks of a subject, by file name suffix."""
    name = re.sub(r"[^\w.-]+", "_", f"{subject}_{task}")
    return {suffix: folder / f"{name}{suffix}.nii.gz" for suffix in suffixes}


def mask_suffixes(regions: Mapping[str, Sequence[int]]) -> list[str]:
    """The keys of :func:`label_maps`: one empty text where the regions are nested, else one for each."""
    values = [set(group) for group in regions.values()]
    nested = all(inner < outer for outer, inner in itertools.pairwise(values))
    return [""] if nested else [f"_{name}" for name in regions]


def label_maps(predicted: np.ndarray, regions: Mapping[str, Sequence[int]]) -> dict[str, np.ndarray]:
    """Predicted regions as mask values.

    A voxel takes the least value that its innermost region has and the regions inside that one have not. Where regions are not
    nested from the first to the last, a mask has no such value: each region is then a mask of its own.

    Args:
        predicted: bool ``[X, Y, Z, R]``.
        regions: Name -> mask values, in the order of R.

    Returns:
        File name suffix -> uint8 ``[X, Y, Z]``.
    """
    values = [set(group) for group in regions.values()]
    if mask_suffixes(regions) != [""]:
        return {f"_{name}": predicted[..., k].astype(np.uint8) for k, name in enumerate(regions)}
    mask = np.zeros(predicted.shape[:3], dtype=np.uint8)
    for k, group in enumerate(values):
        inside = set().union(*values[k + 1 :])
        mask[predicted[..., k]] = min(group - inside)
    return {"": mask}


def _matched(run: Run, other: Study) -> Study:
    modalities = [name for name in run.info["modalities"] if name in other.modalities]
    tasks = [name for name in run.info["regions"] if name in other.tasks]
    if not modalities or not tasks:
        raise DrifaError(
            f"study {other.name!r} has {', '.join(other.modalities)} and the tasks {', '.join(other.tasks)}; the run knows "
            f"{', '.join(run.info['modalities'])} and {', '.join(run.info['regions'])}"
        )
    for name in run.info["regions"]:
        if name not in other.tasks or list(other.tasks[name].classes) != list(run.info["regions"][name]):
            raise DrifaError(
                f"study {other.name!r} does not have the regions {', '.join(run.info['regions'][name])} of task {name!r}, "
                f"in this order; declare them in its study.yaml"
            )
    return other.select(modalities, tasks)


def _by(key: str, table: pd.DataFrame, run: Run) -> dict[str, Any]:
    """Task -> value of a column -> summary."""
    settings = run.config.evaluate
    found: dict[str, Any] = {}
    for (task, value), rows in table.groupby(["task", key], sort=False):
        found.setdefault(str(task), {})[str(value)] = _summary(rows, settings.resamples, settings.seed)
    return found


def _summary(rows: pd.DataFrame, resamples: int, seed: int) -> dict[str, Any]:
    """Members are averaged within each subject, then subjects."""
    each = rows.groupby(["region", "subject", "group"], sort=False, as_index=False)[list(VOLUME_METRICS)].mean()
    over = each.groupby(["subject", "group"], sort=False, as_index=False)[list(VOLUME_METRICS)].mean().assign(region="")
    summary = summarise_volumes(pd.concat([each, over]), resamples=resamples, seed=seed)
    overall = {metric: summary.pop("")[metric] for metric in ("dice",)}
    named = {f"{metric}_{region}": value for region, metrics in summary.items() for metric, value in metrics.items()}
    return {**overall, **named}
