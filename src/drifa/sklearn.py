"""A run as an estimator of scikit-learn: `fit` trains one, `predict_proba` asks it."""

from __future__ import annotations

import copy
import os
import shutil
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from PIL import Image
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from drifa.config import make_config
from drifa.config.reading import read_plain
from drifa.data.reading.images import SUFFIXES, VOLUME_SUFFIXES
from drifa.data.study.schema import Modality, Task
from drifa.data.study.study import COLUMNS, Study
from drifa.data.targets import ClassTarget
from drifa.errors import DrifaError, short, suggest
from drifa.files import plain_modes
from drifa.names import ids_of, is_missing
from drifa.prediction.given import Held, picture
from drifa.prediction.predictor import Predictor, load
from drifa.training.train import train

Values = Sequence[Any] | np.ndarray | pd.Series
#: The name of the task where X is a table, and of the modality that its further columns make.
TASK, TABULAR = "label", "table"
#: Train, validation (which ends a training and chooses its best epoch) and test, which scikit-learn keeps outside.
FRACTIONS = [0.85, 0.15, 0.0]


class DrifaClassifier(ClassifierMixin, BaseEstimator):
    """Trains a run on a table with one column per modality, and answers as a classifier of scikit-learn.

    A column of paths, PIL images, arrays or tensors (see :meth:`drifa.Predictor.__call__`) is a modality of its name; the other
    columns, of numbers and words, make one tabular modality, ``table``. An empty cell is a missing one. Everything that a fit
    writes lies in ``run_folder_``, on which every verb of `drifa` works.

    Args:
        config: Settings as in a configuration file, such as ``{"train": {"epochs": 20}}``, or the path of one; its study is not
            looked at. Without ``data.fractions``, 15 % of the subjects validate and none is kept for a test.
        folder: Where each fit makes a folder of its own, which stays; None for a private one that goes with the estimator.
        channels: 1 (grey) or 3 (RGB), or modality -> one of them. Of a study folder its own are taken.
        task: The task of a study folder that is learned; it may be left out where there is one only.

    Attributes:
        classes_: The labels, sorted. ``[C]``
        feature_names_in_: The columns of X. ``[F]``
        run_folder_: The run of the last fit.

    Examples:
        >>> from drifa.data import make_phantom
        >>> from drifa.sklearn import DrifaClassifier, study_table
        >>> _ = make_phantom("phantom", subjects=40, image_size=32, paired=True)
        >>> X, y, groups = study_table("phantom", "surface")
        >>> sorted(X.columns), len(X) == len(y) == len(groups)
        (['photo', 'ultrasound'], True)
        >>> classifier = DrifaClassifier({"data": {"image_size": 32}, "train": {"members": 1}}, channels={"ultrasound": 1})
    """

    def __init__(
        self,
        config: Mapping[str, Any] | str | Path | None = None,
        folder: str | Path | None = None,
        channels: int | Mapping[str, int] = 3,
        task: str = "",
    ) -> None:
        self.config = config
        self.folder = folder
        self.channels = channels
        self.task = task

    def fit(self, X: pd.DataFrame | str | Path, y: Values | None = None, groups: Values | None = None) -> Self:
        """Writes a study and trains a run on it.

        Args:
            X: A table, or a study folder, which has labels and groups of its own.
            y: A label for each row. ``[N]``
            groups: What the validation split must not cut, such as the patient of each row; None where each is its own. ``[N]``

        Raises:
            DrifaError: The table, the labels or the configuration cannot be learned from.
        """
        channels = self.channels
        if isinstance(X, str | Path):
            if y is not None or groups is not None:
                raise DrifaError(f"the study {X} has its own labels and groups; leave y and groups out, or give a table as X")
            channels = {name: one.channels for name, one in Study.load(X).modalities.items()}
            X, y, groups = study_table(X, self.task)
        images, further = _columns_of(X)
        codes, names = self._read_labels(X, y, groups)
        parent = self._new_folder()
        study = _study_of(X, images, further, [names[code] for code in codes], names, groups, channels, parent / "images")
        study.save(parent / "study")
        config = make_config(self._settings(parent / "study", further), "config of DrifaClassifier")
        run = train(config, parent / "run", quiet=True)
        self.run_folder_ = str(run.folder)
        self.feature_names_in_ = np.array(X.columns, dtype=object)
        self.n_features_in_ = len(X.columns)
        self._names = names
        self._predictor: Predictor | None = None
        return self

    def predict_proba(self, X: pd.DataFrame | str | Path) -> np.ndarray:
        """The probability of each class. ``[N, C]``, in the order of ``classes_``

        Args:
            X: A table with the columns of the fit, or a study folder.

        Raises:
            DrifaError: A column is missing or unknown, a row is empty, or a cell cannot be read.
        """
        check_is_fitted(self, "run_folder_")
        X = self._table(X)
        known = list(self.feature_names_in_)
        for column in X.columns:
            if column not in known:
                raise DrifaError(f"X has a column {column!r} that the fit did not see{suggest(str(column), known)}")
        for column in known:
            if column not in X.columns:
                raise DrifaError(f"X lacks the column {column!r} of the fit; add it, with None in each cell if it is not known")
        if getattr(self, "_predictor", None) is None:
            self._predictor = load(self.run_folder_)
        assert self._predictor is not None
        cells = {column: [None if _is_absent(cell) else cell for cell in X[column].tolist()] for column in known}
        rows = ({column: cells[column][row] for column in known} for row in range(len(X)))
        found = np.empty((len(X), len(self._names)))
        for row, answer in enumerate(self._predictor.predict_many(rows)):
            probabilities: Any = next(iter(answer.tasks.values()))
            found[row] = [probabilities.probabilities[name] for name in self._names]
        return found

    def predict(self, X: pd.DataFrame | str | Path) -> np.ndarray:
        """The most probable label of each row, as y had it. ``[N]``"""
        best = self.predict_proba(X).argmax(axis=1)
        return np.asarray(self.classes_[best])

    def score(
        self, X: pd.DataFrame | str | Path, y: Values | None = None, sample_weight: Sequence[float] | None = None
    ) -> float:
        """Accuracy; a study folder brings its own labels."""
        if isinstance(X, str | Path) and y is None:
            X, y, _ = study_table(X, self.task)
        return float(super().score(X, y, sample_weight))

    def __getstate__(self) -> dict[str, Any]:
        """Networks stay on the disk: a copy opens the run again."""
        return dict(super().__getstate__()) | {"_predictor": None}

    def _table(self, X: pd.DataFrame | str | Path) -> pd.DataFrame:
        if isinstance(X, str | Path):
            return study_table(X, self.task)[0]
        return _checked(X)

    def _read_labels(self, X: pd.DataFrame, y: Any, groups: Any) -> tuple[np.ndarray, list[str]]:
        """The class of each row as a number, and the classes' names in the study."""
        if y is None:
            raise DrifaError("y is missing; give one label for each row of X")
        for name, values in (("y", y), ("groups", groups)):
            if values is None:
                continue
            if len(values) != len(X):
                raise DrifaError(f"{name} has {len(values)} values for the {len(X)} rows of X; give one for each")
            absent = [row for row, value in enumerate(values) if _is_absent(value)]
            if absent:
                raise DrifaError(f"{name} is empty in row {absent[0]} (counted from 0); leave the row out, or fill it")
        self.classes_, codes = np.unique(np.asarray(y), return_inverse=True)
        if len(self.classes_) < 2:
            raise DrifaError(f"y has the class {self.classes_[0]!r} only; nothing can be learned from one class")
        names = ids_of([str(label) for label in self.classes_])
        # A study joins labels that look alike, and reads some words as a missing one; y means each as it is.
        if len(set(names)) < len(names) or any(map(is_missing, names)):
            names = [f"class_{number}" for number in range(len(names))]
        return codes, names

    def _new_folder(self) -> Path:
        if self.folder is not None:
            Path(self.folder).mkdir(parents=True, exist_ok=True)
            fit = Path(tempfile.mkdtemp(prefix="fit-", dir=self.folder))
            plain_modes(fit)
            return fit
        made = tempfile.mkdtemp(prefix="drifa-")
        weakref.finalize(self, shutil.rmtree, made, ignore_errors=True)
        return Path(made)

    def _settings(self, study: Path, further: Sequence[str]) -> dict[str, Any]:
        if isinstance(self.config, str | Path):
            raw = read_plain(self.config)
        elif self.config is None or isinstance(self.config, Mapping):
            raw = copy.deepcopy(dict(self.config or {}))
        else:
            raise DrifaError(
                f"config={short(self.config)} is no mapping and no path; give such as {{'train': {{'epochs': 20}}}}"
            )
        data = dict(raw.get("data") or {})
        data["study"] = str(study)
        data.setdefault("fractions", FRACTIONS)
        if further:
            data.setdefault("tabular", {TABULAR: list(further)})
        return raw | {"data": data}


