"""A run of volumes shows where its regions are uncertain, on the slices that say so."""

from __future__ import annotations

import json
import runpy
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from drifa.cli.main import app
from drifa.config import make_config
from drifa.data import prepare
from drifa.data.reading.volumes import read_volume
from drifa.errors import DrifaError
from drifa.explain.explain import explain
from drifa.explain.volumes import entropy_of_regions
from drifa.prediction.cases import Case
from drifa.prediction.predictor import Predictor
from drifa.report import write_report
from drifa.runs.run import Run
from drifa.training.train import train
from tests.evaluation.test_judge_volumes import GENERATOR, settings


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("volumes")
    runpy.run_path(str(GENERATOR))["write"](folder / "raw")
    prepare("brats", folder / "raw", folder / "study")
    return train(make_config(settings(folder / "study", epochs=1, members=1)), folder / "run", quiet=True)


def test_the_most_uncertain_slice_is_drawn_over_the_first_modality(run: Run) -> None:
    where, found = explain(run.folder, cases=2)
    told = json.loads((where / "explain.json").read_text(encoding="utf-8"))
    assert where == run.folder / "explain"
    assert told["drifa_explanation"] == 1
    assert told["patients"]
    assert len(told["cases"]) == len(found.told()) == 1  # the test split has no more
    predictor = Predictor.open(run.folder, device="cpu")
    for case in told["cases"]:
        assert case["modality"] == next(iter(run.info.modalities)) == "flair"
        volume, probabilities, _ = predictor.segment(Case(case["subject"], {k: Path(v) for k, v in case["images"].items()}))
        entropy = entropy_of_regions(probabilities["tumour"])
        slices = case["tasks"]["tumour"]
        assert list(slices) == ["middle", "most_uncertain"]
        by_plane = entropy.mean(axis=(0, 1))
        assert slices["most_uncertain"]["entropy"] == pytest.approx(by_plane.max(), rel=1e-5)
        for one in slices.values():
            assert one["entropy"] == pytest.approx(by_plane[one["plane"]], rel=1e-5)
            drawn = np.asarray(Image.open(where / one["file"])).astype(float)
            width, height = volume.array.shape[:2]
            assert drawn.shape == (height, 3 * width, 3)
            plain, regions, uncertain = np.split(drawn, 3, axis=1)
            # Coloured is what is uncertain, and nothing else: the map is turned as the picture is.
            changed = np.abs(uncertain - plain).max(axis=-1)
            shown = entropy[::-1, ::-1, one["plane"]].T
            assert (changed[shown == 0] == 0).all()
            assert changed[shown > 0.2].min(initial=255) > 0
            # Outlined are both the regions that were found and the true ones, and nothing outside of them.
            found = probabilities["tumour"][..., one["plane"], :] >= 0.5
            (mask,) = [path for path in run.study().mask_paths("tumour") if path and case["subject"] in str(path)]
            true = read_volume(mask).array[:, :, one["plane"]] > 0
            inside = (found.any(axis=-1) | true)[::-1, ::-1].T
            outlined = np.abs(regions - plain).max(axis=-1) > 0
            assert outlined.any() == inside.any()
            assert not (outlined & ~inside).any()
        assert case["true"] == ["tumour"]
    stored = told["cases"][0]
    outcome = CliRunner().invoke(app, ["explain", str(run.folder), "--subject", stored["subject"], "--quiet"])
    assert outcome.exit_code == 0
    assert f"plane {stored['tasks']['tumour']['most_uncertain']['plane']}" in outcome.output
    assert list((where / stored["subject"]).rglob("*-most_uncertain.png"))


def test_the_report_shows_slices_where_somebody_asks(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(run.folder, folder, ignore=shutil.ignore_patterns("explain"))
    with pytest.raises(DrifaError, match="no slice of its volumes was drawn; run `drifa explain"):
        write_report(folder, images=True)
    explain(folder, cases=1)
    assert "<img" not in write_report(folder).read_text(encoding="utf-8")
    page = write_report(folder, images=True).read_text(encoding="utf-8")
    assert page.count("<img") == 2
    assert "holds pictures of patients" in page


def test_entropy_is_that_of_the_region_that_is_least_certain() -> None:
    p = np.array([[0.5, 0.9], [0, 0.0], [1, 1], [0.1, 1]], dtype=np.float32).reshape(4, 1, 1, 2)
    expected = [np.log(2), 0, 0, -(0.1 * np.log(0.1) + 0.9 * np.log(0.9))]
    np.testing.assert_allclose(entropy_of_regions(p).ravel(), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"task": "tumor"}, "did you mean 'tumour'"),
        ({"layer": "layer2"}, "without layer; leave 'layer2' away"),
        ({"method": "occlusion"}, "without method; leave 'occlusion' away"),
        ({"embedding": "pca"}, "without embedding; leave 'pca' away"),
        ({"cases": 0}, "--cases 0 explains nothing"),
        ({"subject": "nobody"}, "'nobody' is not in the study"),
        ({"case": Case("a", {"flare": Path("a.nii")})}, "did you mean 'flair'"),
    ],
)
def test_what_cannot_be_drawn_is_refused(run: Run, asked: dict[str, object], words: str) -> None:
    with pytest.raises(DrifaError, match=words):
        explain(run.folder, **asked)  # type: ignore[arg-type]
