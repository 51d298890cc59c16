"""Checks of a run: what is written is what is read, and a file that somebody changed is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from drifa import DrifaError
from drifa.files import digest
from drifa.prediction import strangers
from drifa.prediction.strangers import DEPTHS, FILE, find_strangers, look, read_strangers, write_strangers
from drifa.prediction.trust import FILE as TRUST_FILE
from drifa.uncertainty.outliers import OutlierCheck, OutlierScores
from tests.networks.tiny import tiny

NET = tiny()


def photos(count: int, seed: int) -> torch.Tensor:
    """Noise around a grey of its own. uint8 ``[count, 3, 32, 32]``"""
    random = np.random.default_rng(seed)
    levels = random.integers(60, 120, size=(count, 3, 1, 1)) + random.integers(0, 60, size=(count, 3, 32, 32))
    return torch.from_numpy(levels.astype(np.uint8))


@pytest.fixture(scope="module")
def check() -> OutlierCheck:
    training = look(NET, "dermoscopy", photos(60, 0))
    scores = OutlierScores.fit(training.features, np.arange(60) % 2, training.statistics)
    return scores.calibrate(*look(NET, "dermoscopy", photos(60, 1)))


def written(folder: Path, check: OutlierCheck) -> Path:
    told = write_strangers(folder, {"dermoscopy": check})
    (folder / TRUST_FILE).write_text(json.dumps({"strangers_file": told}))
    return folder


def test_what_is_written_is_what_is_read(tmp_path: Path, check: OutlierCheck) -> None:
    assert read_strangers(tmp_path) == {}
    again = read_strangers(written(tmp_path, check))["dermoscopy"]
    new = look(NET, "dermoscopy", photos(20, 2))
    np.testing.assert_allclose(again(*new), check(*new))
    assert again.record == check.record


def test_a_blank_image_is_a_stranger_and_other_modalities_are_not_asked(check: OutlierCheck) -> None:
    usual, blank = photos(1, 3)[0], torch.zeros(3, 32, 32, dtype=torch.uint8)
    cases = [{"dermoscopy": usual}, {"dermoscopy": blank, "pap_smear": blank}, {"pap_smear": blank}, {}]
    none, found, other, nothing = find_strangers(NET, {"dermoscopy": check}, cases)
    assert none == other == nothing == ()
    assert [one.modality for one in found] == ["dermoscopy"]


def test_images_of_an_uncommon_number_of_channels_have_no_statistics() -> None:
    net = tiny(modalities={"dermoscopy": 2, "pap_smear": 3})
    looks = look(net, "dermoscopy", photos(4, 0)[:, :2])
    assert looks.statistics is None
    assert all(len(table) == 4 for table in looks.features)


def test_the_first_and_the_last_stage_are_looked_at() -> None:
    images = photos(4, 0)
    seen = look(NET, "dermoscopy", images).features
    maps = NET.stage_maps(NET.to_input({"dermoscopy": images}))["dermoscopy"]
    assert 2 <= len(seen) <= DEPTHS
    for table, x in ((seen[0], maps[0]), (seen[-1], maps[-1])):
        np.testing.assert_allclose(table, x.mean(dim=(2, 3)).detach().numpy(), rtol=1e-5, atol=1e-6)


def test_a_file_that_was_changed_is_refused(tmp_path: Path, check: OutlierCheck, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = written(tmp_path, check)
    told = json.loads((folder / TRUST_FILE).read_text())

    def replaced(**arrays: object) -> None:
        np.savez(folder / FILE, **arrays)
        told["strangers_file"]["digest"] = digest(folder / FILE)
        (folder / TRUST_FILE).write_text(json.dumps(told))

    whole = {f"0.{name}": array for name, array in check.arrays().items()}
    for arrays in (
        {**whole, "0.0_mean": np.array([{}], dtype=object)},
        {**whole, "0.0_mean": np.array(["a"])},
        {**whole, "0.0_mean": whole["0.0_mean"][:-1]},
        {name: array for name, array in whole.items() if name != "0.usual"},
    ):
        replaced(**arrays)
        with pytest.raises(DrifaError, match=rf"{FILE}.*run `drifa calibrate"):
            read_strangers(folder)
    replaced(**whole)
    assert read_strangers(folder)
    monkeypatch.setattr(strangers, "MOST_BYTES", 100)
    with pytest.raises(DrifaError, match="up to 100 are read"):
        read_strangers(folder)
    (folder / FILE).write_bytes(b"PK")
    with pytest.raises(DrifaError, match="drifa calibrate"):
        read_strangers(folder)
    (folder / FILE).unlink()
    with pytest.raises(DrifaError, match="is missing"):
        read_strangers(folder)
