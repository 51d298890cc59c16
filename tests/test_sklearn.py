"""The estimator: it keeps the contract of scikit-learn, and what it is given reaches the run."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GroupKFold, cross_val_score

from drifa.data import Study, make_phantom
from drifa.errors import DrifaError
from drifa.runs.run import Run
from drifa.sklearn import DrifaClassifier, study_table
from tests.studies import TINY_NET

CONFIG: dict[str, Any] = {
    "data": {"image_size": 32, "shift": 1},
    "model": {"backbone_args": TINY_NET},
    "train": {"epochs": 1, "members": 1, "batch_size": 8, "threads": 1, "accelerator": "cpu"},
    "evaluate": {"passes": 2},
}
CHANNELS = {"photo": 3, "ultrasound": 1}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("phantom") / "study"
    make_phantom(folder, subjects=40, image_size=32, paired=True)
    return folder


@pytest.fixture(scope="module")
def table(folder: Path) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Paths in one column, pictures in memory in the other, an age that some lack, labels that are no texts."""
    X, y, groups = study_table(folder, "surface")
    X["ultrasound"] = [np.asarray(Image.open(path)) for path in X["ultrasound"]]
    X["age"] = [None if row % 7 == 0 else 30 + row for row in range(len(X))]
    return X, np.unique(y, return_inverse=True)[1] + 5, groups


@pytest.fixture(scope="module")
def fitted(table: tuple[pd.DataFrame, np.ndarray, np.ndarray]) -> DrifaClassifier:
    X, y, groups = table
    return DrifaClassifier(CONFIG, channels=CHANNELS).fit(X, y, groups)


def test_probabilities_are_those_of_the_labels_and_do_not_depend_on_the_order_of_rows(fitted, table):
    X, y, _ = table
    found = fitted.predict_proba(X)
    assert found.shape == (len(X), len(set(y)))
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)
    assert fitted.classes_.tolist() == sorted(set(y))
    np.testing.assert_array_equal(fitted.predict(X), fitted.classes_[found.argmax(axis=1)])
    assert fitted.score(X, y) == (fitted.predict(X) == y).mean()
    np.testing.assert_allclose(fitted.predict_proba(X.iloc[::-1])[::-1], found, atol=1e-5)


def test_every_row_trains_or_validates_and_no_group_is_cut(fitted, table):
    X, _, groups = table
    subjects = Run.open(fitted.run_folder_).study().subjects()
    assert len(subjects) == len(X)
    assert set(subjects.split) == {"train", "val"}
    assert all(len(set(subjects.split[subjects.group == group])) == 1 for group in set(groups))
    assert list(Run.open(fitted.run_folder_).info.modalities) == ["photo", "ultrasound", "table"]


def test_missing_cells_are_answered_without(fitted, table):
    X = table[0].head(2).assign(photo=None)
    assert np.isfinite(fitted.predict_proba(X)).all()


def test_a_copy_answers_alike_and_a_clone_is_not_fitted(fitted, table):
    X = table[0].head(3)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(fitted)).predict_proba(X), fitted.predict_proba(X))
    twin = clone(fitted)
    assert twin.get_params() == fitted.get_params()
    with pytest.raises(NotFittedError):
        twin.predict(X)


def test_the_private_folder_goes_with_the_estimator(folder):
    classifier = DrifaClassifier(CONFIG, task="surface").fit(folder)
    run = Path(classifier.run_folder_)
    assert classifier.score(folder) == classifier.score(*study_table(folder, "surface")[:2])
    assert Study.load(run.parent / "study").modalities["ultrasound"].channels == 1
    del classifier
    assert not run.parent.exists()


@pytest.mark.slow
def test_it_is_cross_validated_by_group_and_keeps_the_folders_that_are_asked_for(table, tmp_path):
    X, y, groups = table
    scores = cross_val_score(DrifaClassifier(CONFIG, tmp_path, CHANNELS), X, y, groups=groups, cv=GroupKFold(2))
    assert np.isfinite(scores).all()
    assert len(list(tmp_path.glob("fit-*/run/model.json"))) == 2
    (tmp_path / "new").mkdir()
    assert {fit.stat().st_mode for fit in tmp_path.glob("fit-*")} == {(tmp_path / "new").stat().st_mode}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X, y: (X, None), "y is missing"),
        (lambda X, y: (X, y[:-1]), "39 values for the 40 rows"),
        (lambda X, y: (X, np.zeros(len(y))), "one class"),
        (lambda X, y: (X[["age"]], y), "no column of X holds images"),
        (lambda X, y: (X.rename(columns={"age": "group"}), y), "'group'.*rename it"),
        (lambda X, y: (X.assign(photo=None, ultrasound=None, other=["x.png"] * 39 + [None]), y), "row 39 of X.*no image"),
        (lambda X, y: (X.to_numpy(), y), "X is a ndarray"),
        (lambda X, y: (X.assign(ultrasound=[np.zeros((4, 4), dtype=np.int64)] * 40), y), "row 0 of X.*no natural white"),
    ],
)
def test_what_cannot_be_learned_from_is_refused_in_a_sentence(table, tmp_path, change, message):
    X, y, _ = table
    with pytest.raises(DrifaError, match=message):
        DrifaClassifier(CONFIG, tmp_path).fit(*change(X, y))


def test_columns_must_be_those_of_the_fit(fitted, table):
    with pytest.raises(DrifaError, match="did you mean 'photo'"):
        fitted.predict(table[0].rename(columns={"photo": "phot"}))
    with pytest.raises(DrifaError, match="lacks the column 'age'"):
        fitted.predict(table[0].drop(columns="age"))


def test_a_study_needs_the_name_of_its_task(folder):
    for ask in (study_table, DrifaClassifier().fit):
        with pytest.raises(DrifaError, match=r"has the tasks surface, .* with the parameter task, as task='surface'"):
            ask(folder)
    with pytest.raises(DrifaError, match="did you mean 'surface'"):
        study_table(folder, "surfac")
