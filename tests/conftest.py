"""What all tests share: one CPU thread (tests run side by side), and the folder of real data, if there is one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def data_root() -> Path:
    """The folder that DRIFA_DATA names; tests that need real data skip without it."""
    folder = os.environ.get("DRIFA_DATA", "")
    if not folder or not Path(folder).is_dir():
        pytest.skip("set DRIFA_DATA to a folder with real datasets (ham10000/, sipakmed/) to run this test")
    return Path(folder).resolve()


@pytest.fixture(scope="session")
def golden() -> Path:
    """The folder of reference vectors made with the authors' layers (DRIFA_GOLDEN, or beside the data)."""
    folder = os.environ.get("DRIFA_GOLDEN", "")
    if not folder and os.environ.get("DRIFA_DATA"):
        folder = str(Path(os.environ["DRIFA_DATA"]).resolve().parent / "golden")
    if not folder or not (Path(folder) / "mfa.npz").is_file():
        pytest.skip("set DRIFA_GOLDEN to the folder with mfa.npz and mifa.npz to run this test")
    return Path(folder)
