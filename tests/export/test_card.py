"""A card is read by the hub and by people: its figures are those of the run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import yaml

from drifa.export.card import card_text
from drifa.metrics.names import HEADLINES
from drifa.runs.files import read_run
from drifa.runs.run import Run
from drifa.uncertainty.modes import mode_order


def header(text: str) -> dict[str, Any]:
    _, head, _ = text.split("---\n", 2)
    return yaml.safe_load(head)


def test_the_figures_are_those_of_the_run(paired_run: Run) -> None:
    text = card_text(read_run(paired_run.folder))
    metrics = json.loads((paired_run.folder / "metrics.json").read_text())
    results = {result["task"]["name"]: result for result in header(text)["model-index"][0]["results"]}
    assert results.keys() == metrics.keys()
    for task, result in results.items():
        best = metrics[task][mode_order(metrics[task])[0]]
        assert {row["type"] for row in result["metrics"]} == {
            name for name in HEADLINES["classes"] if best[name]["low"] is not None
        }
        for row in result["metrics"]:
            told = best[row["type"]]
            assert row["value"] == told["value"]
            assert f"{told['low']:.4g} to {told['high']:.4g}" in row["name"]
            assert f"| {told['value']:.4g} | {told['low']:.4g} to {told['high']:.4g} |" in text


def test_it_tells_the_study_the_split_and_what_the_model_is_not_for(paired_run: Run, unpaired_run: Run) -> None:
    text = card_text(read_run(paired_run.folder))
    receipt = json.loads((paired_run.folder / "split_receipt.json").read_text())
    assert receipt["sha256"] in text
    for name, count in receipt["subjects"].items():
        assert f"| {name} | {count} |" in text
    for part in ("Intended use", "no medical device", "Limits", "Uncertainty", "Licence"):
        assert part in text
    assert header(text)["library_name"] == "drifa"
    assert header(text)["pipeline_tag"] == "image-classification"
    assert "of different people" not in text
    assert "of different people" in card_text(read_run(unpaired_run.folder))


def test_a_run_that_nobody_judged_has_a_card_that_says_so(paired_run: Run, tmp_path: Path) -> None:
    run = shutil.copytree(paired_run.folder, tmp_path / "run")
    for name in ("metrics.json", "evaluation.json", "split_receipt.json"):
        (run / name).unlink()
    text = card_text(read_run(run))
    assert "Not judged yet" in text
    assert "model-index" not in header(text)
