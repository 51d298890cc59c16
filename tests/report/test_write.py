"""The report: self-contained, complete, safe against hostile names, and never at a loss for a missing file."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from drifa.errors import DrifaError
from drifa.report import write_report
from drifa.report.words import written
from drifa.uncertainty.modes import MODE_NAMES
from tests.report.other_runs import edit
from tests.report_page import report

NASTY_SUBJECT = "<script>alert(1)</script>"  # the first subject of each task in the synthetic run
SECTIONS = (
    "summary",
    "scope",
    "data",
    "training",
    "metrics",
    "classes",
    "reliability",
    "coverage",
    "cases",
    "partners",
    "environment",
)


def test_needs_nothing_from_anywhere(run: Path) -> None:
    page = report(run)
    assert not {"script", "link", "img", "iframe", "object", "base"} & {tag for tag, _ in page.tags}
    for tag, attributes in page.tags:
        assert "src" not in attributes
        if "href" in attributes:
            assert tag == "a"
            assert attributes["href"] == "https://example.org/data" or str(attributes["href"]).startswith("#")
    assert not re.search(r"@import|url\(|@font-face", page.source)


def test_sections_links_and_aids_for_screen_readers(run: Path) -> None:
    page = report(run)
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert [attributes["id"] for tag, attributes in page.tags if tag == "section"] == list(SECTIONS)
    for tag, attributes in page.tags:
        if tag == "a" and str(attributes["href"]).startswith("#"):
            assert str(attributes["href"])[1:] in ids
        if tag == "svg":
            assert attributes.get("aria-label") or attributes.get("aria-hidden") == "true"
        if "aria-labelledby" in attributes:
            assert attributes["aria-labelledby"] in ids
    assert sum(tag == "table" for tag, _ in page.tags) == sum(tag == "caption" for tag, _ in page.tags) > 0


def test_every_number_of_metrics_json_is_there(run: Path) -> None:
    page = report(run)
    told = page.text["metrics"] + page.text["partners"]
    for modes in json.loads((run / "metrics.json").read_text()).values():
        for metrics in modes.values():
            for name, interval in metrics.items():
                shown = written(name, interval)
                assert name in told
                assert shown["text"] in told
                assert shown["range"] in told


def test_names_from_tables_are_text_not_markup(run: Path) -> None:
    edit(run / "model.json", lambda model: model["study"].update(source="javascript:alert(1)", name="<u>study</u>"))
    frame = pd.read_parquet(run / "predictions.parquet")
    frame.loc[frame["subject"] == NASTY_SUBJECT, ["correct", "confidence"]] = [False, 1.0]
    frame.to_parquet(run / "predictions.parquet")
    page = report(run)
    for nasty, section in (("<b>x</b>", "classes"), ("<b>x</b>", "data"), (NASTY_SUBJECT, "cases"), ("<u>study</u>", "head")):
        assert nasty in page.text[section]
    assert "<i>kept</i>" in page.text["environment"]
    assert not {"b", "u", "i", "script"} & {tag for tag, _ in page.tags}
    assert not [attributes for tag, attributes in page.tags if tag == "a" and "javascript" in str(attributes["href"])]


@pytest.mark.parametrize(
    ("modes", "best"),
    [
        (("deterministic", "mc", "ensemble", "ensemble_mc"), "ensemble_mc"),
        (("deterministic", "mc", "ensemble"), "ensemble"),
        (("mc", "deterministic"), "mc"),
        (("deterministic",), "deterministic"),
    ],
)
def test_the_headline_is_of_the_most_thorough_mode(
    tmp_path: Path, make_run: Callable[..., Path], modes: tuple[str, ...], best: str
) -> None:
    run = make_run(tmp_path, members=2, modes=modes, count=30, epochs=2, resamples=5)
    page = report(run)
    assert page.has("summary", f"Mode: {MODE_NAMES[best]} ({best})")
    for of_task in json.loads((run / "metrics.json").read_text()).values():
        accuracy = of_task[best]["accuracy"]
        assert written("accuracy", accuracy)["text"] in page.text["summary"]


def test_what_it_is_not_for_names_partners_and_the_missing_modality(run: Path) -> None:
    page = report(run)
    assert page.has("scope", "not a medical device")
    assert page.has("scope", "average over 8 such partners")
    assert page.has("scope", "accuracy on cell is 61.2\u00a0%")
    assert page.has("partners", "Mode Ensemble: at least one partner changed the answer for 12 of 120 images (10.0\u00a0%)")


def test_a_paired_study_has_no_words_about_partners(run: Path) -> None:
    def drop(metrics: dict[str, Any]) -> None:
        for modes in metrics.values():
            for of_mode in modes.values():
                for name in ("accuracy_alone", "balanced_accuracy_alone", "partner_flip_rate"):
                    of_mode.pop(name, None)

    edit(run / "metrics.json", drop)
    edit(run / "evaluation.json", lambda evaluation: evaluation.update(partners=0))
    frame = pd.read_parquet(run / "predictions.parquet").assign(condition="paired", flip_rate=float("nan"))
    frame.to_parquet(run / "predictions.parquet")
    page = report(run)
    assert "partners" not in page.text
    assert not page.has("scope", "another patient")
    assert re.search(r"cell_\d{4}", page.text["cases"])


def test_the_cost_of_missing_modalities_is_told_where_it_was_measured(run: Path) -> None:
    def measured(evaluation: dict[str, Any]) -> None:
        cell = {"accuracy": {"value": 0.4321, "low": 0.4, "high": 0.5}, "auc": {"value": None, "low": None, "high": None}}
        evaluation["subsets"] = {
            "cell": {"a": {"count": 1234, **cell}, "a+b": {"count": 1234, **cell}},
            "skin_lesion": {"a": cell},
        }

    page = report(run)
    assert "subsets" not in page.text
    edit(run / "evaluation.json", measured)
    page = report(run)
    assert page.has("subsets", "cell, from every subset")
    assert page.has("subsets", "43.2\u00a0%")
    assert not page.has("subsets", "skin_lesion")
    assert page.has("scope", "under Missing modalities")


def test_a_run_without_figures_of_missing_modalities_names_their_command(tmp_path: Path, make_run: Callable[..., Path]) -> None:
    run = make_run(tmp_path, members=1, modes=("deterministic",), count=30, epochs=2, resamples=5)

    def drop(metrics: dict[str, Any]) -> None:
        for name in ("accuracy_alone", "balanced_accuracy_alone", "partner_flip_rate"):
            [modes["deterministic"].pop(name) for modes in metrics.values()]

    edit(run / "metrics.json", drop)
    assert report(run).has("scope", "drifa evaluate RUN --subsets makes them")


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


def test_cases_come_from_the_way_the_model_is_used(run: Path) -> None:
    """Rows of other conditions, splits, modes and single members are not mixed into the lists."""
    frame = pd.read_parquet(run / "predictions.parquet")
    strays = [
        frame.assign(subject="stray_alone", condition="alone"),
        frame.assign(subject="stray_split", split="val"),
        frame.assign(subject="stray_member", member=3),
    ]
    pd.concat([*strays, frame], ignore_index=True).assign(confidence=1.0).to_parquet(run / "predictions.parquet")
    assert "stray" not in report(run).source


def test_what_the_receipt_says_of_the_split_is_told(run: Path) -> None:
    edit(
        run / "split_receipt.json",
        lambda receipt: receipt.update(
            protocol="kfold", folds=5, fold=2, group_meaning="a lesion", unused=17, note="<b>by hand</b>"
        ),
    )
    page = report(run)
    assert page.has("data", "kfold, fold 2 of 5 (from 0), seed 0")
    assert "A group is" in page.text["data"]
    assert "a lesion" in page.text["data"]
    assert page.has("data", "17 subjects")
    assert page.has("data", "<b>by hand</b>")


def test_backbones_by_modality_are_named(run: Path) -> None:
    edit(run / "model.json", lambda model: model.update(backbone={"dermoscopy": "resnet18", "pap_smear": "vgg11_bn"}))
    assert "dermoscopy: resnet18, pap_smear: vgg11_bn" in report(run).text["head"]


@pytest.mark.parametrize(
    ("file", "section", "command"),
    [
        ("metrics.json", "summary", "drifa evaluate RUN"),
        ("metrics.json", "metrics", "drifa evaluate RUN"),
        ("evaluation.json", "classes", "drifa evaluate RUN"),
        ("evaluation.json", "reliability", "drifa evaluate RUN"),
        ("evaluation.json", "coverage", "drifa evaluate RUN"),
        ("predictions.parquet", "cases", "drifa evaluate RUN"),
        ("split_receipt.json", "data", "drifa train CONFIG --out RUN"),
        ("environment.json", "environment", "drifa train CONFIG --out RUN"),
        ("config.yaml", "environment", "drifa train CONFIG --out RUN"),
    ],
)
def test_a_missing_file_is_a_sentence_with_its_command(run: Path, file: str, section: str, command: str) -> None:
    (run / file).unlink()
    page = report(run)
    assert page.has(section, f"{file} is not in this run folder; {command} writes it")


def test_a_run_just_trained_still_has_a_report(run: Path) -> None:
    for file in ("metrics.json", "evaluation.json", "predictions.parquet"):
        (run / file).unlink()
    page = report(run)
    assert page.has("summary", "drifa evaluate RUN")
    assert page.has("training", "Network 1")
    assert "nan" not in page.source.replace("dominant", "")


def test_a_run_with_nothing_but_a_config_still_has_a_report(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("train: {}\n")
    assert report(tmp_path).has("training", "members/N/history.csv is not in this run folder")


def test_nulls_and_unknown_metrics_are_shown(run: Path) -> None:
    def change(metrics: dict[str, Any]) -> None:
        metrics["cell"]["ensemble_mc"].update(
            error_auroc={"value": None, "low": None, "high": None},
            accuracy=None,
            dice_mean={"value": 0.87654, "low": None, "high": None},
        )

    edit(run / "metrics.json", change)
    page = report(run)
    assert page.has("metrics", "Dice mean")
    assert page.has("metrics", "0.877")


def test_a_history_with_holes_is_drawn(run: Path) -> None:
    path = run / "members/0/history.csv"
    lines = path.read_text().splitlines()
    cells = lines[2].split(",")
    cells[3] = ""
    path.write_text("\n".join([lines[0], lines[1], ",".join(cells), *lines[3:], lines[-1][:5]]) + "\n")
    (run / "members/1/history.csv").write_text("\n".join(lines[:2]) + "\n")
    (run / "members/notes").mkdir()
    (run / "members/notes/history.csv").write_text("epoch\n1\n")
    page = report(run)
    assert page.has("training", "Network 0")
    assert not page.has("training", "Network notes")
    assert "nan" not in page.source


def test_leaks_and_external_validation_raise_an_alarm(run: Path) -> None:
    quiet = report(run)
    assert quiet.has("data", "0 groups in two splits")
    assert 'class="alarm"' not in quiet.source
    edit(
        run / "split_receipt.json",
        lambda receipt: receipt.update(groups_in_two_splits=641, classes_missing=["bcc of skin_lesion in val"]),
    )
    edit(run / "evaluation.json", lambda evaluation: evaluation.update(study="Other hospital"))
    page = report(run)
    assert page.has("summary", "641 groups are in more than one split")
    assert page.has("data", "Not disjoint")
    assert page.has("data", "bcc of skin_lesion in val")
    assert page.has("summary", "judged on Other hospital")


def test_what_is_not_a_run_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(DrifaError, match=r"neither config.yaml nor model.json; give the folder that `drifa train"):
        write_report(tmp_path)
    with pytest.raises(DrifaError, match=r"nowhere' is not a run folder: it does not exist"):
        write_report(tmp_path / "nowhere")
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_file_is_named(run: Path) -> None:
    (run / "report.html").write_text("the old report")
    (run / "predictions.parquet").write_bytes(b"PAR1 half")
    with pytest.raises(DrifaError, match=r"predictions.parquet' is not a whole parquet file"):
        write_report(run)
    pd.DataFrame({"subject": ["a"]}).to_parquet(run / "predictions.parquet")
    with pytest.raises(DrifaError, match=r"predictions.parquet' has no column 'split'"):
        write_report(run)
    (run / "metrics.json").write_text('{"cell": ')
    with pytest.raises(DrifaError, match=r"metrics.json' is not valid JSON"):
        write_report(run)
    (run / "metrics.json").write_text("[]")
    with pytest.raises(DrifaError, match="holds a list, not a JSON object"):
        write_report(run)
    assert (run / "report.html").read_text() == "the old report"
