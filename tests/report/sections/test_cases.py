"""Single cases: the ten that would surprise most and the ten least sure, of each task in its own terms."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from drifa.report.sections import cases
from drifa.runs.files import read_run
from tests.report_page import report

NASTY_SUBJECT = "<script>alert(1)</script>"  # the first subject of each task in the synthetic run


def test_single_cases_are_ten_confident_errors_and_ten_uncertain_images(run: Path) -> None:
    page = report(run)
    frame = pd.read_parquet(run / "predictions.parquet").query("task == 'cell' and mode == 'ensemble_mc'")
    wrong = frame[~frame["correct"].fillna(True)].nlargest(10, "confidence")
    unsure = frame.nlargest(10, "predictive_entropy")
    for subject in [*wrong["subject"], *unsure["subject"]]:
        assert subject in page.text["cases"]
    listed = set(re.findall(r"cell_\d{4}", page.text["cases"]))
    assert listed == {*wrong["subject"], *unsure["subject"]} - {NASTY_SUBJECT}


def test_a_single_network_is_named_where_single_answers_are_shown(tmp_path: Path, make_run: Callable[..., Path]) -> None:
    page = report(make_run(tmp_path, members=2, modes=("deterministic", "mc"), count=30, epochs=2, resamples=5))
    assert page.has("metrics", "figures are means over 2 networks")
    assert page.has("classes", "shown for the first network")
    assert page.has("cases", "MC dropout, network 0")


def test_the_largest_errors_of_a_number_and_its_widest_ranges_are_listed(mixed: Path) -> None:
    page = report(mixed)
    frame = pd.read_parquet(mixed / "predictions.parquet").query("task == 'age' and mode == 'ensemble_mc'")
    frame = frame.assign(error=(frame["value"] - frame["truth"]).abs())
    worst, widest = frame.nlargest(10, "error"), frame.nlargest(10, "std")
    assert set(re.findall(r"age_\d{4}", page.text["cases"])) == {*worst["subject"], *widest["subject"]}
    first = worst.iloc[0]
    assert page.has("cases", f"{first['value']:.1f}\u00a0±\u00a0{first['std']:.1f}\u00a0years")
    assert page.has("cases", "Most confident errors")


def test_an_error_is_signed_and_unknown_truth_has_none(numbers: Path) -> None:
    path = numbers / "predictions.parquet"
    frame = pd.read_parquet(path)
    frame.loc[frame["subject"] == "age_0000", ["truth", "value", "std"]] = [80.0, 30.0, float("nan")]
    frame.loc[frame["subject"] == "age_0001", ["truth", "std"]] = [float("nan"), 99.0]
    frame.to_parquet(path)
    record = cases.record(read_run(numbers))
    assert record is not None
    (task,) = record["numbers"]
    assert task["largest_errors"][0] == {
        **{"subject": "age_0000", "truth": "80.0\u00a0years", "answer": "30.0\u00a0years", "error": "-50.0\u00a0years"},
        "epistemic": task["largest_errors"][0]["epistemic"],
    }
    assert task["most_uncertain"][0]["subject"] == "age_0001"
    assert task["most_uncertain"][0]["error"] == "–"
    assert (task["known"], task["stated"]) == (119, 119)


def test_a_run_of_numbers_has_no_words_about_classes_and_one_of_volumes_no_cases(numbers: Path, volumes: Path) -> None:
    assert "Entropy" not in report(numbers).text["cases"]
    assert cases.record(read_run(volumes)) is None
