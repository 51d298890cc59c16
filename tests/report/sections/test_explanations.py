"""What `drifa explain` left is told in words and numbers; what another program wrote is no part of the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from drifa.report.sections import cases, explanations
from drifa.runs.files import read_run
from tests.report.other_runs import write
from tests.report_page import report

SCRIPT = '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


def explained(run: Path, **changes: Any) -> None:
    space = {"cases": 9, "silhouette": 0.31, "knn_accuracy": 0.7, "neighbours": 5, "form": "tsne"}
    space["files"] = ["pca-cell.svg", "tsne-cell.svg"]
    told = {
        "drifa_explanation": 1,
        "cases": [],
        "cohort": {"cell": {"pap_smear": {"value": 0.4, "low": 0.3, "high": 0.5}}},
        "cohort_cases": 9,
        "gates": [
            {"kind": "mfa", "modality": "pap_smear", "block": "layer1", "spread": 0.2},
            {"kind": "mifa", "modality": "pap_smear", "block": "layer2", "spread": 0.001},
        ],
        "embedding": {"cell": space},
    }
    write(run / "explain" / "explain.json", {**told, **changes})


def test_shares_gates_and_space_are_told(run: Path) -> None:
    explained(run)
    write(run / "explain" / "tsne-cell.svg", SCRIPT)
    page = report(run)
    assert page.has("explanations", "1 of 2 gates of the fusion move with the image")
    assert page.has("explanations", "most is mfa pap_smear layer1")
    assert page.has("explanations", "0.400")
    assert page.has("explanations", "5 nearest training cases")
    assert [tag for tag, _ in page.tags if tag == "script"] == []
    assert [attributes["src"][:26] for tag, attributes in page.tags if tag == "img"] == ["data:image/svg+xml;base64,"]  # type: ignore[index]


def test_each_map_stands_with_its_checks_and_each_case_with_the_training_cases_like_it(run: Path) -> None:
    good = {
        **{"file": "maps/a.png", "cells": [2, 2], "largest": 1.0, "agreement": 0.9, "randomisation": 0.05},
        **{"insertion": 0.8, "deletion": 0.1, "random": 0.4},
    }
    maps = {"pap_smear": good, "dermoscopy": {**good, "largest": 0.0, "randomisation": None, "agreement": None}}
    alike = [{"subject": "T1", "cosine": 0.91, "group": "G7", "labels": {"cell": "parabasal"}}]
    case = {
        "subject": cases.record(read_run(run))["classes"][1]["gallery"][0]["subject"],  # type: ignore[index]
        "tasks": {"cell": {"output": "koilocytotic", "answer": 0.8, "maps": maps}},
        "neighbours": alike,
    }
    explained(run, cases=[case], method="gradcam", layer="layer4.0")
    page = report(run)
    assert page.has("explanations", "1 of 2 maps failed a check and should not be read")
    assert page.has("explanations", "This map should not be read: it is empty")
    told = "shuffled weights 0.05, agreement 0.90, insertion 0.800, deletion 0.100, either by random pixels 0.400"
    assert page.has("explanations", told)
    assert page.has("explanations", "Maps of layer layer4.0, 2 × 2 cells stretched over the image: so few cells")
    assert page.has("explanations", "T1 (group G7; cell parabasal; cosine 0.91)")
    told = cases.record(read_run(run))
    assert told is not None
    galleries = [row["alike"] for task in told["classes"] for row in task["gallery"] if row["subject"] == case["subject"]]
    assert galleries == ["T1 (group G7; cell parabasal; cosine 0.91)"]


def test_figures_from_elsewhere_are_left_out(run: Path) -> None:
    write(run / "secret.svg", SCRIPT)
    explained(run, embedding={"cell": {"neighbours": 5, "files": ["../secret.svg"]}})
    told = explanations.record(read_run(run))
    assert told is not None
    assert told["spaces"][0]["figures"] == []


def test_shares_gates_and_both_colourings_are_figures_with_their_data(run: Path) -> None:
    gates = [{"kind": "mfa", "modality": "pap_smear", "block": "layer1", "mean": 0.6, "spread": 0.2}]
    files = ["pca-cell.svg", "tsne-cell.svg", "right-cell.svg", "space-cell.csv"]
    space = {"neighbours": 5, "form": "tsne", "perplexity": 30.0, "seed": 3, "files": files}
    explained(run, gates=gates, embedding={"cell": space})
    for name in files[:3]:
        write(run / "explain" / name, SCRIPT)
    write(run / "explain" / files[3], "subject,class,answer,tsne_1,tsne_2\na,round,right,1,2\nb,flat,wrong,3,4\n")
    page = report(run)
    links = {str(a["download"]) for tag, a in page.tags if tag == "a" and "download" in a}
    assert {"cell-shares.csv", "gates.csv", "cell-space-by-class.csv", "cell-space-by-answer.csv"} <= links
    alts = [str(a["alt"]) for tag, a in page.tags if tag == "img"]
    assert [alt.rpartition(". ")[2] for alt in alts] == ["flat: 1; round: 1", "right: 1; wrong: 1"]
    assert all("perplexity 30, seed 3" in alt for alt in alts)
    assert "mfa pap_smear layer1: 0.600 ± 0.200" in page.source
    assert "pap_smear: 0.4 (0.3 to 0.5)" in page.source


def test_the_space_by_modality_is_a_figure_with_its_data(run: Path) -> None:
    seen = {
        **{"cases": 2, "points": {"dermoscopy": 1, "pap_smear": 1}, "silhouette": 0.04, "alike": 0.61, "by_chance": 0.49},
        **{"neighbours": 5, "form": "umap", "n_neighbors": 2, "seed": 3, "files": ["modalities-umap.svg", "modalities.csv"]},
    }
    explained(run, by_modality=seen, embedding={})
    page = report(run)
    assert page.has("explanations", "alone, 61.0\u00a0% show the same modality (49.0\u00a0% if modalities were mixed)")
    assert page.has("explanations", "silhouette by modality 0.04")
    assert [tag for tag, _ in page.tags if tag == "img"] == []
    write(run / "explain" / "modalities-umap.svg", SCRIPT)
    write(
        run / "explain" / "modalities.csv", "subject,seen,umap_1,umap_2\na,pap_smear,1,2\na,dermoscopy,3,4\nb,pap_smear,3,4\n"
    )
    page = report(run)
    assert [str(a["alt"]).rpartition(". ")[2] for tag, a in page.tags if tag == "img"] == ["dermoscopy: 1; pap_smear: 2"]
    assert "UMAP by cosine, n_neighbors 2, seed 3" in page.source
    assert "space-by-modality.csv" in {str(a["download"]) for tag, a in page.tags if tag == "a" and "download" in a}


def test_without_it_the_command_is_named(run: Path, volumes: Path) -> None:
    assert report(run).has("explanations", "explain/explain.json is not in this run folder; drifa explain RUN writes it")
    assert report(volumes).has("explanations", "explain/explain.json is not in this run folder; drifa explain RUN writes it")


def test_slices_of_volumes_are_told_and_their_pictures_named(volumes: Path) -> None:
    one = {"file": "maps/1-a-tumour-middle.png", "plane": 7, "entropy": 0.25}
    case = {"subject": "a", "modality": "flair", "true": ["tumour"], "tasks": {"tumour": {"middle": one}}}
    write(volumes / "explain" / "explain.json", {"drifa_explanation": 1, "cases": [case]})
    page = report(volumes)
    assert page.has("explanations", "a: tumour, plane 7 of flair, middle: 0.250 nats a pixel")
    assert page.has("explanations", "drifa report RUN --images puts them here")
    assert not [attributes for tag, attributes in page.tags if tag == "img"]
