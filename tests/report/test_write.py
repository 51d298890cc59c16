"""The report: self-contained, complete, safe against hostile names, and never at a loss for a missing file."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from playwright.sync_api import Browser

from drifa.errors import DrifaError
from drifa.report import write_report
from tests.report.other_runs import edit, regions_run
from tests.report_page import report

NASTY_SUBJECT = "<script>alert(1)</script>"  # the first subject of each task in the synthetic run
SECTIONS = (
    "summary",
    "scope",
    "data",
    "model",
    "training",
    "metrics",
    "classes",
    "curves",
    "decisions",
    "reliability",
    "trust",
    "coverage",
    "partners",
    "explanations",
    "cases",
    "limits",
    "statements",
    "environment",
)


def test_needs_nothing_from_anywhere(run: Path) -> None:
    page = report(run)
    assert not {"script", "link", "img", "iframe", "object", "base"} & {tag for tag, _ in page.tags}
    for tag, attributes in page.tags:
        assert "src" not in attributes
        if "href" in attributes:
            assert tag == "a"
            assert attributes["href"] == "https://example.org/data" or str(attributes["href"]).startswith(
                ("#", "data:text/csv")
            )
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


def test_every_figure_has_a_number_words_with_values_and_its_data(mixed: Path, tmp_path: Path) -> None:
    for run in (mixed, regions_run(tmp_path / "volumes")):
        source = report(run).source
        figures = re.findall(r"<figure.*?</figure>", source, re.DOTALL)
        assert figures
        for figure in figures:
            assert figure.startswith('<figure class="chart">')  # the style sheet counts them
            assert "<figcaption>" in figure
            assert "data:text/csv" in figure
            drawn = re.findall(r'aria-label="([^"]*)"', figure)
            assert drawn
            assert all(re.search(r"\d", words.partition(".")[2] or words.partition(":")[2]) for words in drawn), drawn


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


def test_prints_on_few_pages(mixed: Path, tmp_path: Path) -> None:
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        pytest.skip("no chromium on PATH")
    pdf, profile = tmp_path / "report.pdf", f"--user-data-dir={tmp_path / 'profile'}"
    options = ("--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer", f"--print-to-pdf={pdf}", profile)
    address = write_report(mixed).resolve().as_uri()
    subprocess.run([browser, *options, address], capture_output=True, timeout=120, check=True)
    assert 1 <= len(re.findall(rb"/Type\s*/Page\b", pdf.read_bytes())) <= 10


def test_a_phone_needs_no_sideways_scrolling(run: Path, browser: Browser) -> None:
    path = run / "metrics.json"
    # A metric without an interval says why in words, which are longer than limits.
    edit(path, lambda found: [one.update(value=1.0, low=None, high=None) for one in _intervals(found)])
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.goto(write_report(run).resolve().as_uri())
    width = page.evaluate("document.documentElement.scrollWidth")
    page.close()
    assert width <= 390


def _intervals(found: Any) -> Iterator[dict[str, Any]]:
    if isinstance(found, dict):
        if found.keys() == {"value", "low", "high"}:
            yield found
        for one in found.values():
            yield from _intervals(one)
