"""The page of an audit: no picture unasked, twins side by side where asked, and names that cannot become markup."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from drifa.data import Study
from drifa.data.audit import audit
from drifa.errors import DrifaError
from drifa.report.audit_page import write_audit_page
from drifa.report.study import PHANTOM
from tests.data.audit.made import make, make_volumes, picture

WARNING = "This page holds pictures of patients"


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A study with one picture twice under two labels, and a file that is no picture."""
    study = make(tmp_path_factory.mktemp("twins"), count=12)
    Image.fromarray(picture(0)).save(study.root / "001.png")
    (study.root / "002.png").write_bytes(b"no picture")
    return study


def test_there_is_no_picture_unless_somebody_asks(twins: Study, tmp_path: Path) -> None:
    page = write_audit_page(audit(twins), twins, tmp_path / "page.html").read_text()
    assert "<img" not in page
    assert WARNING not in page
    assert "001.png" in page


def test_twins_stand_side_by_side_and_the_page_says_whom_it_shows(twins: Study, tmp_path: Path) -> None:
    page = write_audit_page(audit(twins), twins, tmp_path / "page.html", images=True).read_text()
    assert WARNING in page
    sets = [part for part in page.split('<div class="gallery">') if "<code>000.png" in part]
    assert sets
    assert all(len(re.findall('<img src="data:image/', part.split("</div>")[0])) == 2 for part in sets)
    assert "kind: a" in sets[0]
    assert "kind: b" in sets[0]
    assert "No errors" not in page


def test_nobody_is_in_the_pictures_of_the_built_in_study(twins: Study, tmp_path: Path) -> None:
    made = replace(twins, source=PHANTOM[0], licence=PHANTOM[1])
    page = write_audit_page(audit(made), made, tmp_path / "page.html", images=True).read_text()
    assert "<img" in page
    assert WARNING not in page


def test_names_are_text_and_not_markup(twins: Study, tmp_path: Path) -> None:
    named = replace(twins, name="<b>x</b>")
    page = write_audit_page(audit(named), named, tmp_path / "page.html").read_text()
    assert "<b>x" not in page
    assert "&lt;b&gt;x" in page


def test_pictures_of_volumes_are_refused(tmp_path: Path) -> None:
    study = make_volumes(tmp_path, count=2)
    result = audit(study)
    with pytest.raises(DrifaError, match="holds volumes; leave --images out"):
        write_audit_page(result, study, tmp_path / "page.html", images=True)
    assert not (tmp_path / "page.html").exists()
    assert write_audit_page(result, study, tmp_path / "page.html").is_file()
