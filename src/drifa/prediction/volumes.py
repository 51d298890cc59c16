"""Volumes answered: the figures of their regions, with masks in memory or in files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import nibabel

from drifa.data.reading.volumes import mask_image
from drifa.errors import DrifaError
from drifa.prediction.answers import Answer, Prediction
from drifa.prediction.cases import Case, Sieve, check_case, check_cases, given
from drifa.prediction.masks import check_mask_files, region_figures, write_predictions
from drifa.prediction.plausible import implausible
from drifa.prediction.segmenting import Segmentation
from drifa.progress import Progress
from drifa.tasks.regions import RegionsAnswer

if TYPE_CHECKING:
    from drifa.prediction.predictor import Predictor


def answer_volumes(
    predictor: Predictor,
    cases: Sequence[Case],
    out: Path | None = None,
    strict: bool = True,
    progress: Progress | None = None,
) -> Prediction:
    """Segments the volumes of some cases.

    Args:
        predictor: Whom to ask.
        cases: What to segment; a case may lack modalities.
        out: Folder for the masks, one per case and task; None keeps them in the answers.
        strict: One case that cannot be answered ends it all, and no mask stays; else it is told in ``failures``.
        progress: Called with (done, total, what) after each case.

    Raises:
        DrifaError: There is no case, a mask's file exists already, or, if strict, a modality is unknown, a volume cannot be
            read, or those of a case lie on different grids.
    """
    run = predictor.run
    check_cases(cases, run.info.modalities, predictor.encoders, strict)
    for path in check_mask_files(out, [case.subject for case in cases], predictor.regions) if out is not None else ():
        if path.exists():
            raise DrifaError(f"{path} exists already; choose another --out, or move it away")
    sieve, answers = Sieve(strict), []
    written: list[Path] = []
    for number, case in enumerate(cases, start=1):
        with _all_or_nothing(written), sieve.catching():
            check_case(case, run.info.modalities, predictor.encoders)
            found = predictor.segment(case)
            tasks = {}
            for task, regions in predictor.regions.items():
                files, masks = _kept(case, task, found, regions, out)
                written += files if strict else []
                figures = region_figures(found.probabilities[task], regions, found.volume.spacing, found.drawn[task])
                tasks[task] = RegionsAnswer(tuple(map(str, files)), figures, masks)
            used = {name: str(path) for name, path in case.images.items()}
            has = given(case, predictor.encoders)
            missing = tuple(name for name in run.info.modalities if name not in has)
            answers.append(Answer(case.subject, used, None, tasks, missing, implausible(case, predictor.encoders)))
        if progress:
            progress(number, len(cases), "segmenting volumes")
    return Prediction(str(run.folder), predictor.mode, "", tuple(answers), tuple(sieve.failures))


def _kept(
    case: Case, task: str, found: Segmentation, regions: Mapping[str, Sequence[int]], out: Path | None
) -> tuple[list[Path], dict[str, nibabel.nifti1.Nifti1Image]]:
    """Mask files, or masks by region."""
    predicted = found.probabilities[task] >= 0.5
    if out is not None:
        return write_predictions(out, case.subject, task, regions, predicted, found.volume), {}
    return [], {name: mask_image(predicted[..., k], found.volume) for k, name in enumerate(regions)}


@contextmanager
def _all_or_nothing(written: Sequence[Path]) -> Iterator[None]:
    """Removes what was written before when a case fails."""
    try:
        yield
    except DrifaError:
        for path in written:
            path.unlink(missing_ok=True)
        raise
