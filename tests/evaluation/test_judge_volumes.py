"""Segmentation from a study to judged volumes, on miniature BraTS subjects."""

from __future__ import annotations

import json
import runpy
import shutil
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from drifa.cli.main import app
from drifa.config import make_config
from drifa.data import Study, prepare, split, write_receipt
from drifa.errors import DrifaError
from drifa.evaluation.evaluate import evaluate
from drifa.metrics.names import VOLUME_METRICS
from drifa.prediction.cases import Case
from drifa.prediction.masks import check_mask_files, label_maps, mask_files
from drifa.prediction.predict import predict_volumes
from drifa.report.words import written_as
from drifa.runs.run import Run
from drifa.training.train import resume, train
from tests.report_page import report

GENERATOR = Path(__file__).parents[1] / "data" / "brats" / "data.py"
BRATS = {"WT": (1, 2, 4), "TC": (1, 4), "ET": (4,)}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("brats")
    runpy.run_path(str(GENERATOR))["write"](folder / "raw")
    prepare("brats", folder / "raw", folder / "study")
    return folder / "study"


def settings(study: Path, **train_settings: object) -> dict:
    return {
        "data": {
            "study": str(study),
            "tasks": ["tumour"],
            "modalities": ["flair", "t1"],
            "image_size": 32,
            "protocol": "kfold",
            "folds": 4,
            "shift": 1,
        },
        "model": {"width": 1 / 16, "dropout": 0.25},
        "train": {"epochs": 2, "members": 2, "batch_size": 8, "threads": 1, "modality_dropout": 0.3, **train_settings},
        "evaluate": {"passes": 2, "resamples": 20},
    }


