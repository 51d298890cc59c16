"""`drifa data audit`: what it prints, writes and exits with."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PIL import Image

from drifa.data import Study
from drifa.runs.run import Run as Trained
from tests.cli.verbs import Run, make_study


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
    assert "joined 1 group " in drifa("audit", folder, "-q", "--fix", "groups").out
    assert (folder / "split.csv").is_file()
    assert (folder / "split_receipt.json").is_file()


def test_the_exit_code_follows_the_severity_asked_for(drifa: Run, tmp_path: Path) -> None:
    study = make_study(tmp_path / "s")
    assert "tiny_class" in drifa("audit", tmp_path / "s", "-q").out
    assert drifa("audit", tmp_path / "s", "-q").code == 0
    assert drifa("audit", tmp_path / "s", "-q", "--raise-on", "warning").code == 1
    (study.root / "01.png").write_bytes(b"")
    assert drifa("audit", tmp_path / "s", "-q").code == 1
    assert "'warning'" in drifa("audit", tmp_path / "s", "-q", "--raise-on", "info").err


def test_notes_are_one_line_per_rule_until_all_is_asked_for(drifa: Run, tmp_path: Path) -> None:
    study = make_study(tmp_path / "s", count=60)
    Image.new("L", (40, 40)).save(study.root / "00.png")
    short, full = (drifa("audit", tmp_path / "s", "-q", *words).out for words in ((), ("--all",)))
    assert "made: 60 images; 0 errors, 1 warning\n" in short
    assert len([line for line in short.splitlines() if line.startswith("info shortcut")]) == 1
    assert short.count("alone predicts") < full.count("alone predicts")
    assert "--all" in short
    assert "--all" not in full


def test_a_page_is_written_where_it_is_asked_for_and_refused_before_any_work(drifa: Run, tmp_path: Path) -> None:
    make_study(tmp_path / "s")
    for words, remedy in (
        (("--images",), "name it with --html"),
        (("--html", tmp_path), "is a folder; name a file in it"),
        (("--html", tmp_path / "page.txt"), f"take {tmp_path / 'page.html'}"),
    ):
        result = drifa("audit", tmp_path / "s", "-q", *words)
        assert result.code == 2
        assert remedy in result.err
        assert not (tmp_path / "s" / "audit.json").exists()
    result = drifa("audit", tmp_path / "s", "-q", "--html", tmp_path / "page.html", "--images")
    assert result.code == 0
    assert f"wrote {tmp_path / 'page.html'}, which holds pictures" in result.out
    assert (tmp_path / "page.html").is_file()


def test_a_run_ranks_labels_and_one_of_another_study_is_refused_before_any_work(
    drifa: Run, tmp_path: Path, paired_run: Trained
) -> None:
    folder = Path(shutil.copytree(paired_run.folder.parent / "study", tmp_path / "study"))
    result = drifa("audit", folder, "-q", "--run", paired_run.folder)
    assert "suspected_label" in result.out
    assert "believed by" in result.out
    make_study(tmp_path / "s")
    refused = drifa("audit", tmp_path / "s", "-q", "--run", paired_run.folder)
    assert refused.code == 2
    assert "was trained on study 'phantom', not on 'made'" in refused.err
    assert not (tmp_path / "s" / "audit.json").exists()
