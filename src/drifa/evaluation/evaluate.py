"""drifa evaluate: a finished run on its test split, or on another study (external validation)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from drifa.data import Study, Subjects, alone_samples, components, evaluation_samples
from drifa.data.sampling.image_batches import ImageSource, make_batch
from drifa.data.sampling.pairing import targets_by_component, task_components
from drifa.data.study.checks import CALIBRATION, UNUSED
from drifa.errors import DrifaError
from drifa.evaluation.external import external_subjects, own_subjects
from drifa.evaluation.judge import Truth, describe_task, judge_task, prediction_rows
from drifa.evaluation.record import Evaluation
from drifa.evaluation.subsets import judge_subsets
from drifa.files import read_json
from drifa.names import file_name
from drifa.prediction.predictor import Predictor
from drifa.progress import Progress, counted
from drifa.runs.places import Places
from drifa.runs.run import Run, with_tabular
from drifa.uncertainty.draws import Draws
from drifa.uncertainty.views import make_views

SPLITS = ("test", "val", CALIBRATION, "train", "all")


def evaluate(
    folder: str | Path,
    study: str | Path | None = None,
    split: str = "test",
    out: str | Path | None = None,
    progress: Progress | None = None,
    subsets: bool = False,
    places: Places | None = None,
    settings: Mapping[str, Any] | None = None,
) -> tuple[Path, dict[str, Any]]:
    """Judges a run and writes metrics.json, evaluation.json and predictions.parquet (segmentation: volumes.csv and masks).

    In unpaired studies every image is judged with K partners from the training split, averaged (condition ``partners``), and
    without any (``alone``); in paired ones as it is (``paired``, or ``partial`` where a modality is missing). Nothing is
    fitted here.

    Args:
        folder: The run.
        study: Another study to judge it on; tasks, classes and modalities are matched by name.
        split: ``test``, ``val``, ``calibration`` (where one was cut off), ``train`` or ``all``.
        out: Where to write; the run folder by default, which another study or split never overwrites: those go to
            ``evaluations/NAME-SPLIT`` inside it.
        progress: Called with (done, total, what).
        subsets: Also judge every subset of the modalities, as ``subsets`` in evaluation.json.
        places: Where the run's own study and cache are, if not where the run says.
        settings: Of ``evaluate``, instead of those of the run, such as ``{"passes": 0}``.

    Returns:
        The folder written to, and the content of metrics.json: ``task -> mode -> metric -> {value, low, high}``.

    Raises:
        DrifaError: If the run, the study or the split does not fit, or no image has a label.

    Examples:
        Of a run that was trained on the phantom:

        >>> where, metrics = evaluate("run", split="val")
        >>> where.as_posix(), list(metrics), list(metrics["spread"])
        ('run/evaluations/own-val', ['surface', 'depth', 'spread'], ['deterministic', 'mc', 'ensemble', 'ensemble_mc'])
        >>> accuracy = metrics["spread"]["ensemble_mc"]["accuracy"]
        >>> accuracy["low"] <= accuracy["value"] <= accuracy["high"]
        True
    """
    run = Run.open(folder, places).judged_by(settings or {})
    if split not in SPLITS:
        raise DrifaError(f"split {split!r} is not known (choices: {', '.join(SPLITS)})")
    other = with_tabular(Study.load(study), run.config) if study is not None else None
    where = Path(out) if out is not None else _where(run, other, split)
    if other is not None:
        other.check_files()
    if run.info.reads == "pixels":
        from drifa.evaluation.judge_volumes import evaluate_volumes

        return where, evaluate_volumes(run, where, other, split, subsets, progress)
    predictor = Predictor(run)
    # Another study is judged without the own one, unless partners come from there.
    own = run.study() if other is None or run.info.components > 1 else None
    study_judged = other or own
    assert study_judged is not None
    subjects, source, targets = _targets(predictor, own, other, split, progress)
    judged = _judge(predictor, subjects, source, targets, own, progress)
    evaluation = Evaluation.of(
        run.config.evaluate,
        split=split,
        study=study_judged.name,
        subjects=len(targets),
        members=len(predictor.nets),
        partners=run.config.evaluate.partners if len(components(subjects)) > 1 else 0,
        tasks=judged["tasks"],
        subsets=judge_subsets(predictor, subjects, source, targets, progress) if subsets else {},
    )
    evaluation.save(where, judged["metrics"], judged["predictions"], "predictions.parquet")
    return where, judged["metrics"]


def _where(run: Run, other: Study | None, split: str) -> Path:
    if other is None and split == "test":
        return run.folder
    where = run.folder / "evaluations" / file_name(f"{other.name if other else 'own'}-{split}")
    # Different names may share a folder, and one evaluation never replaces another study's in silence.
    judged, name = read_json(where / "evaluation.json"), other.name if other else run.info.study.get("name")
    if judged is not None and judged.get("study") != name:
        raise DrifaError(
            f"{where} holds the evaluation of study {judged.get('study')!r}, not of {name!r}; choose another --out"
        )
    return where


def _targets(
    predictor: Predictor, own: Study | None, other: Study | None, split: str, progress: Progress | None
) -> tuple[Subjects, ImageSource, np.ndarray]:
    """All subjects that may be needed, where their images are, and the indices of those to judge."""
    run = predictor.run
    if other is None:
        assert own is not None
        subjects = own.subjects()
        targets = np.flatnonzero(subjects.split != UNUSED) if split == "all" else subjects.in_split(split)
        if not len(targets):
            raise DrifaError(f"the {split} split of {own.name!r} is empty")
        return subjects, run.cache(own, progress, predictor.nets), targets
    subjects, source = external_subjects(run, own, other, progress, predictor.nets)
    first = len(own_subjects(run, own))
    targets = np.arange(first, len(subjects.ids))
    if split != "all":
        targets = targets[subjects.split[targets] == split]
        if not len(targets):
            raise DrifaError(f"study {other.name!r} has no image in the split {split!r}; judge it whole with --split all")
    return subjects, source, targets


def _judge(
    predictor: Predictor,
    subjects: Subjects,
    source: ImageSource,
    targets: np.ndarray,
    own: Study | None,
    progress: Progress | None,
) -> dict[str, Any]:
    settings = predictor.run.config.evaluate
    owners = np.array(task_components(subjects))
    pool = subjects.in_split("train") if len(components(subjects)) > 1 else np.empty(0, dtype=np.int64)
    pool = pool[pool < len(own_subjects(predictor.run, own))]
    found: dict[str, Any] = {"metrics": {}, "tasks": {}, "predictions": []}
    for number, chosen in targets_by_component(subjects, targets).items():
        tasks = [task for task, owner in zip(subjects.tasks, owners, strict=True) if owner == number]
        if not tasks:
            continue
        conditions = _conditions(predictor, subjects, source, chosen, number, pool, progress)
        main_name = next(iter(conditions))
        for task in tasks:
            kind, known = predictor.subject_kinds[task], subjects.known_of(task)[chosen]
            names = (subjects.ids[chosen], subjects.group[chosen], subjects.split[chosen])
            complete = subjects.present[chosen][:, list(components(subjects)[number])].all(axis=1)
            truth = Truth(*names, subjects.targets[task][chosen], known, complete)
            by_condition = {name: [member[task] for member in members] for name, members in conditions.items()}
            found["predictions"] += prediction_rows(kind, task, truth, by_condition)
            if not known.any():
                continue
            main, alone = by_condition[main_name], by_condition.get("alone")
            found["metrics"][task] = judge_task(kind, truth, main, alone, settings.resamples, settings.seed)
            found["tasks"][task] = {
                "kind": kind.name,
                **kind.about(truth.values[known]),
                "count": int(known.sum()),
                "groups": len(np.unique(truth.group[known])),
                "modalities": [subjects.modalities[i] for i in components(subjects)[number]],
                "modes": describe_task(kind, truth, main),
            }
    if not found["metrics"]:
        raise DrifaError("no image of that split has a label of a task of this run, so there is nothing to judge")
    found["predictions"] = pd.concat(found["predictions"], ignore_index=True)
    return found


def _conditions(
    predictor: Predictor,
    subjects: Subjects,
    source: ImageSource,
    chosen: np.ndarray,
    number: int,
    pool: np.ndarray,
    progress: Progress | None,
) -> dict[str, list[dict[str, Draws]]]:
    """Condition -> member -> task -> draws; the condition of the headline numbers comes first."""
    settings = predictor.run.config.evaluate
    samples = evaluation_samples(subjects, chosen, number, settings.partners, pool, settings.seed)
    conditions = {"paired": samples}
    if len(components(subjects)) > 1:
        conditions = {"partners": samples, "alone": alone_samples(subjects, chosen, number)}
    fetch = partial(make_batch, source, subjects)
    views, nets = len(make_views(settings.tta)), len(predictor.nets)
    each = sum(nets * (rows.shape[1] * views + settings.passes) for rows in conditions.values())
    names = "+".join(subjects.modalities[i] for i in components(subjects)[number])
    advance = counted(progress, len(conditions) * len(chosen), f"asking {names} {each} times")
    return {name: predictor.draw(fetch, rows, subjects.ids[chosen], advance) for name, rows in conditions.items()}
