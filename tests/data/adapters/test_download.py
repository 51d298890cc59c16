"""Downloads: terms first; a stand-in for kagglehub shows what happens after; every failure says how to go on by hand."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from typer.testing import CliRunner

from drifa.cli.main import app, main
from drifa.data.adapters.download import download
from drifa.data.adapters.prepare import ADAPTERS
from drifa.errors import DrifaError


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Puts a module in kagglehub's place that unpacks into its cache folder, or fails half-way."""

    def install(failures: int = 0) -> list[str]:
        calls: list[str] = []

        def dataset_download(handle: str) -> str:
            calls.append(handle)
            home = Path(os.environ["KAGGLEHUB_CACHE"]) / "datasets" / handle / "versions" / "1"
            home.mkdir(parents=True, exist_ok=True)
            (home / "part").touch()
            if len(calls) <= failures:
                raise ConnectionError("no route\nto host")
            (home / "images").mkdir()
            (home / "images" / "1.jpg").write_bytes(b"pixels")
            return str(home)

        module = ModuleType("kagglehub")
        module.dataset_download = dataset_download  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "kagglehub", module)
        return calls

    return install


@pytest.mark.parametrize("name", ADAPTERS)
def test_without_acceptance_the_terms_are_printed_and_nothing_is_fetched(
    name: str,
    hub: Callable[..., list[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    calls = hub()
    monkeypatch.setattr(sys, "argv", ["drifa", "data", "download", name, "--out", str(tmp_path / "raw")])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 2
    shown = capsys.readouterr()
    adapter = ADAPTERS[name]
    assert all(fact in shown.out for fact in (adapter.licence, adapter.source, adapter.citation, adapter.kaggle))
    assert "--accept-licence" in shown.err
    assert calls == []
    assert not (tmp_path / "raw").exists()


def test_an_accepted_download_lies_in_the_folder_and_names_the_next_step(
    hub: Callable[..., list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = hub()
    monkeypatch.delenv("KAGGLEHUB_CACHE", raising=False)
    result = CliRunner().invoke(app, ["data", "download", "sipakmed", "--out", str(tmp_path / "raw"), "--accept-licence"])
    assert result.exit_code == 0, result.output
    assert calls == [ADAPTERS["sipakmed"].kaggle]
    assert sorted(path.name for path in (tmp_path / "raw").iterdir()) == ["images", "part"]
    assert f"drifa data prepare sipakmed {tmp_path / 'raw'} --out STUDY" in result.output
    assert "KAGGLEHUB_CACHE" not in os.environ


def test_a_failed_download_goes_on_where_it_stopped(
    hub: Callable[..., list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub(failures=1)
    monkeypatch.setenv("KAGGLEHUB_CACHE", "elsewhere")
    manual = (
        r"failed \(no route to host\).*https://www.kaggle.com/datasets/\S+, unpack the archive into .*drifa data prepare brats"
    )
    with pytest.raises(DrifaError, match=manual):
        download("brats", tmp_path / "raw", accept_licence=True)
    assert list((tmp_path / "raw").rglob("part"))
    assert os.environ["KAGGLEHUB_CACHE"] == "elsewhere"
    assert (download("brats", tmp_path / "raw", accept_licence=True) / "images" / "1.jpg").is_file()
    assert not (tmp_path / "raw" / ".kagglehub").exists()


def test_a_folder_in_use_an_unknown_name_and_a_missing_package_are_refused(
    hub: Callable[..., list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = hub()
    (tmp_path / "mine.txt").touch()
    with pytest.raises(DrifaError, match="exists and is not empty; give a new folder"):
        download("brats", tmp_path, accept_licence=True)
    with pytest.raises(DrifaError, match=r"unknown dataset 'brat' \(did you mean 'brats'\?\)"):
        download("brat", tmp_path / "raw", accept_licence=True)
    assert calls == []
    monkeypatch.setitem(sys.modules, "kagglehub", None)
    with pytest.raises(DrifaError, match=r'pip install "drifa\[download\]"'):
        download("brats", tmp_path / "raw", accept_licence=True)
