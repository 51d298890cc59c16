"""An experiment that is killed at any moment loses no finished job, and ends as one that was not."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.experiments.conftest import Write
from tests.experiments.test_run import said

KILLS = 20


def _begun(file: Path, out: Path) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-m", "drifa", "compare", str(file), "--out", str(out), "--quiet"]
    return subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True)


def _finished(out: Path) -> dict[str, int]:
    return {path.parent.name: path.stat().st_mtime_ns for path in out.glob("jobs/*/job.json")}


@pytest.mark.slow
def test_a_kill_at_any_moment_loses_no_finished_job(write: Write, tmp_path: Path) -> None:
    file, choose = write(), random.Random(0)
    start = time.monotonic()
    undisturbed = _begun(file, tmp_path / "undisturbed")
    assert (undisturbed.wait(), undisturbed.stderr and undisturbed.stderr.read()) == (0, b"")
    seconds, kills, folder = time.monotonic() - start, 0, 0
    while kills < KILLS:
        out = tmp_path / str(folder)
        before = _finished(out)
        process = _begun(file, out)
        try:
            process.wait(choose.uniform(0, seconds))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            kills += 1
        code = process.wait()
        after = _finished(out)
        assert {name: after.get(name) for name in before} == before
        if code == -signal.SIGKILL:
            continue
        assert (code, process.stderr and process.stderr.read()) == (0, b"")
        assert said(out) == said(tmp_path / "undisturbed")
        folder += 1
    last = _begun(file, tmp_path / str(folder))
    assert last.wait() == 0
    assert said(tmp_path / str(folder)) == said(tmp_path / "undisturbed")
