"""Settings: the configuration and the versions, as they stand in the run."""

from __future__ import annotations

import json
from pathlib import Path

from drifa.report.sections import environment
from drifa.runs.files import read_run
from tests.report_page import report


def test_every_entry_and_the_whole_configuration_are_there(run: Path) -> None:
    page = report(run)
    for key, value in json.loads((run / "environment.json").read_text()).items():
        assert page.has("environment", f"{key}{value}")
    assert (run / "config.yaml").read_text().strip() in page.text["environment"]


def test_a_file_that_is_not_there_is_none(numbers: Path) -> None:
    assert environment.record(read_run(numbers)) == {"environment": None, "config": "train: {epochs: 2}\n"}
