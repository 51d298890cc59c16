"""All arms train, validate and are judged on equally many; each differs from the clean one by its habit alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from drifa.data import Study, make_phantom, split
from drifa.data.study.schema import Task
from drifa.data.targets import NumberTarget
from drifa.errors import DrifaError
from drifa.experiments.authors import METRICS, SWITCHES
from drifa.experiments.authors_training import ARMS, BOTH, authors_training, copy_of, with_habits, write_copies
from drifa.experiments.leakage_sets import CLEAN, paired_sets
from drifa.files import read_json
from tests.studies import siblings, tiny_config


def asked(folder: Path, study: Path) -> Path:
    told = tiny_config(study, epochs=1).model_dump(mode="json", exclude_unset=True)
    told["data"]["fractions"] = [0.7, 0.1, 0.2]
    path = folder / "tiny.yaml"
    path.write_text(yaml.safe_dump(told))
    return path


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, dict[str, dict[str, set[str]]]]:
    """The study with its copies, and arm -> side -> subjects."""
    folder = tmp_path_factory.mktemp("habits")
    study = split(siblings(folder / "study"), fractions=(0.7, 0.1, 0.2))[0]
    held = with_habits(study, paired_sets(study.subjects(), [1.0]), folder / "out")
    write_copies(held, study)
    held.save(folder / "out")
    held = Study.load(folder / "out")
    return held, {arm: {side: set(rows["subject"]) for side, rows in held.table.groupby(arm)} for arm in ARMS}


def test_arms_are_of_one_size_and_answer_the_same_test(sides: tuple[Study, dict[str, dict[str, set[str]]]]) -> None:
    _, by_arm = sides
    for side in ("train", "val", "test"):
        assert len({len(by_arm[arm][side]) for arm in ARMS}) == 1, side
    assert all(by_arm[arm]["test"] == by_arm[CLEAN]["test"] for arm in ARMS)


def test_copies_validate_and_are_of_subjects_that_train(sides: tuple[Study, dict[str, dict[str, set[str]]]]) -> None:
    _, by_arm = sides
    for arm, like in (("copies", CLEAN), (BOTH, "siblings")):
        assert by_arm[arm]["train"] == by_arm[like]["train"]
        assert {name.removesuffix(" (copy)") for name in by_arm[arm]["val"]} <= by_arm[arm]["train"]
        assert all(name.endswith(" (copy)") for name in by_arm[arm]["val"])


def test_siblings_share_groups_with_the_test_and_the_clean_arm_does_not(
    sides: tuple[Study, dict[str, dict[str, set[str]]]],
) -> None:
    held, by_arm = sides
    group = dict(zip(held.table["subject"], held.table["group"].str.removesuffix(" (sibling)"), strict=True))
    tested = {group[name] for name in by_arm[CLEAN]["test"]}
    assert not tested & {group[name] for name in by_arm[CLEAN]["train"] | by_arm[CLEAN]["val"]}
    assert tested & {group[name] for name in by_arm["siblings"]["train"]}


def test_copies_are_of_the_size_and_label_of_their_originals(sides: tuple[Study, dict[str, dict[str, set[str]]]]) -> None:
    held, _ = sides
    table = held.table.set_index(["subject", "modality"])
    copies = [key for key in table.index if key[0].endswith(" (copy)")]
    for subject, modality in copies:
        own, original = table.loc[(subject, modality)], table.loc[(subject.removesuffix(" (copy)"), modality)]
        assert own["depth"] == original["depth"]
        pictures = [np.asarray(Image.open(held.root / row["path"])) for row in (own, original)]
        assert pictures[0].shape == pictures[1].shape
        assert (pictures[0] != pictures[1]).any()


def test_a_shifted_copy_is_moved_by_5_of_128_pixels_and_black_where_nothing_was() -> None:
    pixels = np.random.default_rng(0).integers(1, 255, (128, 256, 3), dtype=np.uint8)
    shifted = np.asarray(copy_of(pixels, turned=False))
    assert (shifted[5:, 10:] == pixels[:-5, :-10]).all()
    assert not shifted[:5].any()
    assert not shifted[:, :10].any()
    turned = np.asarray(copy_of(pixels[:, :, :1], turned=True))
    assert turned.shape == (128, 256)
    assert turned[0, 0] == 0  # the corner is uncovered


def test_all_habits_are_trained_counted_and_continued(tmp_path: Path) -> None:
    siblings(tmp_path / "study")
    config, out = asked(tmp_path, tmp_path / "study"), tmp_path / "out"
    text, outcomes = authors_training(config, out, [0], quiet=True)
    assert [outcome.state for outcome in outcomes] == ["done"] * len(ARMS)
    told = read_json(out / "authors.json") or {}
    assert {one["arm"] for one in told["added"]} == set(ARMS)
    assert all(one["difference"]["value"] == 0 for one in told["added"] if one["arm"] == CLEAN)
    accuracy = {one["arm"]: one["value"] for one in told["added"] if one["metric"] == "accuracy"}
    sound = {tuple(one["switches"]): one["value"] for one in told["counted"] if one["metric"] == "accuracy"}
    habits = ("siblings", "copies")
    assert set(sound) == {(), *((one,) for one in (*SWITCHES, *habits)), tuple(SWITCHES), habits, (*habits, *SWITCHES)}
    for arm, switches in ((CLEAN, ()), ("siblings", ("siblings",)), (BOTH, habits)):
        assert sound[switches] == pytest.approx(accuracy[arm])
    assert all(f"| {name} " in text for name in (*METRICS, *SWITCHES, "all together", BOTH))

    again, outcomes = authors_training(config, out, [0], quiet=True)
    assert again == text
    assert {outcome.state for outcome in outcomes} <= {"finished"}
    with pytest.raises(DrifaError, match="choose another --out"):
        authors_training(config, out, [0], ["data.split_seed=3"], quiet=True)


def test_a_study_without_siblings_is_refused(tmp_path: Path) -> None:
    study = make_phantom(tmp_path / "study", subjects=60, image_size=32)
    replace(study, table=study.table.assign(group=study.table["subject"])).save(tmp_path / "study")
    with pytest.raises(DrifaError, match="audit"):
        authors_training(asked(tmp_path, tmp_path / "study"), tmp_path / "out", [0], quiet=True)
    assert not (tmp_path / "out").exists()


def test_a_study_without_classes_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    study = siblings(tmp_path / "study")
    table = study.table.assign(depth=[str(number) for number in range(len(study.table))])
    table["depth"] = table.groupby("subject")["depth"].transform("first")
    task = Task("depth", NumberTarget("mm"), study.tasks["depth"].modalities)
    replace(study, table=table, tasks={"depth": task}).save(tmp_path / "study")
    with pytest.raises(DrifaError, match="no task of classes"):
        authors_training(asked(tmp_path, tmp_path / "study"), tmp_path / "out", [0], quiet=True)
    assert not (tmp_path / "out").exists()
