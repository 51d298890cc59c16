"""What the numbers say against relying on the model."""

from __future__ import annotations

from typing import Any

from drifa.report.limitations import limitations
from drifa.runs.files import RunFiles


def record(files: RunFiles) -> dict[str, Any] | None:
    """The sentences; None where the numbers, or their absence, say nothing."""
    sentences = limitations(files)
    return {"sentences": sentences} if sentences else None
