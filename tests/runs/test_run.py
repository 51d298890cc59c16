"""A run folder is opened as it was written, and refused where it is none."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch

from drifa.config import make_config
from drifa.data import Study
from drifa.errors import DrifaError
from drifa.runs.files import read_run
from drifa.runs.run import Run, choose_device, environment, load_study, use_threads, with_tabular, write_run
from tests.studies import tiny_config


def test_a_run_of_another_version(paired_run: Run, tmp_path: Path) -> None:
    shutil.copytree(paired_run.folder, tmp_path / "run")
    path = tmp_path / "run" / "model.json"
    path.write_text(path.read_text().replace('"drifa_run": 2', '"drifa_run": 7'))
    with pytest.raises(DrifaError, match="run format 7"):
        Run.open(tmp_path / "run")


def test_a_run_is_opened_as_it_was_written(paired_run: Run, tmp_path: Path) -> None:
    written = write_run(tmp_path / "deep" / "run", paired_run.config, paired_run.info)
    again = Run.open(str(written.folder))
    assert again == written
    assert (again.config, again.info) == (paired_run.config, paired_run.info)
    told = json.loads((written.folder / "environment.json").read_text())
    assert told.keys() == environment().keys()
    assert told["torch"] == torch.__version__.split("+")[0] or told["torch"] == torch.__version__


def test_a_folder_that_is_none_or_is_damaged_is_named(paired_run: Run, tmp_path: Path) -> None:
    with pytest.raises(DrifaError, match=r"is not a run folder \(model\.json or config\.yaml is missing\); `drifa train`"):
        Run.open(tmp_path)
    write_run(tmp_path, paired_run.config, paired_run.info)
    (tmp_path / "model.json").write_text("{")
    with pytest.raises(DrifaError, match=r"model\.json' is not valid JSON"):
        Run.open(tmp_path)


def test_a_member_counts_once_its_training_is_complete(paired_run: Run, tmp_path: Path) -> None:
    run = write_run(tmp_path, paired_run.config, paired_run.info)
    with pytest.raises(DrifaError, match=rf"has no completely trained member; continue with `drifa train --resume {tmp_path}`"):
        run.trained_members()
    shutil.copytree(paired_run.member(1), run.member(1))
    assert run.trained_members() == [1]
    (net,) = run.networks()
    assert not net.training
    for mine, theirs in zip(net.parameters(), paired_run.networks()[1].parameters(), strict=True):
        assert torch.equal(mine, theirs)


def test_the_study_has_the_split_of_the_run(paired_run: Run) -> None:
    table = pd.read_csv(paired_run.folder / "split.csv").set_index("subject")["split"]
    subjects = paired_run.study().subjects()
    assert subjects.split.tolist() == table[subjects.ids].tolist()
    assert set(Study.load(paired_run.config.data.studies[0]).table["split"]) == {""}


def test_a_configuration_names_what_is_kept_of_its_studies(paired_run: Run, tmp_path: Path) -> None:
    folder = paired_run.config.data.studies[0]

    def made(**data: object) -> Study:
        return load_study(make_config({"data": {"study": folder, **data}}))

    assert list(made().modalities) == ["photo", "ultrasound"]
    assert list(made(modalities=["ultrasound"]).tasks) == ["depth", "spread"]
    assert list(made(tasks=["surface"]).tasks) == ["surface"]
    whole = made()
    replace(whole, name="again").save(tmp_path)
    both = made(study=[folder, str(tmp_path)])
    assert len(both.subjects()) == 2 * len(whole.subjects())
    tabular = made(tabular={"record": ["group"]})
    assert tabular.modalities["record"].columns == ("group",)
    assert list(with_tabular(whole, make_config({"data": {"study": folder}})).modalities) == list(whole.modalities)


def test_a_run_of_the_cpu_answers_there_whatever_there_is(paired_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for there, accelerator, expected in ((True, "cpu", "cpu"), (True, "auto", "cuda"), (False, "auto", "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda there=there: there)
        config = tiny_config(Path("study"), accelerator=accelerator)
        assert choose_device(config) == torch.device(expected)


def test_threads_are_those_of_the_configuration_and_none_leaves_them() -> None:
    before = torch.get_num_threads()
    try:
        use_threads(tiny_config(Path("study"), threads=2))
        assert torch.get_num_threads() == 2
        use_threads(tiny_config(Path("study"), threads=0))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("place", ["evaluations", "predictions", "explain", "members/1", "evaluations/own-val"])
def test_a_link_that_leads_out_of_the_run_is_refused(paired_run: Run, tmp_path: Path, place: str) -> None:
    run = write_run(tmp_path / "run", paired_run.config, paired_run.info)
    link = run.folder / place
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(tmp_path)
    for opens in (Run.open, read_run):
        with pytest.raises(
            DrifaError, match=f"{place} is a link to {tmp_path}, outside .*; put a folder of its own in its place"
        ):
            opens(run.folder)
    link.unlink()
    (run.folder / "kept").mkdir()
    link.symlink_to(run.folder / "kept")
    assert Run.open(run.folder) == run
