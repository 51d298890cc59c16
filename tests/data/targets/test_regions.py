"""A segmentation task names regions of mask values, and its column names one mask file per subject."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from drifa.data.study.schema import Task
from drifa.data.study.study import Study
from drifa.data.targets import RegionTarget
from drifa.errors import DrifaError


@pytest.fixture
def segmented(study: Study) -> Study:
    """The tiny study with a tumour to outline on the scans; the masks stand on the photo rows of s0 to s3."""
    regions = {"WT": (1, 2, 4), "ET": (4,)}
    table = study.table.copy()
    marked = (table["modality"] == "photo") & (table["subject"] < "s4")
    table["tumour"] = np.where(marked, "masks/" + table["subject"] + ".nii.gz", "")
    return replace(study, table=table, tasks=study.tasks | {"tumour": Task("tumour", RegionTarget(regions), ("scan",))})


def test_a_segmentation_task_survives_the_disk_with_its_regions_in_order(segmented: Study, tmp_path: Path) -> None:
    segmented.save(tmp_path)
    task = Study.load(tmp_path).tasks["tumour"]
    assert task == segmented.tasks["tumour"]
    assert isinstance(task.target, RegionTarget)
    assert (task.target.kind, task.classes, task.target.mask_values) == ("regions", ("WT", "ET"), (0, 1, 2, 4))
    assert segmented.tasks["kind"].target.kind == "classes"


def test_masks_belong_to_subjects_and_have_no_class_labels(segmented: Study) -> None:
    subjects = segmented.subjects()
    assert (subjects.strata[:, subjects.tasks.index("tumour")] == -1).all()
    scans = subjects.present[:, subjects.modalities.index("scan")]
    paths = segmented.mask_paths("tumour")
    expected = [segmented.root / f"masks/{name}.nii.gz" if name < "s4" else None for name in subjects.ids]
    assert paths == expected
    # A photo alone cannot be asked for a tumour: its mask does not count.
    asked = replace(
        segmented, table=segmented.table[segmented.table["modality"].eq("photo") | (segmented.table["subject"] > "s0")]
    )
    assert asked.mask_paths("tumour") == [None, *expected[1:]]
    assert scans[:4].all()
    with pytest.raises(DrifaError, match=r"no segmentation task 'kind' \(choices: tumour\)"):
        segmented.mask_paths("kind")


def test_selecting_and_merging_carry_the_masks(segmented: Study, study: Study) -> None:
    scan = segmented.select(["scan"])
    assert scan.mask_paths("tumour") == segmented.mask_paths("tumour")[: len(scan.subjects())]
    other = replace(
        study, name="other", root=segmented.root.parent / "elsewhere", table=study.table.drop(columns="kind"), tasks={}
    )
    merged = Study.merge([segmented, other])
    assert [path for path in merged.mask_paths("tumour") if path] == [path for path in segmented.mask_paths("tumour") if path]


def test_tasks_are_selected_by_name(segmented: Study) -> None:
    assert tuple(segmented.select(["scan"], tasks=["tumour"]).tasks) == ("tumour",)
    assert tuple(segmented.select(["scan"], tasks=[]).tasks) == ()
    with pytest.raises(DrifaError, match=r"no task 'tumor' \(did you mean 'tumour'"):
        segmented.select(["scan"], tasks=["tumor"])
    with pytest.raises(DrifaError, match="task 'tumour' of study 'tiny' needs scan"):
        segmented.select(["photo"], tasks=["tumour"])


def _with(table: pd.DataFrame, row: int, path: str) -> pd.DataFrame:
    table.loc[row, "tumour"] = path
    return table


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: _with(t, 1, "../m.nii"), "mask path of task 'tumour' '../m.nii' in row 3 of study.csv leaves"),
        (lambda t: _with(t, 8, "m.nii"), "subject 's0' has another mask of task 'tumour' in row 10 of study.csv"),
        (lambda t: t.assign(tumour=""), "task 'tumour' has no mask in study.csv"),
        (lambda t: t.drop(columns="tumour"), "no column 'tumour'"),
    ],
)
def test_every_fault_of_the_mask_paths_is_named(
    segmented: Study, change: Callable[[pd.DataFrame], pd.DataFrame], message: str
) -> None:
    with pytest.raises(DrifaError, match=message):
        replace(segmented, table=change(segmented.table.copy()))


@pytest.mark.parametrize(
    ("regions", "message"),
    [
        ("{}", "task 'tumour' has no regions"),
        ("{WT: [0, 1]}", r"region 'WT' of task 'tumour' has the mask values \[0, 1\]"),
        ("{WT: [1, 256]}", r"mask values \[1, 256\]"),
        ("{WT: [1, 1]}", r"mask values \[1, 1\]"),
        ("{WT: []}", r"mask values \[\]"),
        ("{WT: [1.5]}", r"region 'WT' of .* holds \['1.5'\]; list its mask values"),
        ("[WT]", r"key 'regions' of .* holds \['WT'\]"),
    ],
)
def test_every_fault_of_the_regions_is_named(segmented: Study, tmp_path: Path, regions: str, message: str) -> None:
    text = segmented.save(tmp_path).read_text()
    head, tail = text.split("    regions:\n")
    tail = tail[tail.index("    modalities:") :]
    (tmp_path / "study.yaml").write_text(f"{head}    regions: {regions}\n{tail}")
    with pytest.raises(DrifaError, match=message):
        Study.load(tmp_path)


def test_classes_beside_regions_are_refused(segmented: Study, tmp_path: Path) -> None:
    text = segmented.save(tmp_path).read_text()
    (tmp_path / "study.yaml").write_text(text.replace("    regions:\n", "    classes: [a, b]\n    regions:\n"))
    with pytest.raises(DrifaError, match="has both classes and regions"):
        Study.load(tmp_path)


def test_missing_masks_are_named(segmented: Study) -> None:
    for path in segmented.table["path"]:
        (segmented.root / path).parent.mkdir(parents=True, exist_ok=True)
        (segmented.root / path).touch()
    with pytest.raises(DrifaError, match=r"4 of 4 tumour mask files .*masks/s0.nii.gz"):
        segmented.check_files()
