"""`drifa data prepare`, `split` and the others: what they print, write and refuse."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from drifa.data import make_phantom
from tests.cli.verbs import Run, make_study


def test_an_unknown_dataset_is_named_before_its_folder_is_asked_for(drifa: Run) -> None:
    outcome = drifa("prepare", "ham1000")
    assert outcome.code == 2
    assert "unknown dataset 'ham1000' (did you mean 'ham10000'?)" in outcome.err
    assert "(did you mean 'phantom'?)" in drifa("prepare", "phantm").err


def test_splitting_keeps_a_relative_root(drifa: Run, tmp_path: Path) -> None:
    study = make_study(tmp_path / "s")
    study.root.rename(tmp_path / "pictures")
    header = tmp_path / "s" / "study.yaml"
    header.write_text(header.read_text().replace("root: images", "root: ../pictures"))
    assert drifa("split", tmp_path / "s", "--fractions", 0.5, 0.25, 0.25).code == 0
    assert "root: ../pictures\n" in header.read_text()


def test_a_split_that_lacks_something_says_so_with_a_remedy(drifa: Run, tmp_path: Path) -> None:
    study = make_study(tmp_path / "s")
    whole = drifa("split", tmp_path / "s", "--fractions", 0.5, 0.25, 0.25)
    assert "warning" not in whole.out
    assert "next: drifa train" in whole.out
    sides = ["train"] * 6 + ["test", "train"] * 3
    replace(study, table=study.table.assign(mine=sides)).save(tmp_path / "s")
    column = drifa("split", tmp_path / "s", "--protocol", "column", "--column", "mine").out
    assert "warning: val is empty, so training refuses this split; correct the column 'mine'" in column
    assert "warning: no subject for b of kind in test; correct the column 'mine' of the table, collect" in column
    given = drifa("split", tmp_path / "s", "--protocol", "given").out
    assert "warning: val is empty" in given
    assert "next:" not in given
    assert "or split with --protocol strict" in given
    assert "official" not in given
    kinds = ["b" if side == "test" else "a" for side in sides]
    replace(study, table=study.table.assign(mine=["val", *sides[1:]], kind=kinds)).save(tmp_path / "s")
    unseen = drifa("split", tmp_path / "s", "--protocol", "column", "--column", "mine").out
    assert "warning: no subject for b of kind in train, so training refuses this split; correct the column 'mine'" in unseen
    assert "warning: no subject for b of kind in val, a of kind in test; correct" in unseen
    assert "next:" not in unseen
    replace(study, table=study.table.assign(kind=["b"] + ["a"] * 11)).save(tmp_path / "s")
    strict = drifa("split", tmp_path / "s", "--fractions", 0.8, 0, 0.2).out
    assert "warning: val is empty, so training refuses this split; give it a share by --fractions" in strict
    assert "of kind in test; try another --seed or other --fractions" in strict


@pytest.mark.parametrize(
    ("published", "works"), [(["train"] * 12, False), (["train"] * 9 + ["test"] * 3, True), (["train"] * 6 + [""] * 6, False)]
)
def test_a_given_split_with_gaps_advises_the_protocols_that_work(
    drifa: Run, tmp_path: Path, published: list[str], works: bool
) -> None:
    study = make_study(tmp_path / "s")
    replace(study, table=study.table.assign(split="train", official=published)).save(tmp_path / "s")
    given = drifa("split", tmp_path / "s", "--protocol", "given").out
    assert "warning: test is empty" in given
    assert ("--protocol strict or official" in given) == works
    assert (drifa("split", tmp_path / "s", "--protocol", "official").code == 0) == works


def test_a_preview_takes_a_study_and_what_training_takes(drifa: Run, tmp_path: Path) -> None:
    study, page, config = tmp_path / "s", tmp_path / "new" / "page.html", tmp_path / "config.yaml"
    make_study(study)
    config.write_text("data: {study: elsewhere, image_size: 16}")
    for words in ([], ["data.image_size=16", "data.flip=0.5"], [config], [config, "data.flip=0.5"]):
        done = drifa("preview", study, *words, "--out", page, "--per-class", 2, "-q")
        assert done.code == 0, done.err
        assert "kind: a: 2 of " in done.out
        assert f"wrote {page}, which holds images of patients" in done.out
        assert page.is_file()
        page.unlink()
    make_phantom(tmp_path / "p", 40, 32)
    assert "holds synthetic images" in drifa("preview", tmp_path / "p", "data.image_size=16", "--out", page, "-q").out
    page.unlink()
    for words, message in (
        (["data.study=other"], "names a second study"),
        (["data.fliped=1"], "did you mean 'data.flip'"),
        ([tmp_path / "none.yaml"], "does not exist"),
        (["--per-class", 0], "take 1 or more"),
    ):
        refused = drifa("preview", study, *words, "--out", page)
        assert refused.code == 2
        assert message in refused.err
        assert len(refused.err.splitlines()) == 1
    assert f"no study at {tmp_path / 'other'}" in drifa("preview", tmp_path / "other", "--out", page).err
    assert f"--out {tmp_path} is a folder" in drifa("preview", study, "--out", tmp_path).err
    assert not page.exists()


def test_without_out_the_study_is_named_after_the_data_and_the_place_is_said_first(
    drifa: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = drifa("prepare", "phantom")
    assert result.out.startswith(f"no --out: the study goes to {Path('studies/phantom')}\n")
    assert (tmp_path / "studies" / "phantom" / "study.yaml").is_file()
    assert not (tmp_path / "study").exists()
    for name in ("a", "b"):
        (tmp_path / "mine" / name).mkdir(parents=True)
        Image.new("L", (16, 16)).save(tmp_path / "mine" / name / f"{name}.png")
    assert drifa("prepare", "folders", "mine").code == 0
    assert (tmp_path / "studies" / "mine" / "study.yaml").is_file()
    assert "already holds a study" in drifa("prepare", "folders", "mine").err


def test_a_folder_is_no_mapping(drifa: Run, tmp_path: Path) -> None:
    result = drifa("prepare", "table", tmp_path, "--out", tmp_path / "s")
    assert result.code == 2
    assert f"{tmp_path} is a folder; give the YAML file" in result.err
