"""Another study beside the run's own: matched by name, its images read from its own cache."""

from __future__ import annotations

import numpy as np

from drifa.data import Study, Subjects
from drifa.data.sampling.image_batches import ImageSource
from drifa.errors import DrifaError
from drifa.prediction.sources import TwoSources
from drifa.progress import Progress
from drifa.runs.run import Run


def external_subjects(run: Run, own: Study, other: Study, progress: Progress | None = None) -> tuple[Subjects, ImageSource]:
    """The run's subjects followed by those of another study, in the run's modalities, tasks and classes.

    Raises:
        DrifaError: If the other study has no task in common, a class that the run does not know, or another kind of image
            under the same modality name.
    """
    _check_match(own, other)
    mine, theirs = own.subjects(), other.subjects()
    count = len(theirs.ids)
    image = np.full((count, len(mine.modalities)), -1, dtype=np.int64)
    for i, name in enumerate(mine.modalities):
        if name in theirs.modalities:
            column = theirs.image[:, theirs.modalities.index(name)]
            image[:, i] = np.where(column >= 0, column + len(own.table), -1)
    known = np.zeros((count, len(mine.tasks)), dtype=bool)
    targets = {}
    for i, name in enumerate(mine.tasks):
        targets[name] = np.zeros(count, dtype=mine.targets[name].dtype)
        if name in theirs.tasks:
            known[:, i] = theirs.known_of(name)
            here, target = known[:, i], other.tasks[name].target
            values = own.tasks[name].target.translated(target, theirs.targets[name][here], name, other.name)
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
    shared = [name for name in other.modalities if name in own.modalities]
    source = TwoSources(run.cache(own, progress), run.cache(other, progress), len(own.table), set(shared))
    return subjects, source


def _check_match(own: Study, other: Study) -> None:
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
        if other.modalities[name].channels != own.modalities[name].channels:
            raise DrifaError(
                f"modality {name!r} has {other.modalities[name].channels} channels in study {other.name!r} and "
                f"{own.modalities[name].channels} in the run"
            )
