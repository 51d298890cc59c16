"""The audit on studies with known defects: each is found, is given its severity, and a clean study has none."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner

from drifa.cli.main import app
from drifa.data import Study, split
from drifa.data.audit import Audit, Finding, audit, audit_and_fix, join_groups
from drifa.data.audit.findings import AUDIT_VERSION, MOST_FILES, finding
from drifa.data.audit.shortcuts import cross_validated_auc
from drifa.data.study.schema import Modality, Task
from drifa.data.targets import ClassTarget, RegionTarget
from tests.nifti_files import LPS, make_head, write_nifti


def picture(seed: int, size: int = 48) -> np.ndarray:
    random = np.random.default_rng(seed)
    layers = [random.integers(0, 256, (cells, cells, 3), dtype=np.uint8) for cells in (3, 6, 12, 24)]
    return sum(np.asarray(Image.fromarray(layer).resize((size, size))) / 4 for layer in layers).astype(np.uint8)  # type: ignore[union-attr]


def make(folder: Path, count: int = 60, **columns: list[str]) -> Study:
    """A study of different colour pictures, alternately `a` and `b`, one group each."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        Image.fromarray(picture(number)).save(folder / f"{number:03d}.png")
    names = [f"{number:03d}" for number in range(count)]
    table = pd.DataFrame({"subject": names, "modality": "photo", "path": [f"{name}.png" for name in names]})
    table = table.assign(group=names, split="", kind=["ab"[number % 2] for number in range(count)], note="kept").assign(
        **columns
    )
    return Study(
        "made", folder, table, {"photo": Modality("photo")}, {"kind": Task("kind", ClassTarget(("a", "b")), ("photo",))}
    )


def rules(result: Audit, *severities: str) -> set[str]:
    return {one.rule for one in result.findings if not severities or one.severity in severities}


def only(result: Audit, rule: str) -> Finding:
    (one,) = (one for one in result.findings if one.rule == rule)
    return one


def test_a_clean_study_has_neither_errors_nor_warnings(tmp_path: Path) -> None:
    result = audit(make(tmp_path))
    assert rules(result, "error", "warning") == set()
    assert result.ok
    assert result.clusters == ()


def test_the_same_pixels_in_another_encoding_are_exact_duplicates(tmp_path: Path) -> None:
    study = make(tmp_path)
    Image.fromarray(picture(0)).save(tmp_path / "001.png", optimize=True, compress_level=1)
    Image.fromarray(picture(0)).save(tmp_path / "bitmap.bmp")
    study = replace(study, table=study.table.assign(path=study.table["path"].replace("002.png", "bitmap.bmp")))
    result = audit(study)
    one = only(result, "exact_duplicates")
    assert one.data["members"] == [["000.png", "001.png", "bitmap.bmp"]]
    assert (one.severity, one.data["pairs"], one.data["clusters_across_groups"]) == ("warning", 3, 1)
    assert result.clusters == ((0, 1, 2),)


def test_a_grey_file_and_its_rgb_copy_are_exact_duplicates(tmp_path: Path) -> None:
    study = make(tmp_path)
    grey = picture(0)[:, :, 0]
    Image.fromarray(grey).save(tmp_path / "000.png")
    Image.fromarray(np.repeat(grey[:, :, None], 3, axis=2)).save(tmp_path / "001.png")
    assert only(audit(study), "exact_duplicates").data["members"] == [["000.png", "001.png"]]


def test_duplicates_within_one_group_are_a_note(tmp_path: Path) -> None:
    study = make(tmp_path, group=["g", "x1", "g", *(f"y{number}" for number in range(57))])
    Image.fromarray(picture(0)).save(tmp_path / "002.png")
    result = audit(study)
    assert only(result, "exact_duplicates").severity == "info"
    assert result.ok


def test_copies_with_different_labels_are_an_error_where_pixels_agree(tmp_path: Path) -> None:
    study = make(tmp_path)
    Image.fromarray(picture(0)).save(tmp_path / "001.png")
    Image.fromarray(picture(4)).save(tmp_path / "005.jpg", quality=60)
    study = replace(study, table=study.table.assign(path=study.table["path"].replace("005.png", "005.jpg")))
    result = audit(study)
    conflicts = {one.severity: one for one in result.findings if one.rule == "conflicting_labels"}
    assert set(conflicts["error"].files) == {"000.png", "001.png"}
    assert set(conflicts["warning"].files) == {"004.png", "005.jpg"}
    assert not result.ok


