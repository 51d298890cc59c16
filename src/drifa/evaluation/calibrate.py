"""drifa calibrate: when a run can be trusted, learned on its validation or calibration split, judged on its test split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd

from drifa.data import Subjects
from drifa.data.study.checks import CALIBRATION
from drifa.errors import DrifaError, suggest
from drifa.evaluation.calibrate_regions import judge_regions, learn_regions
from drifa.evaluation.evaluate import evaluate
from drifa.evaluation.partial import partial_answers
from drifa.evaluation.strangers import learn_strangers
from drifa.files import read_json, write_json
from drifa.prediction.answering import COMPLETE
from drifa.prediction.predictor import Predictor
from drifa.prediction.strangers import FILE as STRANGERS_FILE
from drifa.prediction.strangers import write_strangers
from drifa.prediction.trust import FILE, TaskTrust, Trust, learn_trust
from drifa.progress import Progress
from drifa.runs.places import Places
from drifa.runs.run import Run
from drifa.tasks import Classes, Regions, kinds_from
from drifa.uncertainty.abstention import least_clean
from drifa.uncertainty.calibration import CALIBRATIONS
from drifa.uncertainty.conformal import Score
from drifa.uncertainty.modes import MODES
from drifa.uncertainty.prior import PriorCorrection
from drifa.uncertainty.reports import abstention_report, calibration_report, coverage_report


def calibrate(
    folder: str | Path,
    method: str = "temperature",
    level: float = 0.9,
    score: str = "lac",
    risk: float = 0.1,
    confidence: float = 0.9,
    false_alarms: float | None = 0.05,
    progress: Progress | None = None,
    places: Places | None = None,
    judge: bool = True,
    subsets: bool = False,
) -> tuple[Path, dict[str, Any]]:
    """Learns when a run can be trusted and writes `calibration.json` and `strangers.npz`, which `predict` applies.

    For every task of classes: calibration, prediction sets, and the bar of an abstention, of complete answers and of those that
    go without some modalities; for every modality of images: a check for strangers; of a segmentation run only a temperature
    for each region (:mod:`drifa.evaluation.calibrate_regions`). Members and passes are averaged first, in the most thorough
    mode of the run. What learns is the part that was cut off for it (``data.calibration_fraction``), else the validation
    split, which also chose the epoch of each network and so flatters a little; what counts are the figures on the test split,
    which nothing was fitted on.

    Args:
        folder: The run.
        method: ``temperature``, ``vector`` or ``isotonic``.
        level: Promised probability that a prediction set holds the truth.
        score: Of the sets: ``lac``, ``aps`` or ``raps``.
        risk: The largest share of wrong answers among those given, see :class:`drifa.uncertainty.abstention.Abstention`.
        confidence: Probability that the risk is kept.
        false_alarms: Share of usual images that may be called strangers; None for no check.
        progress: As in :func:`drifa.evaluation.evaluate.evaluate`.
        places: Likewise.
        judge: Whether to say how it does on the test split, too; :func:`judge_calibration` can later.
        subsets: Learn of every subset of the modalities, by taking the others away from subjects who have them; else of those
            of which there are subjects with no more, and in an unpaired study of answers without partners.

    Returns:
        The file, and its content: of interest are ``source`` (``val`` or ``calibration``), ``test``, task ->
        ``notes``, ``calibration``, ``coverage`` and ``abstention`` on the test split (see :mod:`drifa.uncertainty.reports`),
        ``test_subsets``, the same by subset, ``strangers`` (see :func:`drifa.evaluation.strangers.learn_strangers`), and
        ``notes``; of a segmentation run ``test_regions``, task -> region -> ``nll`` and ``brier`` ``before`` and ``after``.

    Raises:
        DrifaError: The run answers nothing in classes or regions, its study is not there, or an argument is not as described.
    """
    for name, value, choices in (("method", method, tuple(CALIBRATIONS)), ("score", score, get_args(Score))):
        if value not in choices:
            raise DrifaError(f"{name} {value!r} is not known{suggest(value, choices)}")
    if not 0 < level < 1:
        raise DrifaError(f"level {level:g} is no probability between 0 and 1; 0.9 is usual")
    if false_alarms is not None and not 0 < false_alarms < 1:
        raise DrifaError(f"false alarms of {false_alarms:g} are no share between 0 and 1; 0.05 is usual")
    least_clean(risk, confidence)
    run = Run.open(folder, places)
    kinds = {task: kind for task, kind in kinds_from(run.info.tasks).items() if isinstance(kind, Classes)}
    if not kinds and run.info.reads != "pixels":
        raise DrifaError(f"{run.folder} has no task of classes or regions, and only their probabilities are calibrated")
    subjects, trained = run.study().subjects(), len(run.trained_members())
    source = CALIBRATION if len(subjects.in_split(CALIBRATION)) else "val"
    if run.info.reads == "pixels":
        return _calibrate_regions(Predictor(run), source, judge, progress)

    def answers(split: str) -> pd.DataFrame:
        where, _ = evaluate(
            folder, split=split, out=run.folder / "evaluations" / f"own-{split}", progress=progress, places=places
        )
        return pd.read_parquet(where / "predictions.parquet")

    table = answers(source)
    mode = max(table["mode"].unique(), key=MODES.index)
    balanced = run.config.train.sampling == "balanced"

    def learned(task: str, labels: np.ndarray, p: np.ndarray, groups: np.ndarray) -> TaskTrust:
        kind, seed = kinds[task], run.config.evaluate.seed
        prior = _prior(subjects, task, kind, balanced)
        trust = learn_trust(labels, p, groups, kind.classes, prior, method, level, score, risk, confidence, seed)
        return replace(trust, notes=tuple(_of_part(trust.notes, source)))

    complete = {task: _answers(table, task, mode, kind) for task, kind in kinds.items()}
    tasks = {task: learned(task, *own) for task, own in complete.items() if len(own[0])}
    predictor = Predictor(run)
    partial: dict[str, dict[str, TaskTrust]] = {}
    for one in partial_answers(predictor, source, subsets, progress):
        partial.setdefault("+".join(one.subset), {})[one.task] = learned(one.task, one.labels, one.probabilities, one.groups)
    trust_of_run = Trust(mode, trained, tasks, partial)
    found = _on_test(run, trust_of_run, answers("test")) if judge else {}
    told = trust_of_run.to_json() | {"source": source, "test": found, "test_subsets": {}, "strangers": {}, "notes": []}
    for one in partial_answers(predictor, "test", subsets, progress) if judge else ():
        name, trust = "+".join(one.subset), partial.get("+".join(one.subset), {}).get(one.task)
        if trust is not None:
            report = _report(trust, kinds[one.task].classes, one.labels, one.probabilities, one.groups, run)
            told["test_subsets"].setdefault(name, {})[one.task] = {"notes": list(trust.notes), **report}
    checks: dict[str, Any] = {}
    if false_alarms is not None:
        checks, told["strangers"], notes = learn_strangers(predictor, false_alarms, progress, source)
        told["notes"] = _of_part(notes, source)
    if checks:
        told["strangers_file"] = write_strangers(run.folder, checks)
    path = write_json(run.folder / FILE, told)
    if not checks:
        (run.folder / STRANGERS_FILE).unlink(missing_ok=True)
    return path, told


def _calibrate_regions(
    predictor: Predictor, source: str, judge: bool, progress: Progress | None
) -> tuple[Path, dict[str, Any]]:
    learned, notes = learn_regions(predictor, source, progress)
    trust = Trust(predictor.mode, len(predictor.nets), {}, regions=learned)
    found = judge_regions(predictor, learned, "test", progress) if judge else {}
    told = trust.to_json() | {"source": source, "test": {}, "test_regions": found, "strangers": {}}
    told["notes"] = _of_part(notes, source)
    return write_json(predictor.run.folder / FILE, told), told


def calibrate_trained(run: Run, progress: Progress | None = None) -> tuple[Path | None, str]:
    """Ends a training that asked for it (``train.calibrate``): :func:`calibrate` by its defaults, where it was not done before.

    The test split is left alone: :func:`judge_calibration` is for when it has been evaluated.

    Args:
        run: A run with all members trained.
        progress: As in :func:`calibrate`.

    Returns:
        The file that was written, None without one; and a sentence on what could not be learned, empty where all could.
    """
    able = any(isinstance(kind, Classes | Regions) for kind in kinds_from(run.info.tasks).values())
    if not run.config.train.calibrate or not able or (run.folder / FILE).is_file():
        return None, ""
    try:
        path, told = calibrate(run.folder, progress=progress, places=run.places, judge=False)
    except DrifaError as error:
        return None, f"not calibrated: {error}"
    notes = [f"{task}: {note}" for task, found in told["tasks"].items() for note in found["notes"]] + told["notes"]
    more = f" ({len(notes) - 1} more in {path})" if len(notes) > 1 else ""
    return path, f"{notes[0]}{more}" if notes else ""


def judge_calibration(folder: str | Path) -> bool:
    """Says in `calibration.json` how a run's calibration does on the test split, from the answers of an evaluation.

    Args:
        folder: A run that was evaluated.

    Returns:
        Whether it did: not where that is said already, where there is no calibration, and where the networks were asked in
        another way than for it.
    """
    run = Run.open(folder)
    trust, told = Trust.read(run.folder), read_json(run.folder / FILE)
    table = run.folder / "predictions.parquet"
    if trust is None or told is None or told.get("test") or not table.is_file():
        return False
    answers = pd.read_parquet(table)
    if trust.mode not in set(answers["mode"]) or trust.members != len(run.trained_members()):
        return False
    write_json(run.folder / FILE, told | {"test": _on_test(run, trust, answers)})
    return True


def _on_test(run: Run, trust: Trust, table: pd.DataFrame) -> dict[str, Any]:
    """Task -> notes and reports on images that nothing was fitted on."""
    kinds = kinds_from(run.info.tasks)
    found: dict[str, Any] = {}
    for task, own in trust.tasks.items():
        kind = kinds[task]
        assert isinstance(kind, Classes)
        found[task] = {
            "notes": list(own.notes),
            **_report(own, kind.classes, *_answers(table, task, trust.mode, kind), run),
        }
    return found


def _of_part(notes: Sequence[str], source: str) -> list[str]:
    """Notes of what was fitted, which call its images validation whatever part of a split they are of."""
    return [note if source == "val" else note.replace("validation", source) for note in notes]


def _answers(table: pd.DataFrame, task: str, mode: str, kind: Classes) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, probabilities and groups of the first member (of all, in the modes of ensembles), of complete answers."""
    complete = table["condition"].isin(COMPLETE) & table["label"].notna()
    rows = table[(table["task"] == task) & (table["mode"] == mode) & complete]
    rows = rows[rows["member"] == rows["member"].min()]
    numbers = {name: number for number, name in enumerate(kind.classes)}
    p = np.stack(list(rows["probabilities"])) if len(rows) else np.empty((0, len(kind.classes)))
    return rows["label"].map(numbers).to_numpy(dtype=np.int64), p, rows["group"].to_numpy()


