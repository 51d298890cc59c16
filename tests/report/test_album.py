"""Pictures: none of patients without being asked, small, without what their files told; one that is gone is named."""

from __future__ import annotations

import base64
import io
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from drifa.errors import DrifaError
from drifa.report import write_report
from drifa.report.album import SIDE, Album, image
from drifa.report.study import PHANTOM, is_phantom, with_study
from drifa.runs.files import read_run
from drifa.runs.run import Run

WARNING = "This page holds pictures of patients"


def pictures(page: str) -> list[bytes]:
    return [base64.b64decode(text) for text in re.findall(r'src="data:image/(?:png|jpeg);base64,([^"]+)"', page)]


@pytest.fixture
def phantom(paired_run: Run, tmp_path: Path) -> Path:
    """A copy of a run on the built-in study, with the study beside it; nothing in it is explained."""
    shutil.copytree(paired_run.folder.parent / "study", tmp_path / "study")
    copied = shutil.copytree(paired_run.folder, tmp_path / "run", ignore=shutil.ignore_patterns("explain"))
    return Path(copied)


def of_patients(run: Path) -> Path:
    """Says that somebody is in the pictures."""
    header = run.parent / "study" / "study.yaml"
    header.write_text(header.read_text().replace(PHANTOM[1], "internal"))
    return run


def test_the_built_in_study_is_always_pictured_and_small(phantom: Path) -> None:
    page = write_report(phantom).read_text()
    found = pictures(page)
    assert found
    assert WARNING not in page
    assert len(page.encode()) < 1_500_000
    for data in found:
        with Image.open(io.BytesIO(data)) as picture:
            assert max(picture.size) <= 2 * SIDE


def test_patients_are_pictured_only_where_somebody_asks_and_the_page_says_so(phantom: Path) -> None:
    run = of_patients(phantom)
    page = write_report(run).read_text()
    assert pictures(page) == []
    assert WARNING not in page
    page = write_report(run, images=True).read_text()
    assert pictures(page)
    assert WARNING in page


def test_a_picture_that_is_gone_is_named_and_the_old_report_stays(phantom: Path) -> None:
    run = of_patients(phantom)
    shutil.rmtree(run.parent / "study" / "images")
    write_report(run)
    (run / "report.html").write_text("the old report")
    with pytest.raises(DrifaError, match=r"--images asks for a picture that cannot be shown: .*images.*\.png"):
        write_report(run, images=True)
    assert (run / "report.html").read_text() == "the old report"


def test_without_a_study_there_is_nothing_to_ask_for(run: Path) -> None:
    with pytest.raises(DrifaError, match=r"its study cannot be read .*; leave --images out"):
        write_report(run, images=True)
    album = Album(read_run(run), None)
    assert not album
    assert album("anybody") == ""


def test_pictures_are_of_the_runs_own_study(phantom: Path) -> None:
    files = read_run(phantom)
    study = with_study(files).study
    assert study is not None
    assert is_phantom(study)
    assert set(study.table["split"]) >= {"train", "val", "test"}
    subject = study.table["subject"].iloc[0]
    assert Album(files, study)(subject).count("<img") == 2
    assert Album(files, study)("nobody") == ""


def test_overlays_stand_in_for_images_and_none_from_elsewhere(phantom: Path) -> None:
    files = read_run(phantom)
    study = with_study(files).study
    assert study is not None
    subject = str(study.table["subject"].iloc[0])
    folder = phantom / "explain" / "maps"
    folder.mkdir(parents=True)
    Image.new("RGB", (40, 20), (200, 10, 10)).save(folder / "a.png")
    Image.new("RGB", (40, 20), (200, 10, 10)).save(phantom / "outside.png")

    def shown(file: str) -> str:
        maps = {"photo": {"file": file}}
        object.__setattr__(files, "explanation", {"cases": [{"subject": subject, "tasks": {"surface": {"maps": maps}}}]})
        return str(Album(files, study)(subject, "surface"))

    assert "what mattered in it for surface" in shown("maps/a.png")
    assert shown("../outside.png").count("<img") == 2  # the images themselves
    assert "what mattered" not in shown("../outside.png")


def test_an_image_is_encoded_anew_and_its_words_are_text() -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (300, 200, 3), dtype=np.uint8)
    tag = image(pixels, 'a "quoted" <b>')
    assert "<b>" not in tag
    (data,) = pictures(str(tag))
    with Image.open(io.BytesIO(data)) as picture:
        assert picture.height == SIDE
        assert not picture.getexif()
        assert set(picture.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
    grey = image(np.zeros((5, 5, 1), dtype=np.uint8), "grey")
    assert 'width="5"' in grey  # not enlarged
