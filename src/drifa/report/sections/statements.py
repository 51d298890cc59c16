"""Ethics, funding and what else belongs to a report and stands in no file but `study.yaml`."""

from __future__ import annotations

from typing import Any

from drifa.report.statements import statements
from drifa.runs.files import RunFiles


def record(files: RunFiles) -> dict[str, Any]:
    """The statements of the study that have no other place on the page."""
    return {"statements": statements(files, "statements")}
