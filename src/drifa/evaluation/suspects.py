"""What a run's answers on its test and validation splits say of the labels there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from drifa.data import Study
from drifa.data.audit import Finding, join_groups
from drifa.data.audit.suspects import suspect_finding, suspected_labels
from drifa.data.splits.receipts import read_split
from drifa.data.study.checks import CALIBRATION
from drifa.errors import DrifaError
from drifa.metrics.intervals import mean_interval
from drifa.report.answers import one_answer_each
from drifa.runs.files import RunFiles, evaluation_files, read_run

#: Answers to images that the networks were not fitted to.
OUT_OF_SAMPLE = ("test", "val", CALIBRATION)


def suspects_of_run(run: str | Path, study: Study, clusters: Sequence[Sequence[int]] = ()) -> list[Finding]:
    """Ranks the labels of a study that a run contradicts where it was not trained.

    It reads the answers that ``drifa evaluate RUN`` kept, and those of ``--split val`` if they are there. Subjects of a group
    of which the run has seen anyone, or whose picture it has seen, are left out.

    Args:
        run: The run folder.
        study: A study that the run was trained on.
        clusters: Rows that show the same picture, from the audit.

    Returns:
        One finding per task of classes.

    Raises:
        DrifaError: No run, no answers in it, none about this study, or no task of classes.
    """
    tasks, evaluated, prefix = _judged(Path(run), study)
    files = evaluated[0]
    joined = join_groups(study, clusters)[0].subjects()
    own = {f"{prefix}{name}": place for place, name in enumerate(joined.ids)}
    sides, _ = read_split(files.folder)
    trained = [own[name] for name in sides.loc[sides["split"] == "train", "subject"] if name in own]
    unseen = ~np.isin(joined.group, joined.group[trained])
    findings = []
    for task in tasks:
        classes = list(((files.model or {}).get("tasks") or {}).get(task, {}).get("classes") or ())
        answers = _answers(task, evaluated)
        if not classes or answers is None:
            continue
        answers = answers[answers["subject"].isin(own)]
        place = np.array([own[name] for name in answers["subject"]], dtype=np.int64)
        names = np.array(study.tasks[task].target.names, dtype=object)[joined.targets[task][place]]
        used = unseen[place] & joined.known_of(task)[place] & np.isin(names, classes)
        answers, place, names = answers[used], place[used], names[used]
        if not len(answers):
            continue
        labels = np.array([classes.index(name) for name in names])
        probabilities = np.stack(list(answers["probabilities"]))
        suspects = suspected_labels(joined.ids[place], joined.group[place], labels, probabilities, classes)
        splits = [split for split in OUT_OF_SAMPLE if (answers["split"] == split).any()]
        doubt = doubt_of(labels, probabilities, joined.group[place], classes)
        findings.append(suspect_finding(study, task, suspects, len(answers), splits, doubt))
    if not findings:
        raise DrifaError(f"{run} answered no labelled subject of study {study.name!r} whose group it had not been trained on")
    return findings


def doubt_of(labels: np.ndarray, probabilities: np.ndarray, groups: np.ndarray, classes: Sequence[str]) -> str:
    """What to say of answers that are not shown to be right more often than one constant answer; empty where they are.

    Args:
        labels: Index of the class of each subject as labelled.
        probabilities: Of the classes.
        groups: The group of each; the interval of the gain is over groups.
        classes: Names of the classes.

    Shape:
        labels int [n], n >= 1; probabilities [n, k]; groups [n].
    """
    common = int(np.bincount(labels).argmax())
    right, floor = probabilities.argmax(axis=1) == labels, labels == common
    low = mean_interval(right.astype(float) - floor, groups)["low"]
    if low is not None and low > 0:
        return ""
    return (
        f"the run is right in {right.mean():.0%} of them, not shown to be better than always answering {classes[common]} "
        f"({floor.mean():.0%}): do not rely on this ranking"
    )


def check_run(run: str | Path, study: Study) -> None:
    """Refuses a run that cannot say anything of a study's labels, before its images are read.

    Raises:
        DrifaError: As in :func:`suspects_of_run`.
    """
    _judged(Path(run), study)


def _judged(run: Path, study: Study) -> tuple[list[str], list[RunFiles], str]:
    """Tasks of classes, the run as each evaluation judged it, and what stands before the ids."""
    files = read_run(run)
    prefix = _prefix(files, study)
    tasks = [task for task, kind in files.kinds.items() if kind == "classes" and task in study.tasks]
    if not tasks:
        raise DrifaError(f"{run} answers no task of classes of study {study.name!r}, so it cannot say which labels look wrong")
    evaluated = [files, *evaluation_files(files, [f"own-{split}" for split in OUT_OF_SAMPLE])]
    if all(one.predictions is None for one in evaluated):
        raise DrifaError(f"{run} has no predictions yet; run `drifa evaluate {run}` first, and with --split val for more")
    return tasks, evaluated, prefix


def _prefix(files: RunFiles, study: Study) -> str:
    """What stands before the ids of the study in the run: nothing, or its name where several were merged."""
    name = str(((files.model or {}).get("study") or {}).get("name", ""))
    if name == study.name:
        return ""
    if study.name in name.split("+"):
        return f"{study.name}/"
    raise DrifaError(f"{files.folder} was trained on study {name!r}, not on {study.name!r}; name a run of this one")


def _answers(task: str, evaluated: Sequence[RunFiles]) -> pd.DataFrame | None:
    """One row per subject of the test and validation splits, with probabilities."""
    found = []
    for files in evaluated:
        rows = one_answer_each(task, files)
        if rows is not None and "probabilities" in rows:
            found.append(rows[rows["split"].isin(OUT_OF_SAMPLE)])
    return pd.concat(found).drop_duplicates("subject") if found else None