def study_table(folder: str | Path, task: str = "") -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """A study as X, y and groups: the rows are its subjects whose label is known.

    Args:
        folder: A study folder.
        task: The task that y holds; may be left out where there is one only.

    Returns:
        ``(X, y, groups)``: paths by modality that any of them has, None for a missing image ``[N, m]``; labels ``[N]``; groups
        ``[N]``.

    Raises:
        DrifaError: No study, no such task, or one that has no classes.
    """
    study = Study.load(folder)
    usable = [name for name, one in study.tasks.items() if isinstance(one.target, ClassTarget)]
    if not task and len(usable) == 1:
        task = usable[0]
    if task not in usable:
        if not usable:
            raise DrifaError(f"the study {folder} has no task with classes, and others are not learned here; use `drifa train`")
        if task:
            raise DrifaError(f"task={task!r} is no task with classes of the study {folder}{suggest(task, usable)}")
        listed = ", ".join(usable)
        raise DrifaError(f"the study {folder} has the tasks {listed}; say which with the parameter task, as task={usable[0]!r}")
    subjects = study.subjects()
    known = np.flatnonzero(subjects.known_of(task))
    table = {
        name: [str(study.image_path(row)) if row >= 0 else None for row in subjects.image[known, column]]
        for column, name in enumerate(subjects.modalities)
        if subjects.present[known, column].any()
    }
    y = np.array(study.tasks[task].classes)[subjects.targets[task][known]]
    return pd.DataFrame(table), y, subjects.group[known].astype(str)


