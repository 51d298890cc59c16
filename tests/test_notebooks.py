"""The notebooks: clean in the repository; slowly, each runs from the first cell to the last."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))

nbformat = pytest.importorskip("nbformat")


def test_there_are_notebooks_and_each_is_named_in_the_documentation() -> None:
    page = (ROOT / "docs" / "notebooks.md").read_text(encoding="utf-8")
    assert NOTEBOOKS
    assert {f"notebooks/{path.name}" for path in NOTEBOOKS} == set(re.findall(r"\((notebooks/[^)]+)\)", page))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_valid_and_holds_neither_outputs_nor_places_of_a_machine(path: Path) -> None:
    book = nbformat.read(path, as_version=nbformat.NO_CONVERT)
    nbformat.validate(book)
    assert book.metadata.kernelspec.name == "python3"
    assert book.cells[0].source.startswith("# ")
    for cell in book.cells:
        assert not cell.metadata, f"{path.name}: remove the metadata of cell {cell.id}"
        if cell.cell_type == "code":
            assert (cell.outputs, cell.execution_count) == ([], None), f"{path.name}: clear all outputs before saving"
        assert not re.search(r"""(?:^|[\s"'(=])(?:/(?:home|Users|tmp|root|work|mnt|content)/|~/|[A-Z]:\\)""", cell.source)


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ipykernel")
    nbclient = pytest.importorskip("nbclient")
    # A kernel takes its variables from here: cells of bash find this `drifa`, and temporary folders go with the test.
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    before = set(FOLDER.iterdir())
    book = nbformat.read(path, as_version=4)
    nbclient.NotebookClient(book, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(FOLDER)}}).execute()
    assert set(FOLDER.iterdir()) == before
