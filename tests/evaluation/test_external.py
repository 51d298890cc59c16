"""Another study is matched by name, answered as the own one, and refused where nothing matches."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from drifa import DrifaError
from drifa.data import Modality, Study, make_phantom
from drifa.evaluation.evaluate import evaluate
from drifa.evaluation.external import external_subjects
from drifa.runs.run import Run
from tests.evaluation.outputs import read


def test_the_own_images_as_another_study_give_the_own_answers(unpaired_run: Run, tmp_path: Path) -> None:
    own = unpaired_run.study()
    own.save(tmp_path / "other")
    where, _ = evaluate(unpaired_run.folder, study=tmp_path / "other", split="test", out=tmp_path / "out")
    inside, outside = read(unpaired_run.folder)[2], read(where)[2]
    rows = [
        table[(table.condition == "alone") & (table["mode"] == "deterministic") & (table.member == 0)].sort_values("subject")
        for table in (inside, outside)
    ]
    np.testing.assert_allclose(np.stack(rows[0]["confidence"]), np.stack(rows[1]["confidence"]), atol=1e-5)


def test_classes_are_matched_by_name(paired_run: Run, tmp_path: Path) -> None:
    other = paired_run.study()
    other.save(tmp_path / "other")
    text = yaml.safe_load((tmp_path / "other" / "study.yaml").read_text())
    for task in text["tasks"].values():
        task["classes"] = task["classes"][::-1]
    (tmp_path / "other" / "study.yaml").write_text(yaml.safe_dump(text))
    _, metrics = evaluate(paired_run.folder, study=tmp_path / "other", split="test", out=tmp_path / "out")
    own = read(paired_run.folder)[0]
    for task in own:
        assert metrics[task]["ensemble"]["accuracy"]["value"] == pytest.approx(own[task]["ensemble"]["accuracy"]["value"])


def test_one_modality_of_a_paired_run_is_enough(paired_run: Run, tmp_path: Path) -> None:
    paired_run.study().select(["photo"]).save(tmp_path / "photos")
    _, metrics = evaluate(paired_run.folder, study=tmp_path / "photos", split="all", out=tmp_path / "out")
    assert "surface" in metrics
    assert "depth" not in metrics


def test_a_class_that_the_run_does_not_know_is_named(paired_run: Run, tmp_path: Path) -> None:
    other = make_phantom(tmp_path / "other", subjects=40, image_size=32)
    other.save(tmp_path / "other")
    for name in ("study.yaml", "study.csv"):
        path = tmp_path / "other" / name
        path.write_text(path.read_text().replace("ragged", "raggedy"))
    with pytest.raises(DrifaError, match=r"'raggedy'.*did you mean 'ragged'"):
        evaluate(paired_run.folder, study=tmp_path / "other", split="all")


def test_a_study_without_a_split_asks_for_all(paired_run: Run, tmp_path: Path) -> None:
    make_phantom(tmp_path / "other", subjects=40, image_size=32)
    with pytest.raises(DrifaError, match="--split all"):
        evaluate(paired_run.folder, study=tmp_path / "other")


def test_a_study_with_nothing_in_common_is_refused(unpaired_run: Run, tmp_path: Path) -> None:
    study = make_phantom(tmp_path / "other", subjects=40, image_size=32)
    text = (tmp_path / "other" / "study.yaml").read_text()
    for name in ("surface", "depth"):
        text = text.replace(f"{name}:", f"{name}2:")
    (tmp_path / "other" / "study.yaml").write_text(text)
    table = study.table.rename(columns={"surface": "surface2", "depth": "depth2"})
    table.to_csv(tmp_path / "other" / "study.csv", index=False)
    assert "surface2" in Study.load(tmp_path / "other").tasks
    with pytest.raises(DrifaError, match="surface2"):
        evaluate(unpaired_run.folder, study=tmp_path / "other", split="all")


def test_the_own_subjects_come_first_and_the_others_bear_the_name_of_their_study(paired_run: Run, tmp_path: Path) -> None:
    own = paired_run.study()
    other = make_phantom(tmp_path / "other", subjects=12, image_size=32, seed=5).select(["ultrasound"])
    subjects, source = external_subjects(paired_run, own, replace(other, name="there"))
    mine, theirs = own.subjects(), other.subjects()
    count = len(mine)
    assert subjects.ids[:count].tolist() == mine.ids.tolist()
    assert subjects.ids[count:].tolist() == [f"there/{name}" for name in theirs.ids]
    assert (subjects.modalities, subjects.tasks) == (mine.modalities, mine.tasks)
    photo, ultrasound = (subjects.modalities.index(name) for name in ("photo", "ultrasound"))
    assert subjects.present[count:, ultrasound].all()
    assert not subjects.present[count:, photo].any()
    # The surface is asked of photos: nobody there has one.
    assert not subjects.known_of("surface")[count:].any()
    assert (subjects.targets["depth"][count:] == theirs.targets["depth"]).all()
    # A row beyond the own table is an image of the other study.
    images = source.read("ultrasound", subjects.image[count : count + 3, ultrasound])
    assert images.equal(paired_run.cache(other).read("ultrasound", theirs.image[:3, 0]))


def test_a_modality_of_another_kind_under_the_same_name_is_refused(paired_run: Run, tmp_path: Path) -> None:
    own = paired_run.study()
    grey = replace(own, name="there", modalities={**own.modalities, "photo": Modality("photo", 1)})
    with pytest.raises(DrifaError, match="modality 'photo' has 1 channels in study 'there' and 3 in the run"):
        external_subjects(paired_run, own, grey)
