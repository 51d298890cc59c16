"""What is odd about a case before any network sees it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from drifa.data.tabular import TabularEncoder
from drifa.prediction.cases import Case
from drifa.prediction.plausible import implausible
from tests.data.reading.test_dicom import make

ENCODERS = {"about": TabularEncoder.fit(pd.DataFrame({"Age": ["20", "40", "80"], "sex": ["f", "m", "f"]}), ["Age", "sex"])}


@pytest.mark.parametrize("value", ["20", "80", "110", "-10", "", "NA", "50,5"])
def test_values_within_reach_are_no_matter(value: str) -> None:
    assert implausible(Case("a", {}, {"Age": value, "sex": "m"}), ENCODERS) == ()


@pytest.mark.parametrize("value", ["1954", "111", "-11", "110,5"])
def test_a_value_out_of_reach_names_its_column(value: str) -> None:
    (found,) = implausible(Case("a", {}, {"Age": value}), ENCODERS)
    assert found.modality == "about"
    assert "'Age'" in found.text
    assert value in found.text
    assert "20 to 80" in found.text


def test_one_file_for_two_modalities_is_told_whatever_its_name(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, size=(9, 9, 3), dtype=np.uint8)
    for name in ("a.png", "b.png"):
        Image.fromarray(pixels).save(tmp_path / name)
    Image.fromarray(255 - pixels).save(tmp_path / "c.png")
    a, b, c = (tmp_path / name for name in ("a.png", "b.png", "c.png"))
    (found,) = implausible(Case("x", {"photo": a, "scan": b, "other": c}), {})
    assert found.modality == "scan"
    assert "photo" in found.text
    assert implausible(Case("x", {"photo": a, "scan": c}), {}) == ()


def test_headers_of_two_patients_are_told_without_their_names(tmp_path: Path) -> None:
    for name, patient, value in (("a", "id-17", 1), ("b", "id-18", 2), ("c", "id-17", 3), ("d", "", 4)):
        pixels = np.full((4, 4), value, dtype=np.uint16)
        make(pixels, PatientID=patient).save_as(tmp_path / name, enforce_file_format=True)
    Image.new("L", (4, 4)).save(tmp_path / "e.png")
    a, b, c, d, e = (tmp_path / name for name in ("a", "b", "c", "d", "e.png"))
    (found,) = implausible(Case("x", {"photo": a, "scan": b}), {})
    assert "another patient" in found.text
    assert "id-1" not in found.text
    for other in (c, d, e):
        assert implausible(Case("x", {"photo": a, "scan": other}), {}) == ()
