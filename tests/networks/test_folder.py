"""A network as a folder comes back the same, and a broken folder is refused."""

from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors import SafetensorError

from drifa import DrifaError, FusionSegNet, load_model, save_model
from tests.networks import mixed as of_mixed
from tests.networks import narrow as of_narrow
from tests.networks import tiny as of_tiny
from tests.networks.mixed import mixed
from tests.networks.narrow import narrow
from tests.networks.tiny import tiny


def test_a_folder_gives_the_same_network_back(tmp_path: Path) -> None:
    net, x = tiny(mfa={"clia": False}, mifa={"normalise": True}), of_tiny.images()
    again = load_model(save_model(net, tmp_path / "model"))
    assert again.config == net.config
    with torch.no_grad():
        for task, value in again(x).items():
            assert torch.equal(value, net(x)[task])


def test_broken_model_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DrifaError, match=r"config\.json"):
        load_model(tmp_path)
    folder = save_model(tiny(), tmp_path / "m")
    weights = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    with pytest.raises(DrifaError, match="broken or truncated"):
        load_model(folder)
    save_model(tiny("concat"), tmp_path / "other")
    (folder / "model.safetensors").write_bytes((tmp_path / "other" / "model.safetensors").read_bytes())
    with pytest.raises(DrifaError, match="does not fit"):
        load_model(folder)
    text = (folder / "config.json").read_text()
    (folder / "config.json").write_text(text.replace('"drifa_model": 1', '"drifa_model": 99'))
    with pytest.raises(DrifaError, match="format 99"):
        load_model(folder)


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (3, "extra is a mapping"),
        ({"model": {}}, "has the name 'model'"),
        ({"a": object()}, "holds what JSON cannot"),
        ({"a": float("nan")}, "holds what JSON cannot"),
    ],
)
def test_what_cannot_be_saved_is_refused_before_anything_is_written(tmp_path: Path, extra: Any, message: str) -> None:
    with pytest.raises(DrifaError, match=message):
        save_model(tiny(), tmp_path / "m", extra)
    for other in (3, torch.nn.Linear(2, 2)):
        with pytest.raises(DrifaError, match="needs a network of create_model"):
            save_model(other, tmp_path / "m")  # type: ignore[arg-type]
    assert not (tmp_path / "m").exists()


def test_weights_that_a_disk_refuses_are_an_error_of_that_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(tensors: object, path: Path) -> None:
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    monkeypatch.setattr("drifa.networks.folder.save_file", full)
    with pytest.raises(OSError, match="No space left on device") as told:
        save_model(tiny(), tmp_path / "m")
    assert (told.value.errno, told.value.filename) == (errno.ENOSPC, str(tmp_path / "m" / "model.safetensors"))
    assert list((tmp_path / "m").iterdir()) == []


def test_a_folder_keeps_every_choice(tmp_path: Path) -> None:
    net = narrow(output="classes", indices="mean", mfa={"clia": False}, mifa={"normalise": True}, mfa_at="stage", dropout=0.1)
    again = load_model(save_model(net, tmp_path))
    assert isinstance(again, FusionSegNet)
    assert (again.config, again.dropout_rate, again.indices) == (net.config, 0.1, "mean")
    x = of_narrow.images(1)
    with torch.no_grad():
        assert torch.equal(again(x)["tumour"], net(x)["tumour"])
        assert net(x)["tumour"].shape[1] == 4
    text = (tmp_path / "config.json").read_text()
    (tmp_path / "config.json").write_text(text.replace('"segmentation"', '"detection"'))
    with pytest.raises(DrifaError, match="kind='detection'"):
        load_model(tmp_path)


def test_settings_by_modality_survive_the_folder(tmp_path: Path) -> None:
    net = mixed(backbone_args={"photo": {"stem_width": 16}}, own_stem=False, mifa_at=[1, 3], dropout_at="mifa")
    x = of_mixed.images()
    assert list(net.fusion.mifa) == ["1", "3"]
    assert list(net.drop_stages) == [1]
    again = load_model(save_model(net, tmp_path / "model"))
    with torch.no_grad():
        assert torch.equal(again(x)["t"], net(x)["t"])


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("pretrained", True),
        ("pretrained", "/any/weights.pth"),
        ("backbone_args", {"checkpoint_path": "/any/weights.pth"}),
        ("backbone_args", {"pretrained_cfg": {"url": "http://127.0.0.1:9/x"}}),
        ("backbone", "local-dir:/any/place"),
        ("modalities", {"photo": 10**9}),
        ("tasks", {"lesion": 10**9}),
        ("colour", 1),
    ],
)
def test_opening_a_folder_reads_nothing_but_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str, value: object
) -> None:
    folder = save_model(tiny(), tmp_path)
    config = json.loads((folder / "config.json").read_text())
    config["model"][key] = value
    (folder / "config.json").write_text(json.dumps(config))
    monkeypatch.setattr(timm.models._builder, "load_pretrained", lambda *_, **__: pytest.fail("weights were looked for"))
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("a file was unpickled"))
    with pytest.raises(DrifaError, match=r"config\.json"):
        load_model(folder)


def test_weights_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    net = tiny()
    with torch.no_grad():
        next(net.parameters()).view(-1)[0] = float("nan")
    with pytest.raises(DrifaError, match="holds what is no number"):
        load_model(save_model(net, tmp_path))
