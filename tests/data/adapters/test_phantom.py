"""The phantom is what it claims: repeatable, balanced, and blind to `spread` from either side alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from drifa.data.adapters.phantom import make_phantom
from drifa.data.reading.images import read_image
from drifa.data.study.study import Study
from drifa.errors import DrifaError
from tests.studies import class_indices


def _bytes(study: Study) -> list[bytes]:
    return [study.image_path(row).read_bytes() for row in range(len(study.table))]


def test_the_seed_decides_every_byte(tmp_path: Path) -> None:
    one, same, other = (make_phantom(tmp_path / name, 20, 32, seed) for name, seed in (("a", 0), ("b", 0), ("c", 1)))
    assert one.table.equals(same.table)
    assert _bytes(one) == _bytes(same)
    assert _bytes(one) != _bytes(other)
    assert len(set(_bytes(one))) == 40


def test_the_written_study_is_the_returned_one(phantom: Study) -> None:
    loaded = Study.load(phantom.root)
    loaded.check_files()
    assert loaded.table.astype(str).equals(phantom.table.astype(str))
    assert read_image(loaded.image_path(0), 3).shape == (32, 32, 3)


def test_labels_are_balanced_and_markers_are_fair_and_independent(phantom: Study) -> None:
    subjects = phantom.subjects()
    for column, classes in enumerate((3, 3, 4)):
        counts = np.bincount(class_indices(subjects)[:, column], minlength=classes)
        assert counts.max() - counts.min() <= 1
    # One marker says nothing of the other: the best guess of `spread` from one side is right in half of the cases.
    surface_marker, deep_marker = class_indices(subjects)[:, 2] % 2, class_indices(subjects)[:, 2] // 2
    table = np.zeros((2, 2))
    np.add.at(table, (surface_marker, deep_marker), 1)
    assert table.max(axis=0).sum() / table.sum() == table.max(axis=1).sum() / table.sum() == 0.5


@pytest.mark.parametrize("column", [0, 1])
def test_markers_are_independent_of_the_other_labels(tmp_path: Path, column: int) -> None:
    subjects = make_phantom(tmp_path, 400, 32).subjects()
    table = np.zeros((3, 4))
    np.add.at(table, (class_indices(subjects)[:, column], class_indices(subjects)[:, 2]), 1)
    expected = table.sum(1, keepdims=True) * table.sum(0, keepdims=True) / table.sum()
    assert ((table - expected) ** 2 / expected).sum() < 22.5  # 0.1 % point of chi-square with 6 degrees of freedom


def test_mean_colour_does_not_give_the_markers_away(tmp_path: Path) -> None:
    study = make_phantom(tmp_path, 200, 32)
    subjects = study.subjects()
    for column, marker in enumerate((class_indices(subjects)[:, 2] % 2, class_indices(subjects)[:, 2] // 2)):
        channels = study.modalities[subjects.modalities[column]].channels
        images = [read_image(study.image_path(row), channels) for row in subjects.image[:, column]]
        for statistic in (np.mean, np.std):
            value = np.array([statistic(image) for image in images])
            order = marker[np.argsort(value)]
            right = np.abs(np.cumsum(2 * order - 1)).max() / len(order)  # advantage of the best threshold over a coin
            assert 0.5 + right < 0.7


def test_about_three_in_ten_patients_have_two_subjects(tmp_path: Path) -> None:
    subjects = make_phantom(tmp_path, 400, 32).subjects()
    sizes = np.unique(subjects.group, return_counts=True)[1]
    assert set(sizes) == {1, 2}
    assert 1.2 < len(subjects) / len(sizes) < 1.4


def test_unpaired_subjects_have_one_modality_and_patients_stay_on_one_side(unpaired: Study) -> None:
    subjects = unpaired.subjects()
    assert subjects.tasks == ("surface", "depth")
    assert (subjects.present.sum(axis=1) == 1).all()
    assert not set(subjects.group[subjects.present[:, 0]]) & set(subjects.group[subjects.present[:, 1]])
    assert ((class_indices(subjects) >= 0) == subjects.present).all()


def test_masks_lie_beside_the_images_and_change_none(tmp_path: Path) -> None:
    bare, study = make_phantom(tmp_path / "a", 40, 32), make_phantom(tmp_path / "b", 40, 32, masks=True)
    assert _bytes(bare) == _bytes(study)
    assert bare.table.equals(study.table)
    assert not (tmp_path / "a" / "masks").exists()
    for row, path in enumerate(study.table["path"]):
        mask = np.asarray(Image.open(tmp_path / "b" / path.replace("images/", "masks/", 1)))
        assert mask.shape == (32, 32)
        assert (mask == 1).any()
        marks = ("surface_only", "both") if study.table["modality"][row] == "photo" else ("deep_only", "both")
        assert (mask == 2).any() == (study.table["spread"][row] in marks)


def test_too_small_a_phantom_is_refused(tmp_path: Path) -> None:
    for subjects, size in ((11, 64), (600, 31)):
        with pytest.raises(DrifaError, match="is too small; use at least 12 subjects and 32 px"):
            make_phantom(tmp_path, subjects, size)
