"""The examples in the docstrings of the public names run and show what is printed under them."""

from __future__ import annotations

import doctest
import importlib
import shutil
from pathlib import Path

import pytest

import drifa
from drifa.runs.run import Run

#: Public names that must have an example; ``sample`` is a method of every network.
EXAMPLES = (
    *("drifa.MFA", "drifa.MIFA"),
    *("drifa.create_model", "drifa.create_preset", "drifa.create_segmentation_model"),
    *("drifa.FusionNet", "drifa.FusionNet.sample", "drifa.load_model", "drifa.save_model"),
    *("drifa.backbones.Branch", "drifa.fusion.Fusion.after_stage", "drifa.config.load_config"),
    *("drifa.metrics.classification.classification_metrics", "drifa.metrics.intervals.bootstrap"),
    *("drifa.metrics.regression.regression_metrics", "drifa.metrics.segmentation.judge_volume"),
    *("drifa.data.Study.load", "drifa.data.make_phantom", "drifa.data.split", "drifa.data.audit.audit"),
    *("drifa.tasks.Number.summarise", "drifa.tasks.learn_kinds"),
    "drifa.uncertainty.conformal.least_groups",
)
#: Those whose example needs a run: it finds one on the phantom as `run`, and its study as `phantom`.
OF_A_RUN = ("drifa.load", "drifa.Predictor", "drifa.Predictor.__call__", "drifa.evaluation.evaluate.evaluate")
PACKAGES = ("attention", "backbones", "fusion", "networks")


def found(name: str) -> object:
    """What a dotted name stands for: the longest module of it, and attributes from there."""
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        try:
            value: object = importlib.import_module(".".join(parts[:count]))
        except ModuleNotFoundError:
            continue
        for part in parts[count:]:
            value = getattr(value, part)
        return value
    raise ModuleNotFoundError(name)


def check(name: str) -> None:
    """Runs the example in the docstring of a public name."""
    value = found(name)
    module = importlib.import_module(value.__module__)
    (test,) = doctest.DocTestFinder(recurse=False).find(value, name, module=module)
    assert test.examples, f"{name} has no example in its docstring"
    assert not any(example.options.get(doctest.SKIP) for example in test.examples), f"the example of {name} is skipped"
    told: list[str] = []
    result = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS, verbose=False).run(test, out=told.append)
    assert not result.failed, "".join(told)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_shows_what_it_says(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # examples may write files
    check(name)


@pytest.mark.parametrize("name", OF_A_RUN)
def test_an_example_of_a_run_shows_what_it_says(
    name: str, paired_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(paired_run.folder, tmp_path / "run")
    (tmp_path / "phantom").symlink_to(paired_run.config.data.studies[0])
    monkeypatch.chdir(tmp_path)
    check(name)


def test_every_name_promised_is_there_and_described() -> None:
    for package in ("drifa", *(f"drifa.{name}" for name in PACKAGES)):
        module = importlib.import_module(package)
        for name in module.__all__:
            value = getattr(module, name)
            assert not callable(value) or (value.__doc__ or "").strip(), f"{package}.{name} has no docstring"


def test_a_name_that_is_not_promised_is_refused() -> None:
    with pytest.raises(AttributeError, match="module 'drifa' has no attribute 'creat_model'"):
        _ = drifa.creat_model
