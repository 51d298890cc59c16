"""Overlays keep the original beside them; drawings stand alone."""

from __future__ import annotations

import csv
import io
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from drifa.explain.figures import (
    PREDICTED,
    TRUE,
    bars,
    cloud,
    coloured,
    gate_bars,
    modality_files,
    outlined,
    overlay,
    png,
    space_files,
)
from drifa.explain.flat import Flat
from drifa.networks.gates import Gate


def test_the_left_half_is_the_image_and_the_right_one_is_coloured_where_the_map_is() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (30, 20, 1), dtype=np.uint8)
    values = np.zeros((10, 10))
    values[:5] = 1
    both = overlay(pixels, values)
    assert both.shape == (30, 40, 3)
    assert (both[:, :20] == pixels).all()
    assert (both[20:, 20:] == pixels[20:]).all()
    assert (both[:10, 20:, 0] > both[:10, 20:, 2]).all()  # towards yellow


def test_outlines_run_along_the_inside_of_regions_and_white_is_where_both_agree() -> None:
    pixels = np.full((8, 8, 1), 50, dtype=np.uint8)
    predicted, true = np.zeros((8, 8, 1), dtype=bool), np.zeros((8, 8, 1), dtype=bool)
    predicted[1:6, 1:6], true[1:6, 1:4] = True, True
    drawn = outlined(pixels, predicted, true)
    assert (drawn[1, 1] == 255).all()
    assert tuple(drawn[3, 3]) == TRUE
    assert tuple(drawn[3, 5]) == PREDICTED
    for inside_or_out in ((3, 2), (0, 0), (6, 6), (3, 4)):
        assert (drawn[inside_or_out] == 50).all()
    alone = outlined(pixels, predicted)
    assert {tuple(pixel) for row in alone for pixel in row} == {(50, 50, 50), PREDICTED}


def test_colours_rise_in_lightness() -> None:
    lightness = coloured(np.linspace(0, 1, 50)[None])[0] @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(lightness) > 0).all()


def test_a_png_is_what_was_given() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    assert (np.asarray(Image.open(io.BytesIO(png(pixels)))) == pixels).all()


def test_drawings_are_whole_files_with_words_escaped() -> None:
    points = np.random.default_rng(0).normal(size=(9, 2))
    gate = Gate("mfa", "refine.0", "photo", 0.7, 0.02, 0.1, 9)
    for text, names in (
        (bars("Shares", {"photo": (0.2, 0.1, 0.3), "<scan>": (-0.1, None, None)}, "share"), ["photo", "<scan>"]),
        (cloud("PCA", points, ["b", "a & c", "b"] * 3), ["a & c", "b"]),
        (gate_bars([gate]), ["mfa photo refine.0"]),
    ):
        root = ElementTree.fromstring(text)
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        words = [node.text for node in root.iter("{http://www.w3.org/2000/svg}text")]
        assert set(names) <= set(words)


def test_a_space_is_drawn_by_class_and_by_answers_with_its_places() -> None:
    points = np.random.default_rng(0).normal(size=(4, 2))
    names = ["a", "b", "c", "d"]
    answers = ["right", "wrong", "right", "no answer"]
    flat = Flat("tsne", {"pca": points, "tsne": points}, perplexity=4, seed=7)
    found = space_files("cell", flat, names, ["x", "y"] * 2, answers)
    assert list(found) == ["pca-cell.svg", "tsne-cell.svg", "right-cell.svg", "space-cell.csv"]
    assert "no answer: 1, right: 2, wrong: 1; perplexity 4, seed 7" in found["right-cell.svg"]
    assert "seed" not in found["pca-cell.svg"]
    rows = list(csv.DictReader(found["space-cell.csv"].splitlines()))
    assert [row["answer"] for row in rows] == answers
    assert float(rows[2]["tsne_2"]) == pytest.approx(points[2, 1], rel=1e-5)


def test_a_space_without_another_form_is_drawn_as_its_pca() -> None:
    points = np.random.default_rng(0).normal(size=(4, 2))
    found = space_files("cell", Flat("pca", {"pca": points}), ["a", "b", "c", "d"], ["x", "y"] * 2, ["right", "wrong"] * 2)
    assert list(found) == ["pca-cell.svg", "right-cell.svg", "space-cell.csv"]
    assert 'right: 2, wrong: 2"' in found["right-cell.svg"]


def test_what_the_network_sees_is_drawn_with_its_places() -> None:
    points = np.random.default_rng(0).normal(size=(5, 2))
    flat = Flat("umap", {"pca": points, "umap": -points}, n_neighbors=4, seed=7)
    found = modality_files(flat, ["a", "a", "a", "b", "c"], ["photo", "scan", "both", "photo", "scan"])
    assert list(found) == ["modalities-pca.svg", "modalities-umap.svg", "modalities.csv"]
    assert "5 points; both: 1, photo: 2, scan: 2; n_neighbors 4, seed 7" in found["modalities-umap.svg"]
    rows = list(csv.DictReader(found["modalities.csv"].splitlines()))
    assert [(row["subject"], row["seen"]) for row in rows][2:4] == [("a", "both"), ("b", "photo")]
    assert float(rows[2]["umap_2"]) == pytest.approx(-points[2, 1], rel=1e-5)


def test_a_long_name_has_room() -> None:
    drawn = bars("a", {"mfa ultrasound stages.0.4.conv1.mfa": (0.1, None, None), "x": (0.2, None, None)}, "unit")
    start = float(re.search(r'<text x="([\d.]+)"[^>]*>mfa ultrasound', drawn)[1])
    assert start >= 7 * len("mfa ultrasound stages.0.4.conv1.mfa")
