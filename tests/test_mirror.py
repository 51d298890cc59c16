"""Tests stand where the code stands: ``src/drifa/x/y.py`` has ``tests/x/test_y.py``."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

#: Files that need no test file of their own, with the reason.
EXCEPTIONS: dict[str, str] = {
    "prediction/sources.py": "tried through prediction/test_predict.py and evaluation/test_evaluate.py",
    "prediction/masks.py": "tried through evaluation/test_judge_volumes.py",
    "prediction/cases.py": "tried through prediction/test_predict.py",
    "prediction/answers.py": "records, tried through prediction/test_predict.py",
    "data/targets/base.py": "the contract, tried through tests/tasks/contract.py by every kind",
    "tasks/base.py": "the contract, tried through tests/tasks/contract.py by every kind",
    "names.py": "names, tables and YAML are read together in tests/test_text_files.py",
    "progress.py": "a type alone",
    "text_tables.py": "see names.py",
    "version.py": "a constant alone",
    "yaml_text.py": "see names.py",
}

#: Files that have no test file yet; many are tested from elsewhere. Remove a line with the test that ends it.
PENDING: set[str] = {
    "runs/run.py",
    "training/job.py",
    "training/module.py",
    "training/recipe.py",
}


def without_test() -> set[str]:
    """Files of the package whose test file does not exist; an ``__init__.py`` only hands out names."""
    package, tests = ROOT / "src" / "drifa", ROOT / "tests"
    places = (path.relative_to(package) for path in package.rglob("*.py") if path.name != "__init__.py")
    return {place.as_posix() for place in places if not (tests / place.parent / f"test_{place.name}").is_file()}


def test_every_file_has_its_test_file() -> None:
    new = sorted(without_test() - PENDING - EXCEPTIONS.keys())
    assert not new, f"write tests/x/test_y.py for {', '.join(new)}"


def test_the_lists_hold_only_what_is_still_missing() -> None:
    gone = sorted((PENDING | EXCEPTIONS.keys()) - without_test())
    assert not gone, f"these have a test file now, or are no longer there: remove them from the lists: {', '.join(gone)}"
    assert not PENDING & EXCEPTIONS.keys()
    assert all(EXCEPTIONS.values())
