"""Volumes answered from Python: masks in memory are those of the files, sizes have an interval over the draws."""

from __future__ import annotations

import json
import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import drifa
from drifa import DrifaError
from drifa.cli.main import app
from drifa.config import make_config
from drifa.data import prepare
from drifa.prediction import parts
from drifa.prediction.answers import RegionsAnswer
from drifa.prediction.cases import Case
from drifa.prediction.masks import label_maps
from drifa.prediction.predict import predict, predict_volumes
from drifa.prediction.predictor import Predictor
from drifa.runs.run import Run
from drifa.training.train import train
from tests.evaluation.test_judge_volumes import GENERATOR, settings


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("volumes")
    runpy.run_path(str(GENERATOR))["write"](folder / "raw")
    prepare("brats", folder / "raw", folder / "study")
    return train(make_config(settings(folder / "study", epochs=1)), folder / "run", quiet=True)


@pytest.fixture
def predictor(run: Run) -> Predictor:
    return drifa.load(run.folder, device="cpu")


def images(run: Run) -> dict[str, Path]:
    """Of a test subject."""
    study, subjects = run.study(), run.study().subjects()
    row = subjects.image[subjects.in_split("test")[0]]
    return {name: study.image_path(int(one)) for name, one in zip(study.modalities, row, strict=True)}


def regions_of(answer: Any) -> RegionsAnswer:
    found = answer.tasks["tumour"]
    assert isinstance(found, RegionsAnswer)
    return found


def undecided(run: Run, passes: int, members: slice = slice(None)) -> Predictor:
    """All or some networks of a run, made to see each region in half of what they look at, so that their draws differ."""
    found = drifa.load(run.folder, device="cpu")
    settings, nets = found.run.config.evaluate, found.nets
    found.run.config.evaluate = settings.model_copy(update={"passes": 0})
    for net in nets:
        found.nets = [net]
        p = found.segment(Case("a", images(run))).probabilities["tumour"]
        p = p[(p > 0).any(axis=-1)].clip(1e-6, 1 - 1e-6)
        net.heads["tumour"].bias.data -= torch.from_numpy(np.median(np.log(p / (1 - p)), axis=0))
    found.run.config.evaluate, found.nets = settings.model_copy(update={"passes": passes}), nets[members]
    return found


def test_masks_in_memory_are_those_of_the_files_in_the_orientation_of_the_input(
    run: Run, predictor: Predictor, tmp_path: Path
) -> None:
    held, files = {}, {}
    for name, path in images(run).items():
        held[name] = nibabel.load(path).as_reoriented([[1, -1], [2, 1], [0, 1]])
        nibabel.save(held[name], files.setdefault(name, tmp_path / f"{name}.nii.gz"))
    answer = predictor("a", **held)
    found = regions_of(answer)
    written = regions_of(predict_volumes(run.folder, [Case("a", files)], tmp_path / "masks").cases[0])
    assert found.regions == written.regions
    assert (found.files, written.masks) == ((), {})
    stored = nibabel.load(written.files[0])
    masks = {name: np.asarray(mask.dataobj) for name, mask in found.masks.items()}
    regions = predictor.regions["tumour"]
    assert list(masks) == list(regions)
    np.testing.assert_array_equal(
        label_maps(np.stack(list(masks.values()), axis=-1) == 1, regions)[""], np.asarray(stored.dataobj)
    )
    for name, mask in found.masks.items():
        np.testing.assert_allclose(mask.affine, held["flair"].affine)
        voxel = np.prod(nibabel.affines.voxel_sizes(mask.affine)) / 1000
        assert found.regions[name].volume_ml == pytest.approx(masks[name].sum() * voxel)
    assert "masks" not in answer.to_dict()["tasks"]["tumour"]
    assert json.loads(json.dumps(answer.to_dict())) == answer.to_dict()