def _prior(subjects: Subjects, task: str, kind: Classes, balanced: bool) -> PriorCorrection | None:
    """What undoes class weights and balanced sampling; None where training weighed classes as they come."""
    if not kind.weights and not balanced:
        return None
    rows = subjects.in_split("train")
    truth = subjects.targets[task][rows][subjects.known_of(task)[rows]]
    counts = np.bincount(truth, minlength=len(kind.classes))
    drawn = 1 / np.maximum(counts, 1) if balanced else np.ones(len(counts))
    return PriorCorrection.of_training(counts, drawn * (np.array(kind.weights) if kind.weights else 1), kind.classes)


def _report(
    trust: TaskTrust, classes: Sequence[str], labels: np.ndarray, p: np.ndarray, groups: np.ndarray, run: Run
) -> dict[str, Any]:
    if not len(labels):
        return {}
    settings, q = run.config.evaluate, trust(p)
    found: dict[str, Any] = {}
    if trust.calibration is not None or trust.prior is not None:
        found["calibration"] = calibration_report(labels, p, q, groups, settings.resamples, settings.seed)
    if trust.sets is not None:
        inside, names = trust.sets(q), trust.sets.classes
        found["coverage"] = coverage_report(labels, inside, groups, names, settings.resamples, settings.seed)
    if trust.abstention is not None:
        wrong, kept = q.argmax(axis=1) != labels, trust.answered(q)
        found["abstention"] = abstention_report(
            labels, wrong, kept, groups, classes, resamples=settings.resamples, seed=settings.seed
        )
    return found
