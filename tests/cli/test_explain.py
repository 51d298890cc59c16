"""`drifa explain`: what was added to each answer is told, and images of patients are warned of, of the phantom's not."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from drifa.cli.main import app
from drifa.errors import DrifaError
from drifa.runs.run import Run

WARNING = "pass it on only to those who may see the patients' images"
WORDS = ["--task", "depth", "--layer", "layer2.0", "--quiet"]  # images of 32 pixels leave one pixel behind the last stage


def test_each_answer_is_told_as_the_sum_of_what_was_added(paired_run: Run) -> None:
    done = CliRunner().invoke(app, ["explain", str(paired_run.folder), "--cases", "2", *WORDS])
    assert done.exit_code == 0, done.output
    told = re.findall(r"^\S+  depth: \w+  ([\d.]+) = ([\d.]+) \(prior\), photo (\S+), ultrasound (\S+)$", done.output, re.M)
    assert len(told) == 2
    for answer, *parts in told:
        assert sum(map(float, parts)) == pytest.approx(float(answer), abs=2.1e-3)  # four numbers of three digits
    assert f"wrote {paired_run.folder / 'explain'}/explain.json" in done.output
    assert re.search(r"^\d of 4 maps failed a check and should not be read", done.output, re.M)
    assert "say nothing of places" not in done.output
    assert WARNING not in done.output


def test_images_from_elsewhere_may_be_of_patients(paired_run: Run, tmp_path: Path) -> None:
    study = paired_run.study()
    own = study.image_path(0)
    other = shutil.copy(own, tmp_path / "photo.png")
    for path, warned in ((own, False), (other, True)):
        done = CliRunner().invoke(
            app, ["explain", str(paired_run.folder), "--image", f"photo={path}", *WORDS[2:], "--task", "surface"]
        )
        assert done.exit_code == 0, done.output
        assert (WARNING in done.output) == warned


def test_a_case_is_named_in_one_way(paired_run: Run) -> None:
    done = CliRunner().invoke(app, ["explain", str(paired_run.folder), "--subject", "S00000", "--image", "photo=a.png"])
    assert isinstance(done.exception, DrifaError)
    assert "give it or --image, not both" in str(done.exception)