def test_a_split_that_cuts_a_picture_or_a_group_is_an_error(tmp_path: Path) -> None:
    study = split(make(tmp_path), "strict", seed=0)[0]
    train, test = (study.table.index[study.table["split"] == name][0] for name in ("train", "test"))
    Image.fromarray(picture(int(train))).save(tmp_path / f"{test:03d}.png")
    result = audit(study)
    assert set(only(result, "duplicates_across_splits").files) == {f"{train:03d}.png", f"{test:03d}.png"}
    assert "groups_across_splits" not in rules(result)
    pairs = [f"g{number // 2}" for number in range(60)]
    cut = split(replace(study, table=study.table.assign(group=pairs, split=""), split_protocol=""), "paper", seed=0)[0]
    assert only(audit(cut), "groups_across_splits").severity == "error"


def test_a_class_that_a_split_lacks_and_a_tiny_class_are_warnings(tmp_path: Path) -> None:
    study = make(tmp_path, kind=["b"] * 4 + ["a"] * 56, split=["train"] * 40 + ["test"] * 20)
    result = audit(study)
    assert only(result, "class_missing_in_split").data["classes"] == ["b in test"]
    assert only(result, "tiny_class").data["classes"] == ["b"]
    counts = only(result, "class_counts").data["counts"]
    assert counts["a"] == {"subjects": 56, "groups": 56, "train": 36, "test": 20}


