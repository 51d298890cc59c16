"""Masks beside their images become a task of regions, by what their names have behind the image's."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest

from drifa.data.adapters.prepare import prepare_folders, prepare_table
from drifa.errors import DrifaError
from drifa.init import init

MAPPING = """\
table: t.csv
name: own
subject: id
modalities: {scan: {path: scan, channels: 1}, other: {path: other, channels: 1}}
tasks:
  lesion: %s
"""


def volumes(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        nibabel.save(nibabel.Nifti1Image(np.zeros((4, 4, 2), dtype=np.uint8), np.eye(4)), folder / name)
    return folder


def written(folder: Path, task: str) -> Path:
    volumes(folder, "P1.nii.gz", "P1_mask.nii", "P2.nii", "o1.nii")
    nibabel.save(nibabel.Nifti1Image(np.ones((4, 4, 2), dtype=np.uint8), np.eye(4)), folder / "o1_mask.nii")
    (folder / "t.csv").write_text("id,scan,other\na,P1,o1.nii\nb,P2.nii,\n")
    (folder / "mapping.yaml").write_text(MAPPING % task)
    return folder / "mapping.yaml"


def test_a_mask_is_found_by_its_suffix_and_an_image_may_lack_one(tmp_path: Path) -> None:
    study = prepare_table(written(tmp_path, "{suffix: _mask, regions: {lesion: [1]}, modalities: [scan]}"))
    assert study.mask_paths("lesion") == [tmp_path / "P1_mask.nii", None]
    assert study.tasks["lesion"].target.names == ("lesion",)


@pytest.mark.parametrize("copied", [False, True])
def test_one_mask_serves_all_modalities_whether_it_lies_beside_one_or_each_of_them(tmp_path: Path, copied: bool) -> None:
    mapping = written(tmp_path, "{suffix: _mask, regions: {lesion: [1]}}")
    (tmp_path / "o1_mask.nii").unlink()
    if copied:
        (tmp_path / "o1_mask.nii").write_bytes((tmp_path / "P1_mask.nii").read_bytes())
    study = prepare_table(mapping)
    assert study.tasks["lesion"].modalities == ("scan", "other")
    assert study.mask_paths("lesion") == [tmp_path / "P1_mask.nii", None]


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (
            "{suffix: _mask, regions: {lesion: [1]}}",
            r"masks of subject 'a', P1_mask.nii and o1_mask.nii; name the one modality",
        ),
        (
            "{suffix: _seg, regions: {lesion: [1]}}",
            r"no image of t.csv has a mask .* beside it, such as P1_seg\.\*",
        ),
        ("{suffix: _mask, classes: [a, b]}", "task 'lesion' has 'suffix', which only masks have; add their 'regions: "),
        ("{suffix: _mask}", "task 'lesion' has 'suffix', which only masks have; add their 'regions: "),
        ("{suffix: /../x, regions: {lesion: [1]}}", "has the suffix '/../x'; masks lie in the folder of their image"),
        (
            "{suffix: _mask, column: id, regions: {lesion: [1]}}",
            "'suffix: _mask' where masks lie beside their images",
        ),
        ("{regions: {lesion: [1]}}", "needs 'column: NAME' with the paths of its masks, or 'suffix: _mask'"),
    ],
)
def test_what_cannot_be_is_told_in_a_sentence(tmp_path: Path, task: str, message: str) -> None:
    with pytest.raises(DrifaError, match=message):
        prepare_table(written(tmp_path, task))


def test_a_mask_that_leads_nowhere_is_named(tmp_path: Path) -> None:
    mapping = written(tmp_path, "{suffix: _mask, regions: {lesion: [1]}, modalities: [scan]}")
    (tmp_path / "P2_mask.nii").symlink_to("none.nii")
    with pytest.raises(DrifaError, match=r"P2_mask.nii cannot be read .*takes it for the mask of P2.nii: mend"):
        prepare_table(mapping)


def test_the_note_on_masks_in_folders_holds_the_lines_that_make_them_regions(tmp_path: Path) -> None:
    data = volumes(tmp_path / "data", *(f"{one}/{one}{name}.nii.gz" for one in "pq" for name in ("1", "1 seg", "2", "2 seg")))
    notes = prepare_folders(data).notes
    line = notes.split("writes: `")[1].split("`")[0]
    assert line == 'lesion: {suffix: " seg", regions: {lesion: [1]}}'
    init(data, tmp_path)
    mapping = tmp_path / "data.mapping.yaml"
    mapping.write_text(f"{mapping.read_text().rstrip()}\n  {line}\n")
    study = prepare_table(mapping)
    assert study.mask_paths("lesion") == [data / f"{one}/{one}{number} seg.nii.gz" for one in "pq" for number in "12"]
