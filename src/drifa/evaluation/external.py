"""Another study beside the run's own: matched by name, its images read from its own cache."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from drifa.data import Study, Subjects
from drifa.data.sampling.image_batches import ImageSource
from drifa.data.study.checks import UNUSED
from drifa.data.targets import TARGETS, Target
from drifa.errors import DrifaError
from drifa.prediction.sources import Blank, TwoSources
from drifa.progress import Progress
from drifa.runs.run import Run


def external_subjects(
    run: Run, own: Study | None, other: Study, progress: Progress | None = None, nets: Sequence[Any] = ()
) -> tuple[Subjects, ImageSource]:
    """The run's subjects followed by those of another study, in the run's modalities, tasks and classes.

    Args:
        run: The run.
        own: Its study; None where none of its subjects is asked for, see :func:`own_subjects`.
        other: The other study.
        progress: Called with (done, total, what).
        nets: The networks that will read, see :meth:`drifa.runs.run.Run.cache`.

    Raises:
        DrifaError: If the other study has no task in common, a class that the run does not know, or another kind of image
            under the same modality name.
    """
    _check_match(run, other)
    mine, theirs = own_subjects(run, own), other.subjects()
    rows = 0 if own is None else len(own.table)
    targets_of = _targets(run)
    count = len(theirs.ids)
    image = np.full((count, len(mine.modalities)), -1, dtype=np.int64)
    for i, name in enumerate(mine.modalities):
        if name in theirs.modalities:
            column = theirs.image[:, theirs.modalities.index(name)]
            image[:, i] = np.where(column >= 0, column + rows, -1)
    known = np.zeros((count, len(mine.tasks)), dtype=bool)
    targets = {}
    for i, name in enumerate(mine.tasks):
        targets[name] = np.zeros(count, dtype=mine.targets[name].dtype)
        if name in theirs.tasks:
            known[:, i] = theirs.known_of(name)
            here, target = known[:, i], other.tasks[name].target
            values = targets_of[name].translated(target, theirs.targets[name][here], name, other.name)
            targets[name][here] = values
    usable = (image >= 0).any(axis=1)
    subjects = Subjects(
        ids=np.concatenate([mine.ids, np.char.add(f"{other.name}/", theirs.ids[usable].astype(str))]),
        group=np.concatenate([mine.group, np.char.add(f"{other.name}/", theirs.group[usable].astype(str))]),
        split=np.concatenate([mine.split, theirs.split[usable]]),
        image=np.concatenate([mine.image, image[usable]]),
        targets={name: np.concatenate([mine.targets[name], values[usable]]) for name, values in targets.items()},
        known=np.concatenate([mine.known, known[usable]]),
        strata=np.concatenate([mine.strata, np.full((int(usable.sum()), len(mine.tasks)), -1)]),
        modalities=mine.modalities,
        tasks=mine.tasks,
    )
    shared = {name for name in other.modalities if name in run.info.modalities}
    widths = {name: encoder.width for name, encoder in run.encoders.items()}
    first = Blank(run.info.modalities, widths, run.info.image_size) if own is None else run.cache(own, progress, nets)
    return subjects, TwoSources(first, run.cache(other, progress, nets), rows, shared)


def own_subjects(run: Run, own: Study | None) -> Subjects:
    """The subjects of the run's study, or, without it, one nameless subject with every modality and no answer.

    It shows what the run knows anyway: that its modalities belong to one subject. Nobody asks for its images.
    """
    if own is not None:
        return own.subjects()
    modalities, targets = tuple(run.info.modalities), _targets(run)
    nobody = np.array([""])
    return Subjects(
        ids=nobody,
        group=nobody,
        split=np.array([UNUSED]),
        image=np.zeros((1, len(modalities)), dtype=np.int64),
        targets={name: target.read(np.array([""], dtype=object)) for name, target in targets.items()},
        known=np.zeros((1, len(targets)), dtype=bool),
        strata=np.full((1, len(targets)), -1),
        modalities=modalities,
        tasks=tuple(targets),
    )


def _targets(run: Run) -> dict[str, Target]:
    """What the tasks of a run hold, as it tells itself."""
    found = {}
    for name, told in run.info.tasks.items():
        target = TARGETS[told["kind"]]
        found[name] = target.parse({key: told[key] for key in target.keys if key in told}, f"task {name!r} of the run")
    return found


def _check_match(run: Run, other: Study) -> None:
    own = run.info
    tasks = [name for name in other.tasks if name in own.tasks]
    if not tasks:
        theirs = ", ".join(other.tasks) or "none"
        raise DrifaError(f"study {other.name!r} has the tasks {theirs}; the run was trained for {', '.join(own.tasks)}")
    shared = [name for name in other.modalities if name in own.modalities]
    if not shared:
        raise DrifaError(
            f"study {other.name!r} has the modalities {', '.join(other.modalities)}; the run knows {', '.join(own.modalities)}"
        )
    for name in shared:
        if other.modalities[name].channels != own.modalities[name]:
            raise DrifaError(
                f"modality {name!r} has {other.modalities[name].channels} channels in study {other.name!r} and "
                f"{own.modalities[name]} in the run"
            )
