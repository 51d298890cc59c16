"""What is installed is whole: the built wheel, away from the checkout, makes a demo from data to report."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.slow
def test_the_wheel_makes_a_demo_outside_the_checkout(tmp_path: Path) -> None:
    def run(*command: str, **more: str) -> str:
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | more
        done = subprocess.run(
            [sys.executable, *command], cwd=tmp_path, env=environment, text=True, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    run("-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", "built", str(ROOT))
    (wheel,) = (tmp_path / "built").glob("drifa-*.whl")
    run("-m", "pip", "install", "--quiet", "--no-deps", "--target", "installed", str(wheel))
    installed = str(tmp_path / "installed")
    assert Path(run("-c", "import drifa; print(drifa.__file__)", PYTHONPATH=installed).strip()).is_relative_to(installed)
    run("-m", "drifa", "demo", "--out", "demo", "--quiet", PYTHONPATH=installed)
    assert "<svg" in (tmp_path / "demo" / "report.html").read_text(encoding="utf-8")
