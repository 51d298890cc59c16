"""What the images of a run look like: learned on training, laid on validation, judged on test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from drifa.data import Subjects
from drifa.errors import DrifaError
from drifa.metrics.intervals import mean_interval
from drifa.prediction.predictor import Predictor
from drifa.prediction.strangers import Looks, look
from drifa.progress import Progress
from drifa.tasks import Classes
from drifa.uncertainty.outliers import OutlierCheck, OutlierScores

#: Training images that a check learns from, drawn where there are more: means and a shrunk covariance need no more.
MOST_IMAGES = 2000

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Viewer:
    """Looks at the images of a study through the first member of a run.

    Attributes:
        predictor: Of the run.
        subjects: Of its study.
        pixels: Their images.
        shown: What the network reads of them, maybe maps of a frozen encoder.
        progress: Called with (done, total, what).
    """

    predictor: Predictor
    subjects: Subjects
    pixels: Any
    shown: Any
    progress: Progress | None

    @classmethod
    def open(cls, predictor: Predictor, progress: Progress | None = None) -> Viewer:
        """Raises DrifaError where the study is not there."""
        run = predictor.run
        study = run.study()
        shown = run.cache(study, progress, predictor.nets[:1])
        return cls(predictor, study.subjects(), run.cache(study, progress), shown, progress)

    def who(self, split: str, modality: str) -> Indices:
        """Subjects of a split with an image of a modality."""
        rows = self.subjects.in_split(split)
        return rows[self.subjects.present[rows, self.subjects.modalities.index(modality)]]

    def looks(self, who: Indices, modality: str) -> Looks:
        """What a check sees of the images of some subjects, at least one."""
        image = self.subjects.image[who, self.subjects.modalities.index(modality)]
        size, parts = self.predictor.run.config.evaluate.batch_size, []
        for start in range(0, len(image), size):
            rows = image[start : start + size]
            shown = self.shown.read(modality, rows)
            maps = None if isinstance(shown, Tensor) else shown
            parts.append(look(self.predictor.nets[0], modality, self.pixels.read(modality, rows), maps))
            if self.progress:
                self.progress(start + len(rows), len(image), f"looking at {modality}")
        features, statistics = zip(*parts, strict=True)
        depths = tuple(np.concatenate(tables) for tables in zip(*features, strict=True))
        return Looks(depths, None if statistics[0] is None else np.concatenate(statistics))

    def labels(self, who: Indices, modality: str) -> NDArray[Any]:
        """Their classes in the first task of classes that the modality can answer; all alike without one."""
        run, subjects = self.predictor.run, self.subjects
        for task, kind in self.predictor.kinds.items():
            if isinstance(kind, Classes) and modality in run.info.task_modalities[task]:
                return np.where(subjects.known_of(task)[who], subjects.targets[task][who], -1)
        return np.zeros(len(who), dtype=np.int64)


def learn_strangers(
    predictor: Predictor, rate: float = 0.05, progress: Progress | None = None, split: str = "val"
) -> tuple[dict[str, OutlierCheck], dict[str, Any], list[str]]:
    """A check for each modality of images, by the features of the first member when the modality comes alone.

    Args:
        predictor: Of the run.
        rate: Share of false alarms that is accepted.
        progress: Called with (done, total, what).
        split: The part that holds the rate.

    Returns:
        Modality -> its check; modality -> ``rate`` and ``false_alarms``, the share of images of the test split that are called
        strangers, as a mean over groups with its interval; and why a modality has no check.
    """
    viewer = Viewer.open(predictor, progress)
    checks: dict[str, OutlierCheck] = {}
    found: dict[str, Any] = {}
    notes: list[str] = []
    for name in viewer.subjects.modalities:
        if name in predictor.encoders:
            continue
        try:
            checks[name] = _learn(viewer, name, rate, split)
        except DrifaError as error:
            notes.append(f"{name}: no check for strangers: {error}")
        else:
            found[name] = {"rate": rate, **_judge(viewer, name, checks[name])}
    return checks, found, notes


def _learn(viewer: Viewer, name: str, rate: float, split: str) -> OutlierCheck:
    seed = viewer.predictor.run.config.evaluate.seed
    train, val = viewer.who("train", name), viewer.who(split, name)
    if not len(train) or not len(val):
        raise DrifaError(f"{len(train)} training and {len(val)} validation images are too few")
    train = np.sort(np.random.default_rng(seed).permutation(train)[:MOST_IMAGES])
    seen = viewer.looks(train, name)
    scores = OutlierScores.fit(seen.features, viewer.labels(train, name), seen.statistics, seed=seed)
    return scores.calibrate(*viewer.looks(val, name), viewer.subjects.group[val], rate, seed)


def _judge(viewer: Viewer, name: str, check: OutlierCheck) -> dict[str, Any]:
    who, settings = viewer.who("test", name), viewer.predictor.run.config.evaluate
    if not len(who):
        return {}
    groups, number, images = np.unique(viewer.subjects.group[who], return_inverse=True, return_counts=True)
    share = np.bincount(number, check.strange(*viewer.looks(who, name))) / images
    return {"false_alarms": mean_interval(share, groups, settings.resamples, seed=settings.seed, rate=True)}
