"""The examination tells what is there and what to do about what is not."""

from __future__ import annotations

import importlib.metadata
import os
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from drifa import doctor
from drifa.cli.main import app
from drifa.doctor import examine
from drifa.errors import DrifaError


def by_name(folder: Path) -> dict[str, doctor.Sign]:
    return {sign.what: sign for sign in examine(folder)}


def test_it_tells_versions_devices_and_the_disk_and_leaves_nothing(tmp_path: Path) -> None:
    found = by_name(tmp_path)
    assert found["torch"].found == torch.__version__
    assert found["drifa"].found == importlib.metadata.version("drifa")
    assert any(name.startswith("device") for name in found)
    assert "GB free" in found[f"disk of {tmp_path.resolve()}"].found
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_none_ends_it_before_the_table(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["doctor", str(tmp_path / "nowhere")])
    assert isinstance(result.exception, DrifaError)
    assert "nowhere is no folder; name the one" in str(result.exception)
    assert not result.output


def test_every_extra_of_the_package_is_told_and_what_it_lacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    extras = set(importlib.metadata.metadata("drifa").get_all("Provides-Extra") or ())
    told = {name.removeprefix("extra ") for name in by_name(tmp_path) if name.startswith("extra ")}
    assert told == extras - {"all"}  # made of others alone
    real = importlib.metadata.version
    lacking = {"SimpleITK"}

    def version(name: str) -> str:
        if name in lacking:
            raise importlib.metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    sign = by_name(tmp_path)["extra volumes"]
    assert "SimpleITK" in sign.found
    assert "drifa[volumes]" in sign.remedy


def test_the_data_folder_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ham10000").mkdir()
    monkeypatch.setenv("DRIFA_DATA", str(tmp_path))
    assert "ham10000" in by_name(tmp_path)["DRIFA_DATA"].found
    monkeypatch.setenv("DRIFA_DATA", str(tmp_path / "nowhere"))
    assert by_name(tmp_path)["DRIFA_DATA"].remedy
    monkeypatch.delenv("DRIFA_DATA")
    assert by_name(tmp_path)["DRIFA_DATA"].remedy


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    assert "cannot be written" in by_name(tmp_path)[f"disk of {tmp_path}"].found


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    assert by_name(tmp_path / "none")[f"disk of {tmp_path / 'none'}"].remedy