def test_files_that_cannot_be_read_are_found_without_a_crash(tmp_path: Path) -> None:
    study = make(tmp_path)
    whole = (tmp_path / "000.png").read_bytes()
    (tmp_path / "000.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "001.png").write_bytes(b"PK\x03\x04" + bytes(200))
    (tmp_path / "002.png").write_bytes(b"")
    (tmp_path / "003.png").unlink()
    Image.fromarray(np.zeros((10001, 10001), dtype=np.uint8)).save(tmp_path / "004.png")
    one = only(audit(study), "unreadable")
    assert one.severity == "error"
    assert one.files == tuple(f"00{number}.png" for number in range(5))


def test_links_that_leave_the_root_are_told_and_those_below_it_are_not(tmp_path: Path) -> None:
    study = make(tmp_path / "study")
    (tmp_path / "study").rename(tmp_path / "moved")
    (tmp_path / "study").symlink_to(tmp_path / "moved")
    (tmp_path / "moved" / "007.png").rename(tmp_path / "moved" / "seven.png")
    (tmp_path / "moved" / "007.png").symlink_to("seven.png")
    assert "links_out_of_root" not in rules(audit(study))
    (tmp_path / "moved" / "seven.png").rename(tmp_path / "elsewhere.png")
    (tmp_path / "moved" / "seven.png").symlink_to(tmp_path / "elsewhere.png")
    assert only(audit(study), "links_out_of_root").files == ("007.png",)
    assert audit(study).ok


def test_blank_images_and_images_of_another_kind_are_warnings(tmp_path: Path) -> None:
    study = make(tmp_path)
    for number in range(60):
        Image.fromarray(picture(number)[:, :, 0]).save(tmp_path / f"{number:03d}.png")
    Image.fromarray(np.full((48, 48), 7, dtype=np.uint8)).save(tmp_path / "003.png")
    Image.fromarray(picture(9)).save(tmp_path / "009.png")
    result = audit(study)
    assert only(result, "blank").files == ("003.png",)
    assert only(result, "wrong_modality").files == ("009.png",)


def test_a_label_that_the_image_size_gives_away_is_a_warning(tmp_path: Path) -> None:
    study = make(tmp_path, count=80)
    for number in range(1, 80, 2):
        Image.fromarray(picture(number, 40)).save(tmp_path / f"{number:03d}.png")
    found = {one.data["mark"]: one for one in audit(study).findings if one.rule == "shortcut"}
    assert found["image size"].severity == "warning"
    assert found["image size"].data["auc"] > 0.95
    assert found["mean colour"].severity == "info"


def test_a_folder_that_holds_one_class_names_it_and_is_no_shortcut(tmp_path: Path) -> None:
    study = make(tmp_path)
    sites = ["site_b" if number % 2 and number % 10 != 1 else "site_a" for number in range(60)]
    for site in ("site_a", "site_b", "a", "b"):
        (tmp_path / site).mkdir()
    names = study.table["path"]
    for folders in (sites, study.table["kind"].tolist()):
        paths = [f"{folder}/{name}" for folder, name in zip(folders, names, strict=True)]
        for name, path in zip(names, paths, strict=True):
            (tmp_path / path).write_bytes((tmp_path / name).read_bytes())
        result = audit(replace(study, table=study.table.assign(path=paths)))
        marks = {one.data["mark"]: one.severity for one in result.findings if one.rule == "shortcut"}
        assert marks.get("folder") == ("warning" if folders is sites else None)


def test_chance_is_not_called_a_shortcut() -> None:
    random = np.random.default_rng(0)
    flagged = 0
    for seed in range(4):
        label = random.integers(0, 3, 300)
        found = cross_validated_auc(random.normal(size=(300, 2)), label, np.arange(300), seed)
        assert found is not None
        flagged += found[1] > 0.55
        assert abs(found[0] - 0.5) < 0.12
    assert flagged == 0


def test_marks_that_only_name_the_group_do_not_predict_unseen_groups() -> None:
    random = np.random.default_rng(1)
    group = np.repeat(np.arange(60), 8)
    label = random.integers(0, 2, 60)[group]
    found = cross_validated_auc(random.normal(size=60)[group][:, None], label, group)
    assert found is not None
    assert found[1] < 0.6
    assert cross_validated_auc(np.ones((6, 1)), np.array([0, 0, 0, 1, 1, 1]), np.arange(6)) is None


def test_few_groups_have_an_interval_too() -> None:
    label, values = np.repeat([0, 1], 5), np.random.default_rng(0).normal(size=(10, 1))
    found = [cross_validated_auc(values, label, np.arange(10), seed) for seed in range(10)]
    assert np.isfinite(np.array(found, dtype=float)).all()


def test_joining_is_a_union_that_keeps_everything_else_and_can_be_repeated(tmp_path: Path) -> None:
    study = make(tmp_path, count=12, group=[f"g{number // 2}" for number in range(12)])
    joined, count = join_groups(study, [[1, 2], [3, 11]])
    # g0 - g1 - g5 are one now: each image brings its whole group along.
    assert joined.table["group"].tolist() == ["g0"] * 4 + ["g2", "g2", "g3", "g3", "g4", "g4", "g0", "g0"]
    assert count == 2
    pd.testing.assert_frame_equal(joined.table.drop(columns="group"), study.table.drop(columns="group"))
    again, more = join_groups(joined, [[1, 2], [3, 11]])
    assert more == 0
    assert again.table["group"].equals(joined.table["group"])


def test_joining_empties_a_split_that_it_would_cut_and_keeps_one_that_it_would_not(tmp_path: Path) -> None:
    study = make(tmp_path, count=12, split=["train"] * 8 + ["test"] * 4)
    assert (join_groups(study, [[0, 1]])[0].table["split"] == study.table["split"]).all()
    assert (join_groups(study, [[0, 11]])[0].table["split"] == "").all()
    paper = replace(study, split_protocol="paper")
    assert (join_groups(paper, [[0, 11]])[0].table["split"] == study.table["split"]).all()


def test_the_command_finds_mends_and_tells_by_its_exit_code(tmp_path: Path) -> None:
    study = make(tmp_path / "images")
    Image.fromarray(picture(0)).save(tmp_path / "images" / "002.png")
    folder, told = tmp_path / "study", tmp_path / "told.json"
    study.save(folder)
    run = CliRunner()

    def call(*words: str) -> tuple[int, str]:
        answer = run.invoke(app, ["data", "audit", str(folder), "-q", *words])
        return answer.exit_code, answer.output

    assert call("--json", str(told))[0] == 0
    assert json.loads(told.read_text()) == json.loads((folder / "audit.json").read_text())
    assert json.loads(told.read_text())["drifa_audit"] == AUDIT_VERSION
    code, output = call("--fix", "groups")
    assert code == 0
    assert "joined 1 groups" in output
    mended = Study.load(folder)
    assert mended.table["group"].iloc[0] == mended.table["group"].iloc[2] == "000"
    assert (mended.table["note"] == "kept").all()
    assert "joined 0 groups" in call("--fix", "groups")[1]
    (tmp_path / "images" / "005.png").unlink()
    assert call()[0] == 1


@pytest.mark.parametrize("words", [["nowhere"], ["nowhere", "--fix", "everything"]])
def test_bad_use_is_told_apart_from_findings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    from drifa.cli import main as cli

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["drifa", "data", "audit", *words])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == 2
    assert "error:" in capsys.readouterr().err


def test_a_finding_lists_some_files_and_counts_all() -> None:
    one = finding("info", "blank", "text", files=[str(number) for number in range(50)])
    assert (len(one.files), one.count) == (MOST_FILES, 50)


