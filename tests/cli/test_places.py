"""A study may be named in two ways, and a disk that refuses costs one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.verbs import Run, make_study


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
