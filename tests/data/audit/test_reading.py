"""One pass over the files: what is read of an image and a volume, and what cannot be read is noted, never raised."""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from drifa.data.audit import audit
from drifa.data.audit.reading import read_study, thumbnail
from tests.data.audit.made import make, make_volumes, only, picture, rules
from tests.nifti_files import LPS, make_head, write_nifti
from tests.series_files import write_series


def test_files_that_cannot_be_read_are_found_without_a_crash(tmp_path: Path) -> None:
    study = make(tmp_path)
    whole = (tmp_path / "000.png").read_bytes()
    (tmp_path / "000.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "001.png").write_bytes(b"PK\x03\x04" + bytes(200))
    (tmp_path / "002.png").write_bytes(b"")
    (tmp_path / "003.png").unlink()
    Image.fromarray(np.zeros((10001, 10001), dtype=np.uint8)).save(tmp_path / "004.png")
    one = only(audit(study), "unreadable")
    assert one.severity == "error"
    assert one.files == tuple(f"00{number}.png" for number in range(5))


def test_files_are_read_as_the_tasks_say_and_not_as_they_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = make(tmp_path)
    write_nifti(tmp_path / "volume.nii.gz", make_head()[0])
    paths = study.table["path"].replace("000.png", "volume.nii.gz")
    refused = only(audit(replace(study, table=study.table.assign(path=paths))), "unreadable")
    assert refused.files == ("volume.nii.gz",)
    assert "save the slice you mean as PNG" in refused.message

    volumes = make_volumes(tmp_path)
    (tmp_path / "0_t1.nii.gz").rename(tmp_path / "0_t1.dat")
    Image.fromarray(picture(0)).save(tmp_path / "1_t1.png")
    swapped = volumes.table["path"].replace({"0_t1.nii.gz": "0_t1.dat", "1_t1.nii.gz": "1_t1.png"})
    result = audit(replace(volumes, table=volumes.table.assign(path=swapped)))
    assert only(result, "unreadable").files == ("1_t1.png",)


def test_a_volume_too_large_for_training_is_an_error(tmp_path: Path) -> None:
    study = make_volumes(tmp_path)
    write_nifti(tmp_path / "0_t1.nii.gz", np.zeros((1, 1, 1), dtype=np.uint8))
    header = bytearray(gzip.decompress((tmp_path / "0_t1.nii.gz").read_bytes()))
    header[42:48] = np.array([600, 600, 600], dtype="<i2").tobytes()
    (tmp_path / "0_t1.nii.gz").write_bytes(gzip.compress(bytes(header)))
    assert "has 600x600x600 voxels, more than" in only(audit(study), "unreadable").message


@pytest.mark.parametrize("step", [0.0, 1.0])
def test_volumes_of_large_values_that_hardly_differ_are_audited(tmp_path: Path, step: float) -> None:
    study = make_volumes(tmp_path)
    for name in ("0_t1", "0_t2"):
        write_nifti(tmp_path / f"{name}.nii.gz", np.float32(2**23) + step * (make_head()[1] > 0).astype(np.float32))
    write_nifti(tmp_path / "1_t1.nii.gz", np.full(make_head()[1].shape, 1e30, np.float32))
    assert "unreadable" not in rules(audit(study))


def test_what_is_read_of_an_image_follows_from_its_pixels(tmp_path: Path) -> None:
    study = make(tmp_path, count=12)
    # 20 x 30 pixels: a quarter is 0, the rest 200 with one pixel of 255.
    pixels = np.full((20, 30), 200, dtype=np.uint8)
    pixels[:5], pixels[19, 29] = 0, 255
    Image.fromarray(pixels).save(tmp_path / "000.png")
    facts = read_study(study)
    assert facts.sizes[0].tolist() == [20, 30, 1]
    assert facts.extremes[0].tolist() == [0, 255]
    assert facts.dominant[0] == pytest.approx(449 / 600)
    expected = np.zeros(16)
    expected[[0, 12, 15]] = 150 / 600, 449 / 600, 1 / 600
    np.testing.assert_allclose(facts.histograms[0], expected)
    assert facts.bytes[0] == (tmp_path / "000.png").stat().st_size
    assert facts.encodings[0] == "PNG L"
    assert facts.colourfulness[0] == 0
    assert (facts.colourfulness[1:] > 0).all()


def test_what_is_read_of_a_volume_follows_from_its_voxels(tmp_path: Path) -> None:
    study = make_volumes(tmp_path, count=2)
    grey = make_head()[0]
    write_nifti(tmp_path / "0_t1.nii.gz", grey)
    write_nifti(tmp_path / "0_t2.nii.gz", np.full_like(grey, 7))
    facts = read_study(study)
    rows = {str(path): row for row, path in enumerate(study.table["path"])}
    head, flat = rows["0_t1.nii.gz"], rows["0_t2.nii.gz"]
    assert sorted(facts.sizes[head]) == sorted(grey.shape)
    np.testing.assert_allclose(facts.extremes[head], [grey.min(), grey.max()])
    np.testing.assert_allclose(facts.histograms[head], np.histogram(grey, 16)[0] / grey.size, atol=0.005)
    assert facts.grids[head].array.shape == tuple(facts.sizes[head])
    assert facts.grids[head].array.nbytes == 4 * grey.size  # a view of a single number
    assert facts.grids[head].array.strides == (0, 0, 0)
    assert (facts.dominant[flat], facts.histograms[flat].tolist()) == (1, [1.0] + [0.0] * 15)


def test_a_thumbnail_keeps_the_mean_and_takes_grey_and_rgb_alike() -> None:
    grey = picture(0, 128)[:, :, 0]
    small = thumbnail(grey)
    assert (small.dtype, small.shape) == (np.uint8, (64, 64))
    assert small.mean() == pytest.approx(grey.mean(), abs=1)
    for same in (grey[:, :, None], np.repeat(grey[:, :, None], 3, axis=2)):
        assert np.abs(thumbnail(same).astype(int) - small).max() <= 1


def test_a_folder_of_dicom_slices_is_one_volume(tmp_path: Path) -> None:
    study = make_volumes(tmp_path)
    values = make_head()[0].round()
    write_nifti(tmp_path / "0_t1.nii.gz", values)
    write_series(tmp_path / "0_t1", values, LPS)
    table = study.table.assign(path=study.table["path"].replace({"0_t1.nii.gz": "0_t1"}))
    row = table.index[table["path"] == "0_t1"][0]
    nifti, series = read_study(study), read_study(replace(study, table=table))
    assert series.errors[row] == ""
    assert series.digests[row] == nifti.digests[row]
    assert series.encodings[row] == "DICOM series"
    assert series.bytes[row] == sum(path.stat().st_size for path in (tmp_path / "0_t1").iterdir())
