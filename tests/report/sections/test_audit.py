"""The audit in the report: shown where it is, from the run or from beside the study, and never in the way where it is not."""

from __future__ import annotations

import json
from pathlib import Path

from drifa.data.audit import Audit
from drifa.data.audit.findings import finding
from drifa.report import write_report
from drifa.report.words import whole

FOUND = Audit(
    "a <b>study</b>",
    12345,
    (
        finding("info", "class_counts", "a note that stays in the file"),
        finding("error", "duplicates_across_splits", "7 pictures lie in <two> splits", "join their groups"),
    ),
)


def page(run: Path) -> str:
    return write_report(run).read_text(encoding="utf-8")


def test_findings_of_the_run_folder_are_shown_escaped(run: Path) -> None:
    assert 'id="audit"' not in page(run)
    FOUND.save(run / "audit.json")
    text = page(run)
    assert text.count('href="#audit"') == text.count('id="audit"') == 1
    assert "7 pictures lie in &lt;two&gt; splits" in text
    assert "<b>study</b>" not in text
    assert f"{whole(12345)} images" in text
    assert "a note that stays in the file" not in text


def test_findings_beside_the_study_are_found_through_the_configuration(run: Path, tmp_path: Path) -> None:
    study = tmp_path / "study"
    study.mkdir()
    FOUND.save(study / "audit.json")
    (run / "config.yaml").write_text(json.dumps({"data": {"study": [str(tmp_path / "none"), str(study)]}}))
    assert "7 pictures lie in" in page(run)
    (run / "config.yaml").write_text("data: [not, {a mapping")
    assert 'id="audit"' not in page(run)


def test_an_audit_without_errors_and_warnings_says_so(run: Path) -> None:
    Audit("clean", 5, ()).save(run / "audit.json")
    assert "No errors and no warnings." in page(run)
