"""What is odd about a case before any network sees it."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pydicom
import pytest
from PIL import Image

from drifa.data.tabular import TabularEncoder
from drifa.prediction.cases import Case
from drifa.prediction.given import Held
from drifa.prediction.plausible import implausible
from drifa.prediction.sources import decode_images
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


def test_the_same_pixels_are_told_whatever_holds_them_and_in_whatever_channels(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, size=(9, 9), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    Image.fromarray(pixels).save(tmp_path / "a.tif")  # other bytes
    held = {
        "file": tmp_path / "a.png",
        "saved again": tmp_path / "a.tif",
        "array": Held(pixels),
        "picture": Held(Image.fromarray(pixels)),
    }
    for one, other in combinations(held, 2):
        case = Case("x", {"photo": held[one], "scan": held[other]})
        (found,) = implausible(case, {}, decode_images(case, {"photo": 3, "scan": 1}))
        assert (found.modality, "the same as that of photo" in found.text) == ("scan", True), (one, other)
    for different in (pixels[:8], pixels.T.copy(), pixels ^ 1):
        case = Case("x", {"photo": Held(pixels), "scan": Held(different)})
        assert implausible(case, {}, decode_images(case, {"photo": 3, "scan": 1})) == ()


def test_two_patients_are_told_of_datasets_and_of_series_too(tmp_path: Path) -> None:
    def one(patient: str, value: int) -> pydicom.Dataset:
        return make(np.full((4, 4), value, dtype=np.uint16), PatientID=patient)

    for name, patient in (("first", "id-17"), ("second", "id-18")):
        (tmp_path / name).mkdir()
        one(patient, 3).save_as(tmp_path / name / "1.dcm", enforce_file_format=True)
    first, second = tmp_path / "first", tmp_path / "second"
    pairs = ((Held(one("id-17", 1)), Held(one("id-18", 2))), (first, second), (first, Held(one("id-18", 2))))
    for these in pairs:
        (found,) = implausible(Case("x", dict(zip(("photo", "scan"), these, strict=True))), {})
        assert "another patient" in found.text
        assert "id-1" not in found.text
    assert implausible(Case("x", {"photo": first, "scan": Held(one("id-17", 2))}), {}) == ()
    (same,) = implausible(Case("x", {"photo": first, "scan": first}), {})
    assert "same file" in same.text
