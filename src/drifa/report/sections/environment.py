"""With which settings and versions the run was made."""

from __future__ import annotations

from typing import Any

from drifa.runs.files import RunFiles


def record(files: RunFiles) -> dict[str, Any]:
    """The configuration as text and the environment by name; None for a file that is not there."""
    return {"environment": files.environment, "config": files.config}
