"""drifa evaluate, for segmentation: every slice of every volume, judged on the volume's own grid."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from drifa.data import Study
from drifa.data.cache.volume_cache import VolumeCache
from drifa.data.reading.slicing import foreground_of
from drifa.data.reading.volumes import Volume, read_volume
from drifa.data.sampling.slice_batches import SliceSource
from drifa.data.study.checks import UNUSED
from drifa.data.targets import RegionTarget
from drifa.errors import DrifaError
from drifa.evaluation.record import Evaluation
from drifa.metrics.segmentation import VOLUME_METRICS, judge_volume, summarise_volumes
from drifa.prediction.masks import check_mask_files, write_predictions
from drifa.prediction.predictor import Predictor
from drifa.prediction.segmenting import SliceAnswers, slices
from drifa.present import subsets_of
from drifa.progress import Progress
from drifa.runs.run import Run
from drifa.uncertainty.modes import ALL_MEMBERS

TABLE = "volumes.csv"
#: Mode -> member (or -1 for all) -> region probabilities of all slices of a subject ``[n, R, s, s]``.
Answers = dict[str, dict[int, np.ndarray]]


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
    predictor = Predictor(run)
    study = _matched(predictor, other) if other is not None else run.study()
    cache = run.cache(study, progress)
    subjects = study.subjects()
    # As for classes: of its own study a run never judges what was set aside; of another, all is asked for.
    wanted = (subjects.split != UNUSED) | (other is not None) if split == "all" else subjects.split == split
    chosen = np.flatnonzero(wanted)
    check_mask_files(where / "predictions", subjects.ids[chosen].tolist(), predictor.regions)
    names = subsets_of(list(run.info.modalities)) if subsets else []
    judge = VolumeJudge(predictor, study, cache)
    rows: list[dict[str, Any]] = []
    for done, subject in enumerate(chosen.tolist(), start=1):
        rows += judge.subject(subject, names, where)
        if progress:
            progress(done, len(chosen), "segmenting volumes")
    if not rows:
        raise DrifaError(f"no subject of the {split} split of {study.name!r} has a mask, so there is nothing to judge")
    table = pd.DataFrame(rows)
    metrics = _by("mode", table[table["subset"] == ""], run)
    evaluation = Evaluation.of(
        run.config.evaluate,
        split=split,
        study=study.name,
        subjects=int(table["subject"].nunique()),
        members=len(predictor.nets),
        tasks={
            str(task): _about(tuple(predictor.regions[str(task)]), study, rows)
            for task, rows in table.groupby("task", sort=False)
        },
        subsets=_by("subset", table[table["subset"] != ""], run),
    )
    evaluation.save(where, metrics, table, TABLE)
    return metrics


class VolumeJudge:
    """What a segmentation run says about the volumes of a study, beside their truth.

    Args:
        predictor: The run.
        study: Whose volumes.
        cache: Of that study.
    """

    def __init__(self, predictor: Predictor, study: Study, cache: VolumeCache) -> None:
        self.predictor, self.run, self.study, self.cache = predictor, predictor.run, study, cache
        self.source, self.subjects = SliceSource(study, cache), study.subjects()

    def subject(self, subject: int, subsets: Sequence[Sequence[str]], where: Path) -> list[dict[str, Any]]:
        """Rows of the table for one subject; writes its predicted masks."""
        image = int(self.subjects.image[subject][self.subjects.present[subject]][0])
        volume = read_volume(self.study.image_path(image))
        brain = foreground_of(volume.array)
        answers, by_subset = self._answers(subject, subsets)
        rows: list[dict[str, Any]] = []
        for task, regions in self.predictor.regions.items():
            truth = self.cache.truth(subject, task)
            whole = np.moveaxis(truth, 3, 0) if truth is not None else None
            for mode, members in answers[task].items():
                for member, probabilities in members.items():
                    rows += self._rows(subject, task, mode, member, "", probabilities, whole, volume, brain)
            for name, probabilities in by_subset[task].items():
                rows += self._rows(subject, task, "subset", ALL_MEMBERS, name, probabilities, whole, volume, brain)
            predicted = self.cache.restore(subject, _best(answers[task])) >= 0.5
            write_predictions(where / "predictions", str(self.subjects.ids[subject]), task, regions, predicted, volume)
        return rows

    def averaged(self, subject: int) -> dict[str, np.ndarray]:
        """Region probabilities of all slices in the most thorough mode, of the first member where it asks each alone.

        Returns:
            Task -> ``[n, R, s, s]``.
        """
        return {task: _best(modes) for task, modes in self._answers(subject, [])[0].items()}

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
        fixed: dict[str, list[np.ndarray]] = {task: [] for task in self.predictor.regions}
        drawn: dict[str, list[np.ndarray]] = {task: [] for task in fixed}
        partial: dict[str, list[np.ndarray]] = {task: [] for task in fixed}
        for member in range(len(self.predictor.nets)):
            starts = range(0, len(rows), settings.batch_size)
            parts = [self._run(member, rows[start : start + settings.batch_size], asked) for start in starts]
            for task in fixed:
                for target, key in ((fixed, "fixed"), (drawn, "drawn"), (partial, "subsets")):
                    target[task].append(np.concatenate([part[key][task] for part in parts], axis=-4))
        answers: dict[str, Answers] = {}
        for task in fixed:
            modes: Answers = {"deterministic": dict(enumerate(fixed[task]))}
            if settings.passes:
                modes["mc"] = dict(enumerate(drawn[task]))
            if len(self.predictor.nets) > 1:
                modes["ensemble"] = {ALL_MEMBERS: np.mean(fixed[task], axis=0)}
                if settings.passes:
                    modes["ensemble_mc"] = {ALL_MEMBERS: np.mean(drawn[task], axis=0)}
            answers[task] = modes
        names = ["+".join(subset) for subset in asked]
        means = {task: dict(zip(names, np.mean(values, axis=0), strict=True)) for task, values in partial.items()}
        return answers, means

    def _run(self, member: int, rows: np.ndarray, subsets: Sequence[Sequence[str]]) -> SliceAnswers:
        batch = self.source.batch(rows)
        columns = {name: i for i, name in enumerate(self.source.modalities)}
        none = torch.zeros(len(rows), dtype=torch.bool)
        known = self.predictor.nets[member].modalities
        present = torch.stack([batch.present[:, columns[name]] if name in columns else none for name in known], dim=1)
        index = self.cache.index
        names = [f"{self.subjects.ids[index.subject[row]]}/{index.z[row]}" for row in rows]
        return slices(self.predictor, member, batch.tensors, present, names, subsets)


def _best(modes: Answers) -> np.ndarray:
    return next(iter(list(modes.values())[-1].values()))


def _about(regions: Sequence[str], study: Study, rows: pd.DataFrame) -> dict[str, Any]:
    return {
        "kind": "regions",
        "regions": list(regions),
        "count": int(rows["subject"].nunique()),
        "groups": int(rows["group"].nunique()),
        "modalities": list(study.modalities),
    }


def _matched(predictor: Predictor, other: Study) -> Study:
    known = predictor.run.info.modalities
    modalities = [name for name in known if name in other.modalities]
    tasks = [name for name in predictor.regions if name in other.tasks]
    if not modalities or not tasks:
        raise DrifaError(
            f"study {other.name!r} has {', '.join(other.modalities)} and the tasks {', '.join(other.tasks)}; the run knows "
            f"{', '.join(known)} and {', '.join(predictor.regions)}"
        )
    for name, regions in predictor.regions.items():
        if name not in other.tasks:
            raise DrifaError(f"study {other.name!r} has no task {name!r}, which the run answers; declare it in its study.yaml")
        RegionTarget(regions).translated(other.tasks[name].target, np.empty(0), name, other.name)
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
