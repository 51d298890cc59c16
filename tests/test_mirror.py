"""Tests stand where the code stands: ``src/drifa/x/y.py`` has ``tests/x/test_y.py``."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

#: Files that need no test file of their own, with the reason.
EXCEPTIONS: dict[str, str] = {
    "prediction/sources.py": "tried through prediction/test_predict.py and evaluation/test_external.py",
    "prediction/masks.py": "tried through evaluation/test_judge_volumes.py",
    "prediction/cases.py": "tried through prediction/test_predict.py",
    "prediction/answering.py": "tried through prediction/test_predict.py",
    "prediction/answers.py": "records, tried through prediction/test_predict.py",
    "cli/arguments.py": "tried through the verbs",
    "cli/calibrate.py": "tried through tests/test_documentation.py",
    "prediction/segmenting.py": "tried through evaluation/test_judge_volumes.py",
    "cli/doctor.py": "prints what tests/test_doctor.py looks at, and is run by tests/test_documentation.py",
    "data/targets/base.py": "the contract, tried through tests/tasks/contract.py by every kind",
    "tasks/base.py": "the contract, tried through tests/tasks/contract.py by every kind",
    "experiments/comparison.py": "records, tried through experiments/test_run.py",
    "experiments/disagree.py": "tried through experiments/test_judge.py",
    "experiments/tables.py": "tried through experiments/test_run.py",
    "experiments/worker.py": "tried through experiments/test_launch.py",
    "explain/asked.py": "tried through explain/test_explain.py",
    "explain/record.py": "records, tried through explain/test_explain.py",
    "names.py": "names, tables and YAML are read together in tests/test_text_files.py",
    "text_tables.py": "see names.py",
    "version.py": "a constant alone",
    "yaml_text.py": "see names.py",
}


def without_test() -> set[str]:
    """Files of the package whose test file does not exist; an ``__init__.py`` only hands out names."""
    package, tests = ROOT / "src" / "drifa", ROOT / "tests"
    places = (path.relative_to(package) for path in package.rglob("*.py") if path.name != "__init__.py")
    return {place.as_posix() for place in places if not (tests / place.parent / f"test_{place.name}").is_file()}


def test_every_file_has_its_test_file() -> None:
    new = sorted(without_test() - EXCEPTIONS.keys())
    assert not new, f"write tests/x/test_y.py for {', '.join(new)}"


def test_exceptions_are_still_without_a_test_file_and_have_a_reason() -> None:
    gone = sorted(EXCEPTIONS.keys() - without_test())
    assert not gone, f"these have a test file now, or are no longer there: remove them from EXCEPTIONS: {', '.join(gone)}"
    assert all(EXCEPTIONS.values())
