"""What all tests share: one CPU thread (tests run side by side), the folder of real data if there is one, two tiny runs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from drifa.runs.run import Run

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


def trained(folder: Path, paired: bool) -> Run:
    """A tiny run on a phantom, evaluated."""
    from drifa.data import make_phantom
    from drifa.evaluation.evaluate import evaluate
    from drifa.training.train import train
    from tests.studies import tiny_config

    make_phantom(folder / "study", subjects=70, image_size=32, paired=paired)
    run = train(tiny_config(folder / "study", epochs=1), folder / "run", quiet=True)
    evaluate(run.folder)
    return run


@pytest.fixture(scope="session")
def paired_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return trained(tmp_path_factory.mktemp("paired"), paired=True)


@pytest.fixture(scope="session")
def unpaired_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return trained(tmp_path_factory.mktemp("unpaired"), paired=False)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium, driven by Playwright; skips where there is none.

    Its event loop runs in this thread for as long as it lives, so that nothing beside it can call ``asyncio.run``.
    """
    from playwright.sync_api import sync_playwright

    place = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if place is None:
        pytest.skip("no chromium on PATH")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=place, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()
