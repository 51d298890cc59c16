"""What only the authors know is carried from `study.yaml` to the report, and a wrong key is named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from drifa.data.study.reporting import STATEMENTS, joined_reporting, parse_reporting
from drifa.data.study.study import Study
from drifa.errors import DrifaError


def test_statements_outlive_saving_and_selecting(study: Study, tmp_path: Path) -> None:
    told = {key: f"{key}: as it was, naïve" for key in STATEMENTS}
    replace(study, reporting=told).save(tmp_path / "told")
    again = Study.load(tmp_path / "told")
    assert again.reporting == told
    assert again.select([next(iter(again.modalities))]).reporting == told
    assert study.reporting == {}
    study.save(tmp_path / "silent")
    assert "reporting" not in (tmp_path / "silent" / "study.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"fundings": "a"}, r"unknown key 'fundings' in reporting of study.yaml \(did you mean 'funding'\?\)"),
        ({"ethics": ["a"]}, r"key 'ethics' in reporting of study.yaml holds .*; it takes one text"),
        ("none", r"key 'reporting' of study.yaml holds 'none'; it takes lines 'key: text' with the keys intended_use"),
    ],
)
def test_every_fault_is_named(value: object, message: str) -> None:
    with pytest.raises(DrifaError, match=message):
        parse_reporting(value, "study.yaml")


def test_blank_is_not_stated_and_texts_of_several_studies_bear_their_names() -> None:
    assert parse_reporting(None, "study.yaml") == {}
    assert parse_reporting({"ethics": " ", "funding": " none "}, "study.yaml") == {"funding": "none"}
    both = joined_reporting({"a": {"ethics": "yes", "funding": "x"}, "b": {"ethics": "no"}})
    assert both == {"ethics": "a: yes\nb: no", "funding": "a: x"}
