"""drifa predict: answers with uncertainty for new images and volumes, for any subset of the modalities."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from drifa.errors import DrifaError
from drifa.prediction.answers import Prediction
from drifa.prediction.cases import Case
from drifa.prediction.predictor import Predictor
from drifa.prediction.volumes import answer_volumes
from drifa.progress import Progress
from drifa.runs.places import Places


def predict(
    folder: str | Path,
    cases: Sequence[Case],
    partners: bool = True,
    places: Places | None = None,
    strict: bool = True,
    progress: Progress | None = None,
) -> Prediction:
    """Opens a run that answers about subjects and asks it; see :meth:`drifa.prediction.predictor.Predictor.predict`.

    Raises:
        DrifaError: As there, or the run segments volumes.
    """
    predictor = Predictor.open(folder, places=places)
    if predictor.regions:
        raise DrifaError(f"{predictor.run.folder} segments volumes; name a folder for the masks with --out FOLDER")
    return predictor.predict(cases, partners, strict, progress)


def predict_volumes(
    folder: str | Path,
    cases: Sequence[Case],
    out: str | Path,
    strict: bool = True,
    progress: Progress | None = None,
    places: Places | None = None,
) -> Prediction:
    """Segments the volumes of some cases and writes a mask per case and task, on the grid of the case's own volumes.

    Args:
        folder: A segmentation run.
        cases: What to segment; a case may lack modalities.
        out: Folder for the masks.
        strict: One case that cannot be answered ends it all, and no mask stays; else it is told in ``failures``.
        progress: Called with (done, total, what) after each case.
        places: Where the run's study and cache are, if not where it says.

    Raises:
        DrifaError: There is no case, a mask's file exists already, or, if strict, a modality is unknown, a volume cannot be
            read, or those of a case lie on different grids.
    """
    predictor = Predictor.open(folder, places=places)
    if not predictor.regions:
        raise DrifaError(
            f"{predictor.run.folder} answers about subjects, not about the voxels of volumes; leave --out away and "
            f"name a file with --json or --csv"
        )
    return answer_volumes(predictor, cases, Path(out), strict, progress)