def make_volumes(folder: Path, count: int = 4) -> Study:
    """A study of two volumes and a mask per subject, for segmentation."""
    rows = []
    for number in range(count):
        grey, mask = make_head(seed=number)
        for name in ("t1", "t2"):
            write_nifti(folder / f"{number}_{name}.nii.gz", grey + len(rows))
            rows.append((str(number), name, f"{number}_{name}.nii.gz", "", "", f"{number}_mask.nii.gz"))
        write_nifti(folder / f"{number}_mask.nii.gz", mask)
    table = pd.DataFrame(rows, columns=["subject", "modality", "path", "group", "split", "tumour"])
    task = Task("tumour", RegionTarget({"WT": (1, 2, 4), "ET": (4,)}), ("t1", "t2"))
    return Study("volumes", folder, table, {name: Modality(name, 1) for name in ("t1", "t2")}, {"tumour": task})


def test_volumes_are_audited_too(tmp_path: Path) -> None:
    study = make_volumes(tmp_path)
    grey = make_head()[0]
    write_nifti(tmp_path / "1_t1.nii.gz", np.where(grey > grey.mean(), grey, np.nan).astype(np.float32))
    write_nifti(tmp_path / "2_t2.nii.gz", grey + 50, LPS @ np.diag([1.0, 1.0, 2.0, 1.0]))
    for name in ("3_t1", "3_t2"):
        write_nifti(tmp_path / f"{name}.nii.gz", grey + 99)
    result = audit(study)
    assert only(result, "unreadable").files == ("1_t1.nii.gz",)
    assert only(result, "grids_differ").files == ("2_t1.nii.gz", "2_t2.nii.gz")
    assert only(result, "exact_duplicates").data["members"] == [["3_t1.nii.gz", "3_t2.nii.gz"]]
    assert "NIfTI float32" in only(audit(study.select(["t2"])), "image_statistics").data["encodings"]


@pytest.mark.parametrize("step", [0.0, 1.0])
def test_volumes_of_large_values_that_hardly_differ_are_audited(tmp_path: Path, step: float) -> None:
    study = make_volumes(tmp_path)
    for name in ("0_t1", "0_t2"):
        write_nifti(tmp_path / f"{name}.nii.gz", np.float32(2**23) + step * (make_head()[1] > 0).astype(np.float32))
    write_nifti(tmp_path / "1_t1.nii.gz", np.full(make_head()[1].shape, 1e30, np.float32))
    assert "unreadable" not in rules(audit(study))


def test_good_masks_and_volumes_have_neither_errors_nor_warnings(tmp_path: Path) -> None:
    assert rules(audit(make_volumes(tmp_path)), "error", "warning") <= {"near_duplicates"}


def test_volumes_declared_as_colour_images_are_an_error(tmp_path: Path) -> None:
    study = make_volumes(tmp_path)
    wrong = replace(study, modalities={**study.modalities, "t1": Modality("t1", 3)})
    assert "modality 't1'" in only(audit(wrong), "colour_volumes").message


def test_masks_that_training_refuses_are_errors(tmp_path: Path) -> None:
    study = make_volumes(tmp_path, count=7)
    mask = make_head()[1]
    write_nifti(tmp_path / "0_mask.nii.gz", np.where(mask == 2, 3, mask).astype(np.uint8))
    write_nifti(tmp_path / "1_mask.nii.gz", mask[1:])
    write_nifti(tmp_path / "2_mask.nii.gz", mask.astype(np.float32) / 3)
    (tmp_path / "3_mask.nii.gz").write_bytes((tmp_path / "4_mask.nii.gz").read_bytes()[:200])
    (tmp_path / "5_mask.nii.gz").unlink()
    write_nifti(tmp_path / "6_mask.nii.gz", mask, LPS + np.diag([0.01, 0, 0, 0]))
    for result in (audit(study), audit_and_fix(study)[0]):
        assert only(result, "unknown_mask_label").files == ("0_mask.nii.gz", "2_mask.nii.gz")
        assert "outside the study: 3; task 'tumour' knows 0, 1, 2, 4" in only(result, "unknown_mask_label").message
        assert only(result, "mask_grid_differs").files == ("1_mask.nii.gz", "6_mask.nii.gz")
        assert only(result, "unreadable_mask").files == ("3_mask.nii.gz", "5_mask.nii.gz")
        assert "2 of 7 masks of task 'tumour'" in only(result, "unreadable_mask").message
        assert all(one.severity == "error" and one.remedy for one in result.findings if "mask" in one.rule)


