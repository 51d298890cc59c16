"""Volumes over HTTP: the figures and masks that the predictor gives, the same sentences, nothing kept."""

from __future__ import annotations

import base64
import gzip
import tempfile
from pathlib import Path

import nibabel
import numpy as np
import pytest

from drifa.errors import DrifaError
from drifa.prediction.cases import Case
from drifa.prediction.masks import label_maps
from drifa.prediction.predictor import Predictor
from drifa.prediction.volumes import answer_volumes
from drifa.serving.limits import Limits
from tests.prediction.test_volumes import regions_of
from tests.serving.clients import client_of, form
from tests.serving.test_app import plain


def nifti(text: str) -> nibabel.nifti1.Nifti1Image:
    """The image of a mask as it is sent."""
    return nibabel.nifti1.Nifti1Image.from_bytes(gzip.decompress(base64.b64decode(text, validate=True)))


def test_figures_and_masks_are_those_of_the_predictor_and_of_its_files(
    segmenter: Predictor, volumes: dict[str, Path], tmp_path: Path
) -> None:
    # Neither the order of the voxels nor the ending of the files is that of the study.
    files = {name: tmp_path / f"{name}.nii.gz" for name in volumes}
    for name, path in volumes.items():
        nibabel.save(nibabel.load(path).as_reoriented([[1, -1], [2, 1], [0, 1]]), files[name])
    expected = segmenter.predict([Case("P1", files)]).cases[0]
    with client_of(segmenter) as client:
        bare = client.post("/v1/predict", files=form(files), data={"subject": "P1"})
        told = client.post("/v1/predict", params={"masks": True}, files=form(files), data={"subject": "P1"}).json()
    assert bare.status_code == 200, bare.text
    assert bare.json() == plain(expected)
    masks = {name: nifti(text) for name, text in told["tasks"]["tumour"].pop("masks").items()}
    assert told == bare.json()
    known = regions_of(expected).masks
    assert list(masks) == list(known)
    for name, mask in masks.items():
        assert mask.to_bytes() == known[name].to_bytes()
        assert np.asarray(mask.dataobj).any()
    (written,) = regions_of(answer_volumes(segmenter, [Case("P1", files)], tmp_path / "masks").cases[0]).files
    together = np.stack([np.asarray(mask.dataobj) == 1 for mask in masks.values()], axis=-1)
    np.testing.assert_array_equal(
        label_maps(together, segmenter.regions["tumour"])[""], np.asarray(nibabel.load(written).dataobj)
    )


def test_a_modality_may_be_left_out_and_other_formats_are_read(
    segmenter: Predictor, volumes: dict[str, Path], tmp_path: Path
) -> None:
    itk = pytest.importorskip("SimpleITK", reason="SimpleITK is not installed: pip install 'drifa[volumes]'")
    expected = plain(segmenter.predict([Case("case", {"t1": volumes["t1"]})]).cases[0])["tasks"]
    found = {}
    with client_of(segmenter) as client:
        for ending in ("nii", "nrrd", "mha"):
            path = tmp_path / f"t1.{ending}"
            itk.WriteImage(itk.ReadImage(str(volumes["t1"])), str(path))
            told = client.post("/v1/predict", files=form({"t1": path}))
            assert told.status_code == 200, told.text
            found[ending] = told.json()
    for ending, answer in found.items():
        assert (answer["images"], answer["tasks"]) == ({"t1": f"t1.{ending}"}, expected)


def test_a_wrong_volume_is_refused_in_the_words_of_the_command_line(
    segmenter: Predictor, volumes: dict[str, Path], tmp_path: Path
) -> None:
    whole = nibabel.load(volumes["t1"])
    good, cut, other = tmp_path / "good.nii.gz", tmp_path / "cut.nii.gz", tmp_path / "other.nii"
    nibabel.save(whole, good)
    cut.write_bytes(good.read_bytes()[: good.stat().st_size // 2])
    (tmp_path / "notes.nii.gz").write_bytes(b"no volume")
    nibabel.save(whole.slicer[:12], other)
    huge = nibabel.Nifti1Header()
    huge.set_data_shape((1024, 1024, 1024))
    (tmp_path / "huge.nii").write_bytes(huge.binaryblock)
    asked: list[tuple[dict[str, Path], str | None]] = [
        ({"t1": cut}, "t1"),
        ({"flair": tmp_path / "notes.nii.gz"}, "flair"),
        ({"t1": tmp_path / "huge.nii"}, "t1"),
        ({"t2": volumes["t1"]}, "t2"),
        ({"flair": volumes["flair"], "t1": other}, None),
    ]
    with client_of(segmenter) as client:
        for files, field in asked:
            response = client.post("/v1/predict", files=form(files))
            told = response.json()["error"]
            assert (response.status_code, told["type"], told["field"]) == (422, "input", field)
            with pytest.raises(DrifaError) as said:
                segmenter.predict([Case("case", files)])
            expected = str(said.value)
            for path in files.values():
                expected = expected.replace(str(path), path.name)
            assert told["message"] == expected


def test_nothing_of_a_volume_stays(
    segmenter: Predictor, volumes: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    seen: list[int] = []
    segment = Predictor.segment
    monkeypatch.setattr(
        Predictor, "segment", lambda self, case: (seen.append(len(list(tmp_path.iterdir()))), segment(self, case))[1]
    )
    with client_of(segmenter) as client:
        assert client.post("/v1/predict", files=form(volumes)).status_code == 200
        assert client.post("/v1/predict", files={"t1": ("a.nii", b"no")}).status_code == 422
    assert seen == [1, 1]
    assert list(tmp_path.iterdir()) == []


def test_the_limits_of_a_server_hold_for_volumes(segmenter: Predictor, volumes: dict[str, Path]) -> None:
    sent, found = form(volumes), []
    for limits in (Limits(body=1000), Limits(waiting=0), Limits(seconds=1e-9)):
        with client_of(segmenter, limits=limits) as client:
            response = client.post("/v1/predict", files=sent)
            found.append((response.status_code, response.json()["error"]["type"]))
    assert found == [(413, "size"), (429, "busy"), (503, "timeout")]


def test_what_is_for_images_alone_says_where_to_ask(segmenter: Predictor, volumes: dict[str, Path]) -> None:
    with client_of(segmenter) as client:
        told = [client.post(route, files=form(volumes)) for route in ("/v1/predict/batch", "/v1/explain")]
    assert [one.status_code for one in told] == [404, 404]
    assert all("POST /v1/predict" in one.json()["error"]["message"] for one in told)


def test_the_model_says_that_it_takes_volumes_and_what_regions_it_finds(segmenter: Predictor, volumes: dict[str, Path]) -> None:
    with client_of(segmenter) as client:
        model, routes = client.get("/v1/model").json(), client.get("/openapi.json").json()["paths"]
    assert {name: one["kind"] for name, one in model["modalities"].items()} == dict.fromkeys(volumes, "volume")
    assert list(model["tasks"]["tumour"]["regions"]) == list(segmenter.regions["tumour"])
    assert not {"/v1/predict/batch", "/v1/explain"} & set(routes)