def test_any_iterable_of_cases_is_answered_and_a_bad_one_costs_the_others_nothing(run: Run, predictor: Predictor) -> None:
    told = images(run)

    def many() -> Iterator[dict[str, Any]]:
        yield {"subject": "both", **told}
        yield {"subject": "one", "t1": str(told["t1"])}

    both, one = predictor(many())
    assert both == predictor("both", **told) == predictor.predict([Case("both", told)]).cases[0]
    assert (list(one.images), one.missing, both.missing) == (["t1"], ("flair",), ())
    assert (one.words(), both.words()) == ("without flair", "")
    assert one.to_dict()["missing"] == ["flair"]
    assert list(regions_of(one).masks) == list(regions_of(both).masks)
    bad = Case("bad", {"flair": Path("nowhere.nii.gz")})
    result = predictor.predict([bad, Case("both", told)], strict=False)
    assert ([case.subject for case in result.cases], [one.subject for one in result.failures]) == (["both"], ["bad"])
    with pytest.raises(DrifaError, match=r"nowhere\.nii\.gz"):
        predictor.predict([bad])
    with pytest.raises(DrifaError, match="--out FOLDER"):
        predict(run.folder, [Case("both", told)])


def test_workers_do_not_segment(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "find_spec", lambda _: True)
    (tmp_path / "cases.csv").write_text(f"subject,modality,path\na,flair,{images(run)['flair']}\n")
    with pytest.raises(DrifaError, match="segments volumes, which --engine ray does not"):
        parts.predict_table(run.folder, tmp_path / "cases.csv", tmp_path / "parts")
    assert not (tmp_path / "parts").exists()


@pytest.mark.parametrize("passes", [0, 1])
def test_the_interval_is_that_of_the_draws_each_cut_as_the_answer(run: Run, passes: int) -> None:
    """Of two members with one draw each the draws are what each of them answers alone."""
    whole = undecided(run, passes)
    own = [undecided(run, passes, slice(k, k + 1)) for k in range(2)]
    told = images(run)
    found = regions_of(whole("a", **told)).regions
    alone = [regions_of(one("a", **told)).regions for one in own]
    for name, region in found.items():
        sizes = [one[name].volume_ml for one in alone]
        assert region.volume_interval == pytest.approx(tuple(np.quantile(sizes, (0.025, 0.975))))
        assert all(one[name].volume_interval is None for one in alone)
    assert any(len({one[name].volume_ml for one in alone}) > 1 for name in found)


def test_draws_that_agree_have_an_interval_of_no_width_and_every_draw_counts(run: Run) -> None:
    alike = undecided(run, 2, slice(1))
    found = alike.segment(Case("a", images(run)))
    assert found.drawn["tumour"].shape == (2, len(alike.regions["tumour"]))
    assert (found.drawn["tumour"][0] != found.drawn["tumour"][1]).any()
    alike.nets[0].dropout_rate = 0.0
    for region in regions_of(alike("a", **images(run))).regions.values():
        assert region.volume_interval == pytest.approx((region.volume_ml, region.volume_ml))


def test_the_interval_is_on_the_screen_in_the_table_and_in_the_file(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["predict", str(run.folder), "--out", "masks", "--json", "a.json", "--quiet"]
    for name, path in images(run).items():
        words += ["--image", f"{name}={path}"]
    printed = CliRunner().invoke(app, words, catch_exceptions=False).output
    case = json.loads(Path("a.json").read_text())["cases"][0]
    row = drifa.load(run.folder, device="cpu")(case["subject"], **images(run)).to_frame().iloc[0]
    for name, region in case["tasks"]["tumour"]["regions"].items():
        low, high = region["volume_interval"]
        assert f"{name} {region['volume_ml']:.1f} ml ({low:.1f} to {high:.1f})" in printed
        assert [row[f"{name} (ml, {end} %)"] for end in ("2.5", "97.5")] == pytest.approx([low, high])


def test_what_a_volume_is_answered_without_is_on_the_screen(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["predict", str(run.folder), "--image", f"t1={images(run)['t1']}", "--out", "masks", "--quiet"]
    with pytest.raises(DrifaError, match=r"data\.fold cannot be set"):
        CliRunner().invoke(app, [*words, "data.fold=1"], catch_exceptions=False)
    assert "(without flair, " in CliRunner().invoke(app, words, catch_exceptions=False).output
