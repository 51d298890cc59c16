"""The command line as a user meets it: every verb, and one clear line for every mistake."""

from __future__ import annotations

import contextlib
import inspect
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any
from unittest import mock

import pandas as pd
import pytest
import typer
import yaml

from drifa import load
from drifa.cli import main as cli
from drifa.config import dump_config
from drifa.errors import LONGEST
from drifa.prediction.cases import Case
from tests.studies import tiny_config


@dataclass
class Outcome:
    code: int
    out: str
    err: str


def drifa(*words: object, cwd: Path = Path()) -> Outcome:
    """Runs the command line in this process (starting Python and torch for each of many commands takes minutes)."""
    out, err = io.StringIO(), io.StringIO()
    with (
        contextlib.chdir(cwd),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        mock.patch.object(sys, "argv", ["drifa", *map(str, words)]),
        pytest.raises(SystemExit) as ended,
    ):
        cli.main()
    return Outcome(ended.value.code or 0, out.getvalue(), err.getvalue())


def works(*words: object, cwd: Path = Path()) -> str:
    result = drifa(*words, cwd=cwd)
    assert result.code == 0, result.err
    return result.out


def fails(*words: object, cwd: Path = Path()) -> str:
    """Exit code 2 and one line."""
    result = drifa(*words, cwd=cwd)
    assert result.code == 2, result
    assert result.err.startswith("error: ")
    assert len(result.err.splitlines()) == 1
    return result.err


def test_help_starts_without_torch_and_mistakes_end_the_process_with_code_2() -> None:
    code = "import sys, drifa.cli.main; sys.exit('torch' in sys.modules or 'pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
    command = [sys.executable, "-m", "drifa", "evaluate", "nowhere"]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.returncode == 2
    assert ended.stderr.startswith("error: nowhere is not a run folder")
    for verb in ("demo", "data", "train", "evaluate", "predict", "report"):
        assert verb in works("--help")
    assert works("--version").startswith("drifa ")


