"""`drifa data audit` and `drifa data split`: what they print, write and refuse."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from drifa.cli import main as cli
from drifa.data import Study
from drifa.data.study.schema import Modality, Task
from drifa.data.targets import ClassTarget


@dataclass
class Outcome:
    code: int
    out: str
    err: str


Run = Callable[..., Outcome]


def make_study(folder: Path, count: int = 12, **changes: Any) -> Study:
    """Saves a study whose images are noise, alternately `a` and `b`, one group each; the images lie in a folder inside."""
    images = folder / "images"
    images.mkdir(parents=True)
    random = np.random.default_rng(0)
    names = [f"{number:02d}" for number in range(count)]
    for name in names:
        Image.fromarray(random.integers(0, 256, (32, 32), dtype=np.uint8)).save(images / f"{name}.png")
    table = pd.DataFrame({"subject": names, "modality": "photo", "path": [f"{name}.png" for name in names], "group": names})
    table = table.assign(split="", kind=["ab"[number % 2] for number in range(count)])
    study = Study(
        "made", images, table, {"photo": Modality("photo", 1)}, {"kind": Task("kind", ClassTarget(("a", "b")), ("photo",))}
    )
    study = replace(study, **changes)
    study.save(folder)
    return study


@pytest.fixture
def drifa(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs `drifa data …` as a process would."""
    monkeypatch.setenv("COLUMNS", "200")

    def run(*words: object) -> Outcome:
        monkeypatch.setattr("sys.argv", ["drifa", "data", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        told = capsys.readouterr()
        return Outcome(int(ended.value.code or 0), told.out, told.err)

    return run


def test_a_table_in_place_of_its_folder_is_refused_with_the_command_to_type(drifa: Run, tmp_path: Path) -> None:
    make_study(tmp_path / "s")
    for verb, *words in (["audit"], ["split"], ["preview", "--out", tmp_path / "page.html"]):
        result = drifa(verb, tmp_path / "s" / "study.csv", *words)
        assert result.code == 2
        assert f"drifa data {verb} {tmp_path / 's'}" in result.err
        assert len(result.err) < 300
    (tmp_path / "lone.csv").write_text("a,b\n1,2\n")
    assert "drifa data prepare" in drifa("audit", tmp_path / "lone.csv").err


@pytest.mark.parametrize("verb", ["audit", "split"])
def test_a_study_may_be_named_by_its_yaml_file(drifa: Run, tmp_path: Path, verb: str) -> None:
    make_study(tmp_path / "s", count=60)
    assert drifa(verb, tmp_path / "s" / "study.yaml").code == 0
    assert (tmp_path / "s" / {"audit": "audit.json", "split": "split.csv"}[verb]).is_file()


def test_an_unknown_dataset_is_named_before_its_folder_is_asked_for(drifa: Run) -> None:
    outcome = drifa("prepare", "ham1000")
    assert outcome.code == 2
    assert "unknown dataset 'ham1000' (did you mean 'ham10000'?)" in outcome.err


@pytest.mark.parametrize("name", ["[red]x", "[/b]", "x[/red]y:smile:", "ends with \\"])
def test_names_with_square_brackets_are_printed_as_they_are(drifa: Run, tmp_path: Path, name: str) -> None:
    make_study(tmp_path / "s", name=name)
    (tmp_path / "s" / "images" / "[bold]0.png").write_bytes(b"")
    table = tmp_path / "s" / "study.csv"
    table.write_text(table.read_text().replace("00.png", "[bold]0.png"))
    result = drifa("audit", tmp_path / "s", "-q")
    assert result.code == 1
    assert f"{name}: 12 images" in result.out
    assert "[bold]0.png" in result.out


def test_the_next_step_of_an_audit_is_one_that_helps(drifa: Run, tmp_path: Path) -> None:
    folder = tmp_path / "s"
    study = make_study(folder)
    assert f"next: drifa data split {folder}\n" in drifa("audit", folder, "-q").out
    (study.root / "01.png").write_bytes((study.root / "00.png").read_bytes())
    assert f"next: drifa data audit {folder} --fix groups\n" in drifa("audit", folder, "-q").out
    (study.root / "01.png").write_bytes(b"")
    assert f"next: mend what the errors name, then drifa data audit {folder}\n" in drifa("audit", folder, "-q").out


def test_findings_are_shown_even_where_they_cannot_be_kept(drifa: Run, tmp_path: Path) -> None:
    folder, kept = tmp_path / "s", tmp_path / "kept.json"
    make_study(folder)
    (folder / "audit.json").mkdir()
    (tmp_path / "file").touch()
    result = drifa("audit", folder, "-q", "--json", kept)
    assert result.code == 2
    assert "class_counts" in result.out
    assert f"wrote {kept}" in result.out
    assert kept.is_file()
    assert result.err.startswith(f"error: {folder / 'audit.json'} cannot be written (Is a directory); a folder stands there")
    (folder / "audit.json").rmdir()
    for target, remedy in ((tmp_path, "name a file"), (tmp_path / "file" / "a.json", f"make {tmp_path / 'file'} a folder")):
        result = drifa("audit", folder, "-q", "--json", target)
        assert result.code == 2
        assert "class_counts" in result.out
        assert remedy in result.err
        assert len(result.err.splitlines()) == 1
    assert (folder / "audit.json").is_file()


def test_a_study_that_may_not_be_written_costs_one_line(drifa: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = make_study(tmp_path / "s")
    (study.root / "01.png").write_bytes((study.root / "00.png").read_bytes())

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.replace", refuse)
    for words in (["audit", "-q"], ["audit", "-q", "--fix", "groups"], ["split", "--fractions", "0.5", "0.25", "0.25"]):
        result = drifa(words[0], tmp_path / "s", *words[1:])
        assert result.code == 2
        assert "cannot be written (Permission denied); make" in result.err
        assert ("exact_duplicates" in result.out) == (words[0] == "audit")


def test_joining_groups_removes_the_files_of_a_split_that_it_empties(drifa: Run, tmp_path: Path) -> None:
    folder = tmp_path / "s"
    study = make_study(folder)
    assert drifa("split", folder, "--fractions", 0.5, 0.25, 0.25).code == 0
    sides = Study.load(folder).table["split"]
    first, second = (f"{sides[sides == name].index[0]:02d}.png" for name in ("train", "test"))
    (study.root / second).write_bytes((study.root / first).read_bytes())
    result = drifa("audit", folder, "-q", "--fix", "groups")
    assert "was emptied; removed split.csv and split_receipt.json" in result.out
    assert set(Study.load(folder).table["split"]) == {""}
    assert sorted(path.name for path in folder.iterdir()) == ["audit.json", "images", "study.csv", "study.yaml"]


def test_joining_groups_keeps_the_files_of_a_split_that_it_does_not_cut(drifa: Run, tmp_path: Path) -> None:
    folder = tmp_path / "s"
    study = make_study(folder, count=16)
    assert drifa("split", folder, "--fractions", 0.5, 0.25, 0.25).code == 0
    sides = Study.load(folder).table["split"]
    first, second = (f"{row:02d}.png" for row in sides[sides == "train"].index[:2])
    (study.root / second).write_bytes((study.root / first).read_bytes())
    assert "joined 1 groups" in drifa("audit", folder, "-q", "--fix", "groups").out
    assert (folder / "split.csv").is_file()
    assert (folder / "split_receipt.json").is_file()


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
    assert "--protocol strict" in given
    replace(study, table=study.table.assign(kind=["b"] + ["a"] * 11)).save(tmp_path / "s")
    strict = drifa("split", tmp_path / "s", "--fractions", 0.8, 0, 0.2).out
    assert "warning: val is empty, so training refuses this split; give it a share by --fractions" in strict
    assert "of kind in test; try another --seed or other --fractions" in strict


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
