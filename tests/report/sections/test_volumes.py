"""Every subject: the worst first, in the most thorough mode, members averaged."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from drifa.report.sections import volumes
from drifa.runs.files import read_run
from tests.report.other_runs import regions_run
from tests.report_page import report


@pytest.mark.parametrize("evaluation_format", [1, 2])
def test_the_worst_subject_comes_first(tmp_path: Path, evaluation_format: int) -> None:
    run = regions_run(tmp_path, evaluation_format)
    record = volumes.record(read_run(run))
    assert record is not None
    table = pd.read_csv(run / "volumes.csv").query("mode == 'mc'")
    means = table.groupby("subject")["dice"].mean().sort_values()
    assert [subject["subject"] for subject in record["tasks"][0]["subjects"]] == list(means.index)
    assert record["tasks"][0]["count"] == 8
    assert report(run).has("subjects", "volume_0")


def test_without_the_table_the_section_names_its_command(tmp_path: Path) -> None:
    run = regions_run(tmp_path)
    (run / "volumes.csv").unlink()
    assert report(run).has("subjects", "volumes.csv is not in this run folder; drifa evaluate RUN writes it")


def test_only_regions_have_the_section(run: Path, numbers: Path) -> None:
    assert volumes.record(read_run(run)) is volumes.record(read_run(numbers)) is None


def test_each_region_has_its_figures_of_volumes_with_data(tmp_path: Path) -> None:
    page = report(regions_run(tmp_path))
    for region in ("WT", "TC"):
        assert page.has("subjects", f"tumour, {region}: Dice (upright) by true volume")
        assert page.has("subjects", f"tumour, {region}: predicted minus true volume in ml")
    assert [a["download"] for tag, a in page.tags if tag == "a" and "download" in a].count("tumour-volumes.csv") == 1


def test_a_region_without_volumes_has_no_figure_of_them(tmp_path: Path) -> None:
    run = regions_run(tmp_path)
    path = run / "volumes.csv"
    table = pd.read_csv(path)
    table.loc[table["region"] == "TC", "truth_ml"] = float("nan")
    table.to_csv(path, index=False)
    record = volumes.record(read_run(run))
    assert record is not None
    assert [row["region"] for row in record["tasks"][0]["regions"]] == ["WT"]