@pytest.fixture(scope="module")
def run(study: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    run = train(make_config(settings(study)), tmp_path_factory.mktemp("runs") / "run", quiet=True)
    evaluate(run.folder, subsets=True)
    return run


def test_every_mode_region_and_metric_is_judged(run):
    metrics = json.loads((run.folder / "metrics.json").read_text())["tumour"]
    assert list(metrics) == ["deterministic", "mc", "ensemble", "ensemble_mc"]
    for mode in metrics.values():
        assert {f"{metric}_{region}" for metric in ("dice", "hd95", "missed") for region in BRATS} <= set(mode)
        assert 0 <= mode["dice"]["value"] <= 1


def test_predictions_lie_on_the_grid_of_the_input(run, study):
    table = pd.read_csv(run.folder / "volumes.csv", keep_default_na=False)
    subject = table["subject"].iloc[0]
    own = run.study()
    number = own.subjects().ids.tolist().index(subject)
    given = nibabel.load(own.image_path(int(own.subjects().image[number, 0])))
    written = nibabel.load(run.folder / "predictions" / f"{subject}_tumour.nii.gz")
    assert written.shape == given.shape
    np.testing.assert_allclose(written.affine, given.affine)
    assert set(np.unique(written.dataobj)) <= {0, 1, 2, 4}


def test_the_subset_of_all_modalities_is_the_ensemble(run):
    table = pd.read_csv(run.folder / "volumes.csv", keep_default_na=False)
    everything = table[table["subset"] == "flair+t1"].sort_values(["subject", "region"])
    ensemble = table[table["mode"] == "ensemble"].sort_values(["subject", "region"])
    np.testing.assert_allclose(everything["dice"].to_numpy(float), ensemble["dice"].to_numpy(float))
    assert set(table["subset"]) == {"", "flair", "t1", "flair+t1"}


def test_a_resumed_segmentation_run_ends_with_the_same_weights(study, run, tmp_path):
    half = train(make_config(settings(study, epochs=1, members=1)), tmp_path / "half", quiet=True)
    resume(half.folder, {"epochs": 2}, quiet=True)
    whole = (run.member(0) / "model.safetensors").read_bytes()
    assert (half.member(0) / "model.safetensors").read_bytes() == whole


def test_a_new_case_is_segmented_as_the_evaluation_does(run, tmp_path):
    own = run.study()
    number = int(own.subjects().in_split("test")[0])
    subject = str(own.subjects().ids[number])
    images = {name: own.image_path(int(row)) for name, row in zip(own.modalities, own.subjects().image[number], strict=True)}
    result = predict_volumes(run.folder, [Case(subject, images)], tmp_path).to_json()
    written = nibabel.load(tmp_path / f"{subject}_tumour.nii.gz")
    expected = nibabel.load(run.folder / "predictions" / f"{subject}_tumour.nii.gz")
    assert np.mean(np.asarray(written.dataobj) != np.asarray(expected.dataobj)) < 0.001
    assert set(result["cases"][0]["tasks"]["tumour"]["regions"]) == set(BRATS)
    before = (tmp_path / f"{subject}_tumour.nii.gz").read_bytes()
    with pytest.raises(DrifaError, match="exists already; choose another --out"):
        predict_volumes(run.folder, [Case(subject, images)], tmp_path)
    assert (tmp_path / f"{subject}_tumour.nii.gz").read_bytes() == before
    with pytest.raises(DrifaError, match=r"'a b' and 'a/b' would both be written to .*a_b_tumour"):
        predict_volumes(run.folder, [Case("a b", images), Case("a/b", images)], tmp_path)
    one = predict_volumes(run.folder, [Case(subject, {"t1": images["t1"]})], tmp_path / "one").to_json()
    assert Path(one["cases"][0]["tasks"]["tumour"]["files"][0]).is_file()


def test_a_scan_stored_in_another_orientation_gets_the_same_mask_in_its_own(run, tmp_path):
    own = run.study()
    number = int(own.subjects().in_split("test")[0])
    images = {name: own.image_path(int(row)) for name, row in zip(own.modalities, own.subjects().image[number], strict=True)}
    turned = {}
    for name, path in images.items():
        image = nibabel.load(path)
        image = image.as_reoriented(nibabel.orientations.axcodes2ornt("AIR")).as_reoriented([[0, -1], [1, 1], [2, 1]])
        nibabel.save(image, turned.setdefault(name, tmp_path / f"{name}.nii.gz"))
    for place, files in (("plain", images), ("turned", turned)):
        predict_volumes(run.folder, [Case("a", files)], tmp_path / place)
    plain, other = (nibabel.load(tmp_path / place / "a_tumour.nii.gz") for place in ("plain", "turned"))
    np.testing.assert_allclose(other.affine, nibabel.load(turned["flair"]).affine)
    assert nibabel.aff2axcodes(other.affine) != nibabel.aff2axcodes(plain.affine)
    back = [np.asarray(nibabel.as_closest_canonical(mask).dataobj) for mask in (plain, other)]
    assert np.mean(back[0] != back[1]) < 0.01


def test_what_a_segmentation_cannot_use_is_refused(run, study, tmp_path):
    flair = Study.load(study).image_path(0)
    with pytest.raises(DrifaError, match=r"'age' of subject 'a' is no modality .* no columns"):
        predict_volumes(run.folder, [Case("a", {"flair": flair}, {"age": "50"})], tmp_path)
    words = ["predict", str(run.folder), "--image", f"flair={flair}", "--out", str(tmp_path / "masks"), "--csv", "a.csv"]
    with pytest.raises(DrifaError, match=r"--csv a\.csv is for classes"):
        CliRunner().invoke(app, words, catch_exceptions=False)
    assert not (tmp_path / "masks").exists()
    tabular = settings(study)
    tabular["data"] |= {"modalities": [], "tabular": {"patient": ["group"]}}
    with pytest.raises(DrifaError, match=r"'patient' is a tabular one.*data\.tabular"):
        train(make_config(tabular), tmp_path / "run", quiet=True)
    assert not (tmp_path / "run").exists()


def test_slices_may_stay_as_they_are(study, tmp_path):
    native = settings(study, epochs=1, members=1)
    native["data"]["image_size"] = 0
    run = train(make_config(native), tmp_path / "run", quiet=True)
    evaluate(run.folder)
    own = run.study()
    number = int(own.subjects().in_split("test")[0])
    subject = str(own.subjects().ids[number])
    box = run.cache(own).geometry[number]
    assert box.slices[1:] == (box.stop[0] - box.start[0], box.stop[1] - box.start[1])
    images = {name: own.image_path(int(row)) for name, row in zip(own.modalities, own.subjects().image[number], strict=True)}
    predict_volumes(run.folder, [Case(subject, images)], tmp_path / "new")
    masks = [nibabel.load(folder / f"{subject}_tumour.nii.gz") for folder in (tmp_path / "new", run.folder / "predictions")]
    assert masks[0].shape == masks[1].shape == nibabel.load(images["flair"]).shape
    assert np.mean(np.asarray(masks[0].dataobj) != np.asarray(masks[1].dataobj)) < 0.001


def test_another_study_with_fewer_modalities_can_be_judged(run, study, tmp_path):
    other = Study.load(study).select(["flair"], ["tumour"])
    other.save(tmp_path / "other")
    where, metrics = evaluate(run.folder, study=tmp_path / "other", split="all")
    assert where != run.folder
    assert metrics["tumour"]["ensemble"]["dice"]["n"] == 4


def test_all_leaves_out_what_was_set_aside_of_the_own_study_alone(run, study, tmp_path):
    copy = Path(shutil.copytree(run.folder, tmp_path / "run"))
    own = run.study()
    aside = str(own.subjects().ids[own.subjects().in_split("train")[0]])
    made = replace(own, table=own.table.assign(split=own.table["split"].where(own.table["subject"] != aside, "unused")))
    write_receipt(made, split(made, "given")[1], copy)
    where, metrics = evaluate(copy, split="all")
    table = pd.read_csv(where / "volumes.csv")
    assert set(table["subject"]) == {str(name) for name in own.subjects().ids} - {aside}
    assert metrics["tumour"]["ensemble"]["dice"]["n"] == 3
    assert not list((where / "predictions").glob(f"{aside}_*"))
    # Of another study all that it holds is asked for.
    made.save(tmp_path / "other")
    where, metrics = evaluate(copy, study=tmp_path / "other", split="all", out=tmp_path / "out")
    assert metrics["tumour"]["ensemble"]["dice"]["n"] == 4


def test_tasks_of_two_kinds_are_refused_with_the_remedy(study, tmp_path):
    wrong = settings(study)
    wrong["data"]["tasks"] = []
    with pytest.raises(DrifaError, match=r"two kinds.*data\.tasks"):
        train(make_config(wrong), tmp_path / "run", quiet=True)
    assert not (tmp_path / "run").exists()


def test_settings_of_classification_are_refused(study, tmp_path):
    wrong = settings(study)
    wrong["model"]["backbone"] = "resnet50"
    with pytest.raises(DrifaError, match=r"model\.backbone is for classification"):
        train(make_config(wrong), tmp_path / "run", quiet=True)


def test_the_report_tells_every_metric_subject_and_subset(run):
    page = report(run.folder)
    metrics = json.loads((run.folder / "metrics.json").read_text())["tumour"]
    for mode in metrics.values():
        for name, value in mode.items():
            if name == "dice":  # the mean over regions is not told: each region is
                continue
            style = VOLUME_METRICS[
                next(key for key in sorted(VOLUME_METRICS, key=len, reverse=True) if name.startswith(key))
            ].style
            assert name in page.text["metrics"]
            assert written_as(style, value)["text"] in page.text["metrics"]
    table = pd.read_csv(run.folder / "volumes.csv", keep_default_na=False)
    best = table[table["mode"] == "ensemble_mc"]
    for value in best["predicted_ml"].astype(float):
        assert f"{value:.1f}" in page.text["subjects"]
    for subset in ("flair", "t1", "flair+t1"):
        assert page.has("subsets", subset)
    dots = [attributes for tag, attributes in page.tags if tag == "circle" and attributes["class"] == "dot s0"]
    assert len(dots) >= len(best)
    assert page.has("training", "Validation Dice, %: tumour/WT")
    assert page.has("data", "fold 0 of 4")


def test_the_worst_subject_comes_first_and_names_are_text(run, tmp_path):
    copy = Path(shutil.copytree(run.folder, tmp_path / "run"))
    table = pd.read_csv(copy / "volumes.csv", keep_default_na=False)
    rows = table[table["mode"] == "ensemble_mc"]
    better, worse = rows.assign(subject="good & <u>fine</u>", dice=0.9), rows.assign(subject="bad", dice=0.1)
    pd.concat([better, worse]).to_csv(copy / "volumes.csv", index=False)
    evaluation = json.loads((copy / "evaluation.json").read_text())
    (copy / "evaluation.json").write_text(json.dumps({**evaluation, "files": {}}))
    page = report(copy)
    text = page.text["subjects"]
    assert 0 < text.index("bad") < text.index("good & <u>fine</u>")
    assert "u" not in {tag for tag, _ in page.tags}


@pytest.mark.parametrize(
    ("file", "section"), [("metrics.json", "summary"), ("metrics.json", "metrics"), ("volumes.csv", "subjects")]
)
def test_a_report_without_a_file_says_which_command_writes_it(run, tmp_path, file, section):
    copy = Path(shutil.copytree(run.folder, tmp_path / "run"))
    (copy / file).unlink()
    assert report(copy).has(section, f"{file} is not in this run folder; drifa evaluate RUN writes it")


@pytest.mark.parametrize("text", ["", "subject,task\na,b\n", '"unclosed\n'])
def test_a_damaged_table_is_an_error_that_names_it(run, tmp_path, text):
    copy = Path(shutil.copytree(run.folder, tmp_path / "run"))
    (copy / "volumes.csv").write_text(text)
    with pytest.raises(DrifaError, match=r"volumes\.csv.*drifa evaluate"):
        report(copy)


def test_a_label_map_gives_the_regions_back():
    random = np.random.default_rng(0)
    whole = random.random((6, 5, 4)) < 0.6
    core = whole & (random.random(whole.shape) < 0.6)
    nested = np.stack([whole, core, core & (random.random(whole.shape) < 0.5)], axis=-1)
    maps = label_maps(nested, BRATS)
    assert list(maps) == [""]
    for k, values in enumerate(BRATS.values()):
        np.testing.assert_array_equal(np.isin(maps[""], values), nested[..., k])


def test_regions_that_are_not_nested_get_a_mask_each():
    predicted = np.random.default_rng(0).random((4, 4, 4, 2)) < 0.5
    maps = label_maps(predicted, {"left": (1,), "right": (2,)})
    assert list(maps) == ["_left", "_right"]
    np.testing.assert_array_equal(np.stack(list(maps.values()), axis=-1), predicted)


def test_masks_of_any_names_stay_in_their_folder(tmp_path):
    apart = {"../../x": (1,), "/any/place": (2,)}
    for path in check_mask_files(tmp_path, ["../../../s", "/s", ".."], {"tumour": apart}):
        assert path.resolve().parent == tmp_path.resolve()


def test_two_regions_or_subjects_of_one_file_are_refused_by_both_names(tmp_path):
    with pytest.raises(DrifaError, match=r"regions 'a b' and 'a/b' of task 'tumour' would both be written to .*a_b\.nii\.gz"):
        mask_files(tmp_path, "s", "tumour", ["_a b", "_a/b"])
    with pytest.raises(DrifaError, match="subjects 's 1' and 's/1' would both be written to"):
        check_mask_files(tmp_path, ["s 1", "s/1"], {"tumour": BRATS})
