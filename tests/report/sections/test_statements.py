"""Ethics and funding are printed as the study tells them, and a study that cannot be read is no secret."""

from __future__ import annotations

import shutil
from pathlib import Path

from drifa.report.write import write_report
from drifa.runs.run import Run
from tests.report_page import report


def test_what_the_study_states_stands_at_its_item(paired_run: Run, tmp_path: Path) -> None:
    run = shutil.copytree(paired_run.folder, tmp_path / "run")
    yaml = paired_run.study().root / "study.yaml"
    before = yaml.read_text(encoding="utf-8")
    told: list[str] = []
    try:
        yaml.write_text(before + "reporting:\n  funding: The <b>example</b> fund\n  intended_use: Teaching\n", encoding="utf-8")
        page = report(run)
        assert page.has("statements", "Funding CLAIM 44 · TRIPOD+AI 18a The <b>example</b> fund")
        assert page.has("statements", "Ethics approval and consent TRIPOD+AI 17 not stated")
        assert page.has("scope", "Intended use and users CLAIM 3 · TRIPOD+AI 3b Teaching")
        yaml.write_text(before + "reporting: {fundin: x}\n", encoding="utf-8")
        html = write_report(run, warn=told.append).read_text(encoding="utf-8")
    finally:
        yaml.write_text(before, encoding="utf-8")
    assert len(told) == 1
    assert "no pictures, subgroups or statements: unknown key 'fundin'" in told[0]
    assert "did you mean &#39;funding&#39;?" in html
