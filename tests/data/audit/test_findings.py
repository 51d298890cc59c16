"""Findings are ordered, counted and written as they are."""

from __future__ import annotations

import json
from pathlib import Path

from drifa.data.audit.findings import AUDIT_VERSION, MOST_FILES, Audit, finding


def test_a_finding_lists_some_files_and_counts_all() -> None:
    one = finding("info", "blank", "text", files=[str(number) for number in range(50)])
    assert (len(one.files), one.count) == (MOST_FILES, 50)


def test_findings_stand_by_severity_and_among_those_in_the_order_of_the_rules() -> None:
    given = [
        finding(severity, rule, "text") for severity, rule in zip(("info", "error", "warning", "error"), "abcd", strict=True)
    ]
    result = Audit("s", 3, tuple(given))
    assert [one.rule for one in result.findings] == ["b", "d", "c", "a"]
    assert not result.ok
    assert Audit("s", 3, tuple(one for one in given if one.severity != "error")).ok


def test_the_file_tells_every_finding_and_counts_them(tmp_path: Path) -> None:
    given = (finding("warning", "blank", "one", "look", ["a.png"], {"share": 0.5}), finding("info", "class_counts", "two"))
    value = json.loads(Audit("s", 3, given, ((0, 1),)).save(tmp_path / "audit.json").read_text())
    assert (value["drifa_audit"], value["study"], value["images"]) == (AUDIT_VERSION, "s", 3)
    assert value["counts"] == {"error": 0, "warning": 1, "info": 1}
    assert value["findings"][0] == {
        **{"severity": "warning", "rule": "blank", "message": "one", "remedy": "look"},
        **{"files": ["a.png"], "count": 1, "data": {"share": 0.5}},
    }
