"""The server under load: a short form of `benchmarks/serve_load.py`, which fails where an answer is lost or mixed up."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "serve_load.py"


@pytest.mark.slow
def test_no_answer_is_lost_or_mixed_up_under_load() -> None:
    ended = subprocess.run(
        [sys.executable, str(SCRIPT), "--seconds", "15", "--clients", "4"], capture_output=True, text=True, timeout=400
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "good: " in ended.stdout