def _checked(X: Any) -> pd.DataFrame:
    if not isinstance(X, pd.DataFrame):
        raise DrifaError(f"X is a {type(X).__name__}; give a pandas DataFrame with one column per modality, or a study folder")
    if not len(X):
        raise DrifaError("X has no row; give one for each case")
    return X


def _columns_of(X: Any) -> tuple[list[str], list[str]]:
    """The columns of images, and the others."""
    columns = list(_checked(X).columns)
    for column in columns:
        if not isinstance(column, str) or column in (*COLUMNS, TASK) or columns.count(column) > 1:
            raise DrifaError(
                f"X has a column {column!r}, which is no text, comes twice or is a name that a study needs; rename it"
            )
    images = [column for column in columns if _is_image(next((c for c in X[column].tolist() if not _is_absent(c)), None))]
    if not images:
        raise DrifaError(f"no column of X holds images: {', '.join(columns)}; give one of paths, PIL images or arrays")
    return images, [column for column in columns if column not in images]


def _is_image(cell: Any) -> bool:
    if isinstance(cell, str):
        return cell.lower().endswith((*SUFFIXES, *VOLUME_SUFFIXES))
    return isinstance(cell, Path | Image.Image) or (cell is not None and not pd.api.types.is_scalar(cell))


def _is_absent(cell: Any) -> bool:
    return (
        cell is None or (pd.api.types.is_scalar(cell) and bool(pd.isna(cell))) or (isinstance(cell, str) and not cell.strip())
    )


def _study_of(
    X: pd.DataFrame,
    images: Sequence[str],
    further: Sequence[str],
    labels: Sequence[str],
    classes: Sequence[str],
    groups: Values | None,
    channels: int | Mapping[str, int],
    held: Path,
) -> Study:
    """The table as a study; what is in memory is written below ``held``."""
    of = {name: channels if isinstance(channels, int) else channels.get(name, 3) for name in images}
    values = {column: ["" if _is_absent(cell) else str(cell) for cell in X[column].tolist()] for column in further}
    rows = []
    for name in images:
        for number, cell in enumerate(X[name].tolist()):
            if _is_absent(cell):
                continue
            one = picture(cell)
            if isinstance(one, Held):
                path = held / name / f"{number}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                try:
                    Image.fromarray(one.pixels(of[name]).squeeze()).save(path)
                except DrifaError as error:
                    raise DrifaError(f"row {number} of X (counted from 0), {name!r}: {error}") from None
            else:
                path = one
            told = {
                "subject": f"{number:06d}",
                "modality": name,
                "path": os.path.abspath(path),
                "split": "",
                TASK: labels[number],
            }
            told["group"] = told["subject"] if groups is None else str(groups[number])
            rows.append(told | {column: values[column][number] for column in further})
    without = sorted(set(range(len(X))) - {int(row["subject"]) for row in rows})
    if without:
        raise DrifaError(f"row {without[0]} of X (counted from 0) has no image; leave it out of the fit")
    table = pd.DataFrame(rows)
    root = os.path.commonpath([os.path.dirname(path) for path in table["path"]])
    table["path"] = [Path(path).relative_to(root).as_posix() for path in table["path"]]
    return Study(
        name="X",
        root=Path(root),
        table=table,
        modalities={name: Modality(name, of[name]) for name in images},
        tasks={TASK: Task(TASK, ClassTarget(tuple(classes)), tuple(images))},
        place="X",
    )