def test_one_grid_in_other_words_is_no_finding(tmp_path: Path) -> None:
    study = make_volumes(tmp_path)
    grey = make_head()[0]
    # The same place, stored from right to left, and a hundredth of a millimetre away.
    mirrored = LPS @ np.array([[-1, 0, 0, grey.shape[0] - 1], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    write_nifti(tmp_path / "0_t2.nii.gz", grey[::-1], mirrored)
    shifted = LPS.copy()
    shifted[0, 3] += 0.01
    write_nifti(tmp_path / "1_t2.nii.gz", grey + 9, shifted)
    assert "grids_differ" not in rules(audit(study))
    shifted[0, 3] += 0.2
    write_nifti(tmp_path / "1_t2.nii.gz", grey + 9, shifted)
    one = only(audit(study), "grids_differ")
    assert (one.severity, one.files) == ("error", ("1_t1.nii.gz", "1_t2.nii.gz"))


def test_files_are_read_as_the_tasks_say_and_not_as_they_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = make(tmp_path)
    write_nifti(tmp_path / "volume.nii.gz", make_head()[0])
    paths = study.table["path"].replace("000.png", "volume.nii.gz")
    refused = only(audit(replace(study, table=study.table.assign(path=paths))), "unreadable")
    assert refused.files == ("volume.nii.gz",)
    assert "save the slice you mean as PNG" in refused.message

    volumes = make_volumes(tmp_path)
    (tmp_path / "0_t1.nii.gz").rename(tmp_path / "0_t1.dat")
    Image.fromarray(picture(0)).save(tmp_path / "1_t1.png")
    swapped = volumes.table["path"].replace({"0_t1.nii.gz": "0_t1.dat", "1_t1.nii.gz": "1_t1.png"})
    result = audit(replace(volumes, table=volumes.table.assign(path=swapped)))
    assert only(result, "unreadable").files == ("1_t1.png",)


def test_a_volume_too_large_for_training_is_an_error(tmp_path: Path) -> None:
    study = make_volumes(tmp_path)
    write_nifti(tmp_path / "0_t1.nii.gz", np.zeros((1, 1, 1), dtype=np.uint8))
    header = bytearray(gzip.decompress((tmp_path / "0_t1.nii.gz").read_bytes()))
    header[42:48] = np.array([600, 600, 600], dtype="<i2").tobytes()
    (tmp_path / "0_t1.nii.gz").write_bytes(gzip.compress(bytes(header)))
    assert "has 600x600x600 voxels, more than" in only(audit(study), "unreadable").message


def test_rows_of_a_tabular_modality_are_passed_over(tmp_path: Path) -> None:
    study = make(tmp_path)
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    paths = [f"{kind}/{path}" for kind, path in zip(study.table["kind"], study.table["path"], strict=True)]
    for name, path in zip(study.table["path"], paths, strict=True):
        (tmp_path / name).rename(tmp_path / path)
    study = replace(study, table=study.table.assign(path=paths))
    plain = audit(study)
    twice = pd.concat([study.table, study.table.assign(modality="record", path="")], ignore_index=True).assign(age="40")
    record = Modality("record", 1, ("age",))
    result = audit(replace(study, table=twice, modalities={**study.modalities, "record": record}))
    assert (result.images, result.clusters) == (60, ())
    assert result.findings == plain.findings


@pytest.mark.slow
def test_the_real_folders_give_up_their_known_defects(real: Callable[[str], Path], tmp_path: Path) -> None:
    """A slice of Nickparvar: twins across its official split, and an audit that can be written as JSON."""
    folder = real("nickparvar")
    paths = sorted(path.relative_to(folder).as_posix() for path in folder.glob("*/notumor/*.jpg"))[::5]
    paths += sorted(path.relative_to(folder).as_posix() for path in folder.glob("Testing/pituitary/*.jpg"))[::5]
    table = pd.DataFrame({"subject": paths, "modality": "mri", "path": paths, "group": ""})
    table["split"] = ["test" if path.startswith("Testing") else "train" for path in paths]
    table["tumour"] = [path.split("/")[1] for path in paths]
    tasks = {"tumour": Task("tumour", ClassTarget(("notumor", "pituitary")), ("mri",))}
    result = audit(Study("nickparvar", folder, table, {"mri": Modality("mri", 1)}, tasks))
    assert "duplicates_across_splits" in rules(result, "error")
    assert result.save(tmp_path / "audit.json").stat().st_size > 0
