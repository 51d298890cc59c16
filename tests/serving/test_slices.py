"""Slices to look at: nothing that was found is lost, left is not right, and they stay small."""

from __future__ import annotations

import base64
import gzip
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from nibabel.orientations import axcodes2ornt, ornt_transform

from drifa.data.reading.volumes import mask_image, read_volume
from drifa.prediction.cases import Case
from drifa.prediction.predictor import Predictor
from drifa.serving.slices import MOST, SIDE, slices_of
from tests.serving.clients import client_of, form


def stack(told: dict[str, Any], text: str) -> np.ndarray:
    """uint8 ``[n, H, W]``."""
    data = gzip.decompress(base64.b64decode(text, validate=True))
    return np.frombuffer(data, dtype=np.uint8).reshape(told["shape"])


def test_slices_of_an_answer_show_its_volumes_and_masks(segmenter: Predictor, volumes: dict[str, Path]) -> None:
    with client_of(segmenter) as client:
        answer = client.post("/v1/predict", params={"slices": True}, files=form(volumes)).json()
    told, voxels = answer["slices"], read_volume(volumes["t1"])
    assert told["shape"] == [16, 24, 24]  # as large as they are: nothing is left out or shrunk
    assert list(told["images"]) == list(volumes)
    image = stack(told, told["images"]["t1"])
    # Where voxels are brighter pixels are not darker.
    order = np.argsort(voxels.array.transpose(2, 1, 0)[:, ::-1, ::-1], axis=None)
    assert (np.diff(image.ravel()[order].astype(int)) >= 0).all()
    assert image.max() == 255
    for name, region in answer["tasks"]["tumour"]["regions"].items():
        mask = stack(told, told["masks"]["tumour"][name])
        assert mask.sum() * np.prod(voxels.spacing) / 1000 == pytest.approx(region["volume_ml"])


@pytest.mark.parametrize("axes", ["RAS", "LPS", "SLA"])
def test_large_volumes_are_shrunk_with_the_patients_right_at_the_left_and_lose_no_voxel(tmp_path: Path, axes: str) -> None:
    shape = (2 * SIDE + 1, SIDE + 7, MOST + 50)
    array = np.zeros(shape, dtype=np.float32)
    x, y, z = 300, 20, 200  # at the patient's right, posterior, high
    array[x - 3 : x + 4, y - 3 : y + 4, z - 3 : z + 4] = 5
    affine = np.diag([0.5, 2.0, 3.0, 1.0])
    image = nibabel.Nifti1Image(array, affine)
    turn = ornt_transform(axcodes2ornt("RAS"), axcodes2ornt(axes))
    path = tmp_path / "a.nii"
    nibabel.save(image.as_reoriented(turn), path)
    volume = read_volume(path)
    found = np.zeros(shape, dtype=np.uint8)
    found[x, y, :] = 1
    told = slices_of(Case("a", {"t1": path}), {"tumour": {"WT": mask_image(found, volume)}})
    n, height, width = told["shape"]
    assert (n, max(height, width)) == (MOST, SIDE)
    assert height / width == pytest.approx(shape[1] / shape[0], abs=1 / SIDE)
    assert (told["depth"], told["numbers"][0], told["numbers"][-1]) == (shape[2], 1, shape[2])
    assert told["size_mm"] == pytest.approx([2.0 * shape[1], 0.5 * shape[0]])
    mask, pixels = stack(told, told["masks"]["tumour"]["WT"]), stack(told, told["images"]["t1"])
    # One voxel wide, of two voxels a pixel.
    assert mask.any(axis=(1, 2)).all()
    for one in (mask, pixels):
        where = np.argwhere(one).mean(axis=0)
        assert where[1] == pytest.approx((shape[1] - 1 - y) * height / shape[1], abs=1)
        assert where[2] == pytest.approx((shape[0] - 1 - x) * width / shape[0], abs=1)
    assert told["numbers"][int(np.argwhere(pixels)[:, 0].mean())] == pytest.approx(z + 1, abs=2)


@pytest.mark.parametrize(("inside", "expected"), [(0.0, 0), (7.0, 255), (-7.0, 255)])
def test_a_volume_of_one_value_can_be_seen(tmp_path: Path, inside: float, expected: int) -> None:
    array = np.zeros((6, 6, 6), dtype=np.float32)
    array[2:4, 2:4, 2:4] = inside
    nibabel.save(nibabel.Nifti1Image(array, np.eye(4)), tmp_path / "a.nii")
    told = slices_of(Case("a", {"t1": tmp_path / "a.nii"}), {})
    pixels = stack(told, told["images"]["t1"])
    assert (pixels.max(), pixels.min()) == (expected, 0)
