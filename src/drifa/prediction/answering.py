"""One batch of cases answered: partners for what is absent, draws of all members, their summaries, and what may be said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from drifa.data.sampling.batch import Batch
from drifa.prediction.answers import Answer
from drifa.prediction.cases import Case, given, unseen
from drifa.prediction.sources import FileImages, PartnerPool, fill_absent, with_values
from drifa.prediction.strangers import find_strangers
from drifa.prediction.trust import trusted
from drifa.prediction.verdict import judged
from drifa.present import answers_task
from drifa.tasks import SubjectKind
from drifa.tasks.base import CaseWarning
from drifa.tasks.classes import ClassAnswer
from drifa.uncertainty.draws import Draws
from drifa.uncertainty.modes import modes, over_partners

if TYPE_CHECKING:
    from drifa.prediction.predictor import Predictor

#: The conditions of answers that go without nothing; what lacks a modality has a calibration of its own.
COMPLETE = ("paired", "partners")


def answer_batch(
    predictor: Predictor,
    cases: Sequence[Case],
    pixels: Sequence[Mapping[str, Tensor]],
    warnings: Sequence[tuple[CaseWarning, ...]],
    pool: PartnerPool | None,
    why: str,
) -> list[Answer]:
    """The answers for some cases; those with as many partners go through the networks together.

    Args:
        predictor: The run.
        cases: Who.
        pixels: Of each case: modality -> image.
        warnings: Of each case: what is unlikely of its values.
        pool: Who can stand in for absent modalities; None if they stay absent.
        why: The reason if they stay absent, for the notes; may be empty.
    """
    run, channels = predictor.run, predictor.run.info.modalities
    files: Any = FileImages(pixels, channels, run.info.image_size)
    if predictor.encoders and cases:
        files = with_values(files, cases, predictor.encoders)
    source, offset = (files, 0) if pool is None else (pool.before(files), pool.offset)
    has = [given(case, predictor.encoders) for case in cases]
    filled, conditions = [], []
    for row, (case, own) in enumerate(zip(cases, has, strict=True)):
        rows, condition = fill_absent(np.array([offset + row if name in own else -1 for name in channels]), case, run, pool)
        filled.append(rows)
        conditions.append(condition)

    def fetch(chosen: np.ndarray) -> Batch:
        shown = {name: source.read(name, chosen[:, i]) for i, name in enumerate(channels)}
        return Batch(shown, torch.from_numpy(chosen >= 0))

    strangers = find_strangers(predictor.nets[0], predictor.strangers, pixels)
    found: dict[int, Answer] = {}
    for count in sorted({len(rows) for rows in filled}):
        alike = [row for row, rows in enumerate(filled) if len(rows) == count]
        members = predictor.draw(fetch, np.stack([filled[row] for row in alike]), [cases[row].subject for row in alike])
        for position, row in enumerate(alike):
            own_draws = [{task: draws.of(position) for task, draws in member.items()} for member in members]
            missing = tuple(name for name in channels if name not in has[row]) if conditions[row] not in COMPLETE else ()
            subset = tuple(name for name in channels if name in has[row]) if missing else None
            told = (*warnings[row], *strangers[row])
            able = {}
            for task, answer in _tasks(predictor.subject_kinds, own_draws).items():
                read = (*run.info.task_modalities[task], *predictor.encoders)
                if answers_task(has[row], run.info.task_modalities[task], predictor.encoders):
                    alone = _own_answers(task, own_draws)
                    answer = _with_trust(predictor, task, answer, alone, subset, missing, strangers[row])
                    able[task] = replace(answer, warnings=tuple(one for one in told if one.modality in read))
            used = {name: str(path) for name, path in cases[row].images.items()}
            notes = [why if conditions[row] == "alone" else "", unseen([cases[row]], predictor.encoders)]
            notes.append(predictor.unchecked(cases[row].images))
            note = "; ".join(filter(None, notes)) or None
            found[row] = Answer(cases[row].subject, used, conditions[row], able, missing, told, note)
    return [found[row] for row in range(len(cases))]


def _with_trust(
    predictor: Predictor,
    task: str,
    answer: Any,
    own: np.ndarray,
    subset: Sequence[str] | None,
    missing: Sequence[str],
    strangers: Sequence[CaseWarning],
) -> Any:
    """An answer with what was learned about such answers and about the images behind it.

    Args:
        predictor: Whom to ask.
        task: Of the answer.
        answer: Of all members.
        own: Of each member, see :func:`_own_answers`. ``[M, k]``
        subset: The modalities of the case; None where none is missing.
        missing: The others.
        strangers: What is unlike training of its images.
    """
    if not isinstance(answer, ClassAnswer):
        return answer
    learned = predictor.trust
    trust = None if learned is None else learned.of(task, subset)
    strange = [one.modality for one in strangers if one.modality in predictor.run.info.task_modalities[task]]
    calibrated = learned is not None and learned.of(task) is not None
    if trust is not None:
        answer, own = trusted(answer, trust), trust(own)
    if len(own) > 1:
        named = np.array(list(answer.probabilities))[own.argmax(axis=1)]
        answer = replace(answer, disagree=int((named != answer.predicted).sum()), members=len(own))
    return judged(answer, trust, missing, strange, calibrated)


def _own_answers(task: str, members: Sequence[Mapping[str, Draws]]) -> np.ndarray:
    """The mean over the draws of each member for one case. ``[M, k]``"""
    draws = [member[task] for member in members]
    return np.stack([(one.mc if len(one.mc) else one.deterministic).mean(axis=0)[0] for one in draws])


def _tasks(kinds: Mapping[str, SubjectKind[Any]], members: Sequence[Mapping[str, Draws]]) -> dict[str, Any]:
    """Task -> answer, from the draws of the members for one case."""
    tasks = {}
    for task, kind in kinds.items():
        draws = [member[task] for member in members]
        summaries = list(modes(draws, kind.summarise).values())[-1]
        effects = list(over_partners(draws, kind.over_partners).values())
        effect = float(np.mean([each[0] for each in effects[-1].values()])) if effects else None
        tasks[task] = kind.answer(next(iter(summaries.values())), effect)
    return tasks
