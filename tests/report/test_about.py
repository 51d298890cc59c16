"""The head of the page: study, network and what was judged."""

from __future__ import annotations

from pathlib import Path

from drifa.report import about
from drifa.runs.files import read_run
from tests.report.other_runs import edit
from tests.report_page import report


def test_backbones_by_modality_are_named(run: Path) -> None:
    edit(run / "model.json", lambda model: model.update(backbone={"dermoscopy": "resnet18", "pap_smear": "vgg11_bn"}))
    assert "dermoscopy: resnet18, pap_smear: vgg11_bn" in report(run).text["head"]


def test_a_source_is_a_link_only_where_it_is_a_web_address(run: Path) -> None:
    assert about.study(read_run(run))["link"]
    edit(run / "model.json", lambda model: model["study"].update(source="javascript:alert(1)"))
    assert not about.study(read_run(run))["link"]


def test_without_files_nothing_is_claimed(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("train: {}\n")
    files = read_run(tmp_path)
    assert about.study(files)["name"] == tmp_path.name
    assert about.network(files) == {"facts": [], "modalities": []}
    assert set(about.evaluation(files).values()) == {None}