def test_a_shell_completes_verbs_and_options() -> None:
    for typed, found in (("drifa exp", {"export", "explain"}), ("drifa serve --token", {"--token-file"})):
        asked = {"_DRIFA_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(typed.count(" "))}
        script = "import sys; sys.argv = ['drifa']; from drifa.cli.main import main; main()"
        ended = subprocess.run([sys.executable, "-c", script], env=os.environ | asked, capture_output=True, text=True)
        assert set(ended.stdout.split()) == found, ended.stderr


@pytest.mark.parametrize("before", [(), ("data",), ("train",)])
@pytest.mark.parametrize("sign", ["", "--"])
def test_an_endless_word_is_not_repeated_whole(before: tuple[str, ...], sign: str) -> None:
    result = drifa(*before, sign + "x" * 100_000)
    assert result.code == 2
    assert len(result.err) < 4 * LONGEST


def _uses(function: Any, name: str) -> bool:
    """Whether a function, or a helper beside it that it calls, knows a name."""
    known = function.__code__.co_names
    helpers = (function.__globals__.get(word) for word in known if word.startswith("_"))
    return name in known or any(_uses(helper, name) for helper in helpers if inspect.isfunction(helper))


def test_every_verb_that_shows_a_bar_can_be_quiet() -> None:
    def verbs(group: Any, before: str = "") -> Iterator[tuple[str, Any]]:
        for name, command in group.commands.items():
            yield from verbs(command, f"{name} ") if hasattr(command, "commands") else [(before + name, command)]

    found = dict(verbs(typer.main.get_command(cli.app)))
    bars = {name for name, command in found.items() if _uses(inspect.unwrap(command.callback), "progress_bar")}
    quiet = {name for name, command in found.items() if ["--quiet", "-q"] in [option.opts for option in command.params]}
    assert bars == quiet
    assert {"train", "predict", "compare", "data audit", "data leakage-cost", "reproduce"} <= bars


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a small run was made by the verbs alone."""
    folder = tmp_path_factory.mktemp("cli")
    works("data", "prepare", "phantom", "--out", "study", cwd=folder)
    table = pd.read_csv(folder / "study" / "study.csv", dtype=str, keep_default_na=False)
    table[table["subject"] < "S00080"].to_csv(folder / "study" / "study.csv", index=False)
    (folder / "config.yaml").write_text(dump_config(tiny_config(Path("study"), epochs=1)))
    works("train", "config.yaml", "train.members=1", "--out", "run", "-q", cwd=folder)
    return folder


def test_each_verb_says_what_it_wrote_and_what_comes_next(place: Path) -> None:
    told = works("evaluate", "run", "--json", "m.json", "-q", cwd=place)
    assert told.lstrip().startswith("asking ")  # what it costs, also without bars
    assert "drifa report run" in told
    assert "m.json" in told
    assert "drifa report" not in works("evaluate", "run", "--split", "val", "-q", cwd=place)  # which tells of the test split
    metrics = json.loads((place / "m.json").read_text())
    assert metrics == json.loads((place / "run" / "metrics.json").read_text())
    assert "report.html" in works("report", "run", cwd=place)
    assert "metrics" in (place / "run" / "report.html").read_text()


def test_predict_answers_as_json_and_csv(place: Path) -> None:
    image = next((place / "study" / "images" / "photo").glob("*.png"))
    out = works("predict", "run", "--image", f"photo={image}", "--json", "a.json", "--csv", "a.csv", cwd=place)
    assert "surface" in out
    answer = json.loads((place / "a.json").read_text())["cases"][0]
    assert set(answer["tasks"]) == set(pd.read_csv(place / "a.csv")["task"])


def test_answers_too_many_to_print_are_not_lost_in_silence(place: Path) -> None:
    images = sorted((place / "study" / "images" / "photo").glob("*.png"))[:21]
    rows = [{"subject": path.stem, "modality": "photo", "path": path} for path in images]
    pd.DataFrame(rows).to_csv(place / "many.csv", index=False)
    assert "--csv FILE" in works("predict", "run", "--table", "many.csv", cwd=place)
    assert "--csv FILE" not in works("predict", "run", "--table", "many.csv", "--csv", "many_answers.csv", cwd=place)


def test_a_table_with_a_bad_file_is_answered_in_part_with_code_3(place: Path) -> None:
    image = next((place / "study" / "images" / "photo").iterdir())
    (place / "letter.png").write_bytes(b"%PDF-1.7")
    (place / "two.csv").write_text(f"subject,modality,path\ngood,photo,{image}\nbad,photo,letter.png\n")
    done = drifa("predict", "run", "--table", "two.csv", "--json", "two.json", cwd=place)
    assert done.code == 3
    assert "row 3, subject 'bad'" in done.err
    assert "1 of 2 subjects without an answer" in done.err
    told = json.loads((place / "two.json").read_text())
    assert [one["subject"] for one in told["cases"]] == ["good"]
    assert [(one["subject"], one["row"]) for one in told["failures"]] == [("bad", 3)]
    assert "row 3" in fails("predict", "run", "--table", "two.csv", "--strict", "--json", "none.json", cwd=place)
    assert not (place / "none.json").exists()


def test_resume_trains_further_and_calibrates_anew(place: Path) -> None:
    (place / "run" / "calibration.json").write_text("what was learned of other weights")
    out = works("train", "--resume", "run", "train.epochs=2", "train.calibrate=true", "-q", cwd=place)
    assert "trained member(s), calibration.json" in out
    assert sum(line.startswith("warning: ") and "validation cases are too few" in line for line in out.splitlines()) == 1
    assert "tasks" in json.loads((place / "run" / "calibration.json").read_text())
    (place / "run" / "calibration.json").unlink()
    out = works("train", "--resume", "run", "train.calibrate=false", "-q", cwd=place)
    assert "calibration.json" not in out
    assert len(pd.read_csv(place / "run" / "members" / "0" / "history.csv")) == 2
    assert yaml.safe_load((place / "run" / "config.yaml").read_text())["train"]["epochs"] == 2


def test_split_writes_a_receipt(place: Path) -> None:
    out = works("data", "split", "study", "--protocol", "strict", cwd=place)
    assert "groups in two splits: 0" in out
    assert json.loads((place / "study" / "split_receipt.json").read_text())["protocol"] == "strict"


def test_the_known_datasets_are_listed() -> None:
    out = works("data", "list")
    assert "ham10000" in out
    assert "sipakmed" in out


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["train", "nowhere.yaml", "--out", "x"], "nowhere.yaml"),
        (["train", "config.yaml"], "--out"),
        (["train", "config.yaml", "train.epoch=3", "--out", "x"], "did you mean 'train.epochs'"),
        (["train", "config.yaml", "model.fusion=drifanet", "--out", "x"], "did you mean 'drifa'"),
        (["train", "config.yaml", "model.backbone=resnet19", "--out", "x"], "resnet1"),
        (["train", "config.yaml", "model.fusion=single", "--out", "x"], "task_modalities"),
        (["train", "config.yaml", "data.modalities=[foto]", "--out", "x"], "did you mean 'photo'"),
        (["train", "config.yaml", "data.study=elsewhere", "--out", "x"], "elsewhere"),
        (["train", "config.yaml", "--out", "run"], "--resume"),
        (["train", "--resume", "run", "model.fusion=concat"], "train."),
        (["train", "--resume", "study"], "not a run folder"),
        (["evaluate", "study"], "not a run folder"),
        (["evaluate", "run", "--split", "tests"], "choices"),
        (["report", "study"], "study"),
        (["predict", "run"], "give one of photo, ultrasound"),
        (["predict", "run", "--image", "foto=a.png"], "did you mean 'photo'"),
        (["predict", "run", "--image", "photo=a.png"], "a.png"),
        (["predict", "run", "--table", "cases.csv", "--value", "age=45"], "add it to cases.csv"),
        (["predict", "run", "--image", "photo=a.png", "--out", "masks", "--csv", "a.csv"], "--json FILE"),
        (["data", "prepare", "ham1000", "study"], "did you mean 'ham10000'"),
        (["data", "prepare", "ham10000", "study", "--out", "x"], "study"),
        (["data", "prepare", "sipakmed"], "folder"),
        (["data", "split", "study", "--protocol", "leaky"], "strict"),
        (["data", "split", "run"], "study.yaml"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_mistake_costs_one_line_and_nothing_else(place: Path, words: list[str], expected: str) -> None:
    before = {path for path in place.rglob("*") if "__pycache__" not in path.parts}
    assert expected in fails(*words, cwd=place)
    assert {path for path in place.rglob("*") if "__pycache__" not in path.parts} == before


def test_real_folders_become_studies(data_root: Path, tmp_path: Path) -> None:
    for name in ("ham10000", "sipakmed"):
        if not (data_root / name).is_dir():
            pytest.skip(f"{name} is not in {data_root}")
        out = works("data", "prepare", name, data_root / name, "--out", tmp_path / name)
        assert f"{len(pd.read_csv(tmp_path / name / 'study.csv'))} images" in out


@pytest.mark.slow
def test_two_processes_train_one_run(place: Path) -> None:
    command = [sys.executable, "-m", "drifa", "train", "config.yaml", "train.devices=2", "train.calibrate=true"]
    ended = subprocess.run([*command, "--out", "two", "-q"], capture_output=True, text=True, cwd=place, timeout=600)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("wrote two: 2 trained member(s), calibration.json") == 1
    assert "accuracy" in works("evaluate", "two", "-q", cwd=place)


@pytest.mark.slow
def test_demo_runs_from_nothing_to_a_report(tmp_path: Path) -> None:
    out = works("demo", "--out", "demo", "-q", cwd=tmp_path)
    assert (tmp_path / "demo" / "report.html").is_file()
    command = next(line for line in out.splitlines() if line.startswith("next")).split()[1:]
    assert command[:2] == ["drifa", "predict"]
    assert "spread" in works(*command[1:], cwd=tmp_path)
    # The joint task cannot be read from one modality better than one time in two; fusion must do clearly better.
    spread = json.loads((tmp_path / "demo" / "metrics.json").read_text())["spread"]["ensemble"]["accuracy"]
    assert spread["low"] > 0.5
    told = json.loads((tmp_path / "demo" / "calibration.json").read_text())
    assert all("calibration" in found for found in told["test"].values())
    assert set(told["strangers"]) == {"photo", "ultrasound"}
    full, *parts = mean_confidences(tmp_path / "demo")
    assert all(part <= full for part in parts)


def mean_confidences(run: Path) -> list[float]:
    """Of the joint task over test subjects, not calibrated: with both modalities, then with each of them alone."""
    predictor = load(run, device="cpu")
    study = predictor.run.study()
    subjects, found = study.subjects(), []
    for names in (("photo", "ultrasound"), ("photo",), ("ultrasound",)):
        cases = []
        for who in subjects.in_split("test"):
            rows = dict(zip(subjects.modalities, subjects.image[who], strict=True))
            cases.append(Case(subjects.ids[who], {name: study.image_path(int(rows[name])) for name in names}))
        answers = [answer.tasks["spread"] for answer in predictor.predict(cases).cases]
        found.append(mean(max((one.raw_probabilities or one.probabilities).values()) for one in answers))
    return found


@pytest.mark.parametrize("words", [["doctor"], ["data", "split", "study"]])
def test_ctrl_c_says_so_in_one_line_and_ends_with_130(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("drifa.doctor.examine", stopped)
    monkeypatch.setattr("drifa.cli.data.study_folder", stopped)
    monkeypatch.setattr("sys.argv", ["drifa", *words])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 130
    told = capsys.readouterr().err
    assert told.startswith("interrupted; ")
    assert told.count("\n") == 1


def test_a_name_that_no_disk_takes_is_told_in_one_short_line() -> None:
    told = fails("report", "x" * 100_000)
    assert len(told) < 2500
    assert "choose a shorter name" in told


def test_a_place_that_cannot_be_written_is_an_error_of_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    assert f"{tmp_path}/file" in fails("data", "prepare", "phantom", "--out", tmp_path / "file" / "study")
    assert (tmp_path / "file").read_text() == "mine"
