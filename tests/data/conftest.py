"""Studies that the tests of `drifa.data` share."""

from __future__ import annotations

import os
import runpy
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from drifa.data.adapters.phantom import make_phantom
from drifa.data.study.schema import Modality, Task
from drifa.data.study.study import Study
from drifa.data.targets import ClassTarget


@pytest.fixture(scope="session")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return make_phantom(tmp_path_factory.mktemp("phantom"), subjects=120, image_size=32, seed=0)


@pytest.fixture(scope="session")
def unpaired(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return make_phantom(tmp_path_factory.mktemp("unpaired"), subjects=120, image_size=32, seed=0, paired=False)


@pytest.fixture
def rows() -> pd.DataFrame:
    """A valid table without images: 6 patients, the last two with two subjects; two modalities; one task."""
    subject = [f"s{number}" for number in range(8)]
    group = ["p0", "p1", "p2", "p3", "p4", "p4", "p5", "p5"]
    label = ["1", "01", "1", "01", "1", "01", "1", ""]
    photo = pd.DataFrame({"subject": subject, "modality": "photo", "group": group, "split": "", "kind": label})
    scan = photo.iloc[:5].assign(modality="scan", kind="")
    table = pd.concat([photo, scan], ignore_index=True)
    table["path"] = table["modality"] + "/" + table["subject"] + ".png"
    table["age"] = "045"
    return table


@pytest.fixture
def study(rows: pd.DataFrame, tmp_path: Path) -> Study:
    return Study(
        name="tiny",
        root=tmp_path / "images",
        table=rows,
        modalities={"photo": Modality("photo", 3), "scan": Modality("scan", 1)},
        tasks={"kind": Task("kind", ClassTarget(("1", "01")), ("photo", "scan"))},
        licence="CC0",
        notes="two lines:\nthe second",
    )


@pytest.fixture
def fake(tmp_path: Path) -> Callable[[str], Path]:
    """Writes a seeded miniature of a dataset in its real layout and returns its folder."""

    def write(name: str) -> Path:
        folder = tmp_path / name
        runpy.run_path(str(Path(__file__).parent / name / "data.py"))["write"](folder)
        return folder

    return write


@pytest.fixture(scope="session")
def real() -> Callable[[str], Path]:
    """The folder of a real dataset below the one that DRIFA_DATA names; skips the test where it is absent."""

    def find(name: str) -> Path:
        home = os.environ.get("DRIFA_DATA")
        if not home:
            pytest.skip(f"set DRIFA_DATA to the folder that holds {name}/ to run this test on real data")
        folder = Path(home) / name
        if not folder.is_dir():
            pytest.skip(f"DRIFA_DATA={home} holds no folder {name}/")
        return folder

    return find
