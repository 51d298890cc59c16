"""The hub is asked only for what is no folder here, and its failures are one sentence."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import drifa
from drifa import Predictor
from drifa.errors import DrifaError
from drifa.export import hub
from drifa.runs.run import Run
from tests.prediction.test_asking import files


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_folder_goes_round(paired_run: Run, tmp_path: Path) -> None:
    case, predictor = files(paired_run, 1)[0], drifa.load(paired_run.folder)
    once = predictor.save_pretrained(tmp_path / "once")
    again = Predictor.from_pretrained(once).save_pretrained(tmp_path / "again")
    assert {path.name: path.read_bytes() for path in again.iterdir()} == {
        path.name: path.read_bytes() for path in once.iterdir()
    }
    assert Predictor.from_pretrained(again)(**case) == predictor(**case)
    with pytest.raises(DrifaError, match="exists already"):
        Predictor.from_pretrained(again).save_pretrained(once)


def test_what_is_sent_is_a_model_folder_and_what_is_fetched_is_no_more(
    paired_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: dict[str, Any] = {}

    class Api:
        def create_repo(self, repository: str, private: bool, exist_ok: bool) -> None:
            sent.update(repository=repository, private=private)

        def upload_folder(self, repo_id: str, folder_path: Path) -> str:
            sent.update(files={path.name for path in folder_path.iterdir()})
            return f"https://hub/{repo_id}"

    def refuse(*_: Any, allow_patterns: list[str], **__: Any) -> str:
        sent.update(wanted=set(allow_patterns))
        raise OSError("no route\nto the hub")

    monkeypatch.setitem(sys.modules, "huggingface_hub", SimpleNamespace(HfApi=Api, snapshot_download=refuse))
    assert drifa.load(paired_run.folder).push_to_hub("me/model") == "https://hub/me/model"
    assert (sent["repository"], sent["private"]) == ("me/model", True)
    with pytest.raises(DrifaError, match=r"you/model cannot be fetched \(OSError: no route\)"):
        Predictor.from_pretrained("you/model")
    assert {"config.json", "model.safetensors", "preprocessing.json", "README.md"} == sent["files"] <= sent["wanted"]


def test_without_its_package_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(DrifaError, match="pip install huggingface_hub"):
        hub.fetch("you/model")
