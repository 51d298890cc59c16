"""Merging keeps every image, subject and label, and refuses declarations that disagree."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from drifa.data.sampling.pairing import components
from drifa.data.study.schema import Modality, Task
from drifa.data.study.study import Study
from drifa.data.targets import ClassTarget
from drifa.errors import DrifaError
from tests.studies import class_indices


def test_merging_conserves_images_subjects_and_labels(phantom: Study, unpaired: Study) -> None:
    merged = Study.merge([phantom, unpaired])
    merged.check_files()
    parts = [phantom.subjects(), unpaired.subjects()]
    subjects = merged.subjects()
    assert merged.name == "phantom+phantom_unpaired"
    assert len(subjects) == sum(len(part) for part in parts)
    assert subjects.ids.tolist() == sorted(
        [f"phantom/{i}" for i in parts[0].ids] + [f"phantom_unpaired/{i}" for i in parts[1].ids]
    )
    for column, task in enumerate(("surface", "depth")):
        counts = [np.bincount(one.targets[task][one.known_of(task)]) for one in (subjects, *parts)]
        np.testing.assert_array_equal(counts[0], sum(counts[1:]))
        assert subjects.tasks[column] == task
    assert "phantom: CC0" in merged.licence


def test_a_merged_study_survives_the_disk(phantom: Study, unpaired: Study, tmp_path: Path) -> None:
    merged = Study.merge([phantom, unpaired])
    merged.save(tmp_path)
    loaded = Study.load(tmp_path)
    loaded.check_files()
    np.testing.assert_array_equal(class_indices(loaded.subjects()), class_indices(merged.subjects()))


def test_equal_ids_of_two_studies_stay_apart(study: Study) -> None:
    twin = replace(study, name="twin")
    subjects = Study.merge([study, twin]).subjects()
    assert len(subjects) == 16
    assert set(subjects.group) == {f"{name}/p{number}" for name in ("tiny", "twin") for number in range(6)}


def test_studies_of_different_modalities_have_separate_components(study: Study) -> None:
    other = replace(
        study,
        name="other",
        table=study.table.replace({"modality": {"photo": "ct", "scan": "mr"}}).rename(columns={"kind": "sort"}),
        modalities={"ct": Modality("ct"), "mr": Modality("mr")},
        tasks={"sort": Task("sort", ClassTarget(("1", "01")), ("ct",))},
    )
    assert components(Study.merge([study, other]).subjects()) == [(0, 1), (2, 3)]


def test_disagreements_are_refused(study: Study) -> None:
    with pytest.raises(DrifaError, match="called 'tiny'"):
        Study.merge([study, study])
    grey = replace(study, name="b", modalities={**study.modalities, "scan": Modality("scan", 3)})
    with pytest.raises(DrifaError, match=r"modality 'scan' is .* in study 'tiny' but .* in study 'b'"):
        Study.merge([study, grey])
    turned = replace(study, name="b", tasks={"kind": Task("kind", ClassTarget(("01", "1")), ("photo", "scan"))})
    with pytest.raises(DrifaError, match="task 'kind' is"):
        Study.merge([study, turned])
    free = replace(study, name="b", tasks={})
    with pytest.raises(DrifaError, match="column 'kind' of study 'b' is a task in another study"):
        Study.merge([study, free])


def test_one_cut_study_makes_the_whole_cut(study: Study) -> None:
    cut, whole = replace(study, split_protocol="paper"), replace(study, name="b", split_protocol="strict")
    assert Study.merge([cut, whole]).split_protocol == "paper"
    assert Study.merge([whole, replace(study, split_protocol="strict")]).split_protocol == "strict"
    assert Study.merge([whole, study]).split_protocol == ""
