"""drifa predict: answers with uncertainty for new images and volumes, for any subset of the modalities."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from drifa.errors import DrifaError
from drifa.prediction.answers import Answer, Prediction
from drifa.prediction.cases import Case, Sieve, check_case, check_cases
from drifa.prediction.masks import check_mask_files, region_figures, write_predictions
from drifa.prediction.plausible import implausible
from drifa.prediction.predictor import Predictor
from drifa.progress import Progress
from drifa.runs.places import Places
from drifa.tasks.regions import RegionsAnswer


def predict(
    folder: str | Path,
    cases: Sequence[Case],
    partners: bool = True,
    places: Places | None = None,
    strict: bool = True,
    progress: Progress | None = None,
) -> Prediction:
    """Opens a run and asks it; see :meth:`drifa.prediction.predictor.Predictor.predict`."""
    return Predictor.open(folder, places=places).predict(cases, partners, strict, progress)


def predict_volumes(
    folder: str | Path, cases: Sequence[Case], out: str | Path, strict: bool = True, progress: Progress | None = None
) -> Prediction:
    """Segments the volumes of some cases and writes a mask per case and task, on the grid of the case's own volumes.

    Args:
        folder: A segmentation run.
        cases: What to segment; a case may lack modalities.
        out: Folder for the masks.
        strict: One case that cannot be answered ends it all, and no mask stays; else it is told in ``failures``.
        progress: Called with (done, total, what) after each case.

    Raises:
        DrifaError: There is no case, a mask's file exists already, or, if strict, a modality is unknown, a volume cannot be
            read, or those of a case lie on different grids.
    """
    predictor, out = Predictor.open(folder), Path(out)
    run = predictor.run
    if not predictor.regions:
        raise DrifaError(
            f"{run.folder} answers about subjects, not about the voxels of volumes; leave --out away and name a file with "
            f"--json or --csv"
        )
    check_cases(cases, run.info.modalities, predictor.encoders, strict)
    for path in check_mask_files(out, [case.subject for case in cases], predictor.regions):
        if path.exists():
            raise DrifaError(f"{path} exists already; choose another --out, or move it away")
    sieve, answers = Sieve(strict), []
    written: list[Path] = []
    for number, case in enumerate(cases, start=1):
        with _all_or_nothing(written), sieve.catching():
            check_case(case, run.info.modalities, predictor.encoders)
            volume, found = predictor.segment(case)
            tasks = {}
            for task, probabilities in found.items():
                regions = predictor.regions[task]
                files = write_predictions(out, case.subject, task, regions, probabilities >= 0.5, volume)
                written += files if strict else []
                figures = region_figures(probabilities, regions, volume.spacing)
                tasks[task] = RegionsAnswer(tuple(map(str, files)), figures)
            used = {name: str(path) for name, path in case.images.items()}
            answers.append(Answer(case.subject, used, None, tasks, warnings=implausible(case, predictor.encoders)))
        if progress:
            progress(number, len(cases), "segmenting volumes")
    return Prediction(str(run.folder), predictor.mode, "", tuple(answers), tuple(sieve.failures))


@contextmanager
def _all_or_nothing(written: Sequence[Path]) -> Iterator[None]:
    """Removes what was written before when a case fails."""
    try:
        yield
    except DrifaError:
        for path in written:
            path.unlink(missing_ok=True)
        raise
