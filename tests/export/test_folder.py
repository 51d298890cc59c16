"""A model folder answers as its run does, tells nothing of the people behind it, and is refused when it is not whole."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

import drifa
from drifa.errors import DrifaError
from drifa.evaluation.calibrate import calibrate
from drifa.export.folder import CONFIG, LEARNED, PREPROCESSING, WEIGHTS, ModelFolder, card, pack
from drifa.files import digest
from drifa.networks.folder import save_model
from drifa.prediction.cases import Case
from drifa.runs.files import read_run
from drifa.runs.run import Run
from tests.networks.tiny import tiny
from tests.prediction.test_asking import files


@pytest.fixture(scope="module")
def folder(paired_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pack(paired_run.folder, tmp_path_factory.mktemp("packed") / "model")


@pytest.mark.parametrize("paired", [True, False])
def test_it_answers_as_the_run_does(paired: bool, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    run = request.getfixturevalue("paired_run" if paired else "unpaired_run")
    case = files(run, 1)[0]
    packed = drifa.load(pack(run.folder, tmp_path / "model"), device="cpu")
    here, there = drifa.load(run.folder, device="cpu"), packed
    for one, other in zip(here.nets, there.nets, strict=True):
        for (name, value), again in zip(one.state_dict().items(), other.state_dict().values(), strict=True):
            assert np.array_equal(value.numpy(), again.numpy()), name
    if paired:
        assert there(**case) == here(**case)
        return
    answer = there(**case)
    assert answer.condition == "alone"
    assert "holds no images of the training" in (answer.note or "")
    expected = here.predict([Case("case", case)], partners=False).cases[0]
    assert answer.tasks == expected.tasks


def test_all_of_it_has_the_modes_of_new_files(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "file").touch()
    modes = {path.is_dir(): path.stat().st_mode for path in (tmp_path / "new", tmp_path / "new" / "file")}
    odd = [path.name for path in (folder, *folder.rglob("*")) if path.stat().st_mode != modes[path.is_dir()]]
    assert not odd


def test_it_tells_of_no_subject_no_folder_and_holds_no_image(folder: Path, paired_run: Run) -> None:
    study = paired_run.study()
    secrets = {*map(str, study.subjects().ids), *map(str, study.subjects().group), *study.table["path"].dropna()}
    secrets |= {str(study.root), str(paired_run.folder), str(paired_run.folder.parent), str(Path.home())}
    assert len(secrets) > 70
    assert {path.name for path in folder.iterdir()} == {CONFIG, WEIGHTS, PREPROCESSING, "README.md"}
    for path in folder.iterdir():
        content = path.read_bytes()
        found = [secret for secret in secrets if secret.encode() in content]
        assert not found, (path.name, found)
        assert path.suffix == ".safetensors" or not re.search(rb"(?<![\w:/.)])/\w+/", content), path.name


def test_paths_of_weights_files_stay_at_home(paired_run: Run, tmp_path: Path) -> None:
    run = shutil.copytree(paired_run.folder, tmp_path / "run")
    told = json.loads((run / "model.json").read_text())
    told["pretrained"] = ["photo: /home/ann/secret/resnet18.pth: matched 3 of 4", "scan: C:\\ann\\secret\\a.pth: matched 1"]
    told["study"] |= {"source": "https://doi.org/10.1/x and /mnt/secret/raw", "notes": "S00001 was left out"}
    (run / "model.json").write_text(json.dumps(told))
    text = (pack(run, tmp_path / "model") / CONFIG).read_text() + (tmp_path / "model" / "README.md").read_text()
    assert "secret" not in text
    assert "S00001" not in text
    assert json.loads((tmp_path / "model" / CONFIG).read_text())["run"]["pretrained"] == [
        "photo: resnet18.pth: matched 3 of 4",
        "scan: a.pth: matched 1",
    ]
    assert "https://doi.org/10.1/x and raw" in text


def test_what_a_run_learned_about_its_answers_goes_with_it(paired_run: Run, tmp_path: Path) -> None:
    run = shutil.copytree(paired_run.folder, tmp_path / "run")
    calibrate(run)
    case = files(paired_run, 1)[0]
    packed = drifa.load(pack(run, tmp_path / "model"))
    answer = packed(**case)
    assert packed.trust is not None
    assert answer == drifa.load(run)(**case)
    assert any(task.raw_probabilities is not None for task in answer.tasks.values())


def test_a_folder_that_is_not_whole_is_refused(folder: Path, tmp_path: Path) -> None:
    for number, name in enumerate((WEIGHTS, PREPROCESSING)):
        broken = shutil.copytree(folder, tmp_path / f"lacks{number}")
        (broken / name).unlink()
        with pytest.raises(DrifaError, match=f"lacks {name}"):
            drifa.load(broken)
        shutil.copyfile(folder / name, broken / name)
        with (broken / name).open("ab") as file:
            file.write(b" ")
        with pytest.raises(DrifaError, match=f"{name} was changed"):
            drifa.load(broken)
    foreign = shutil.copytree(folder, tmp_path / "foreign")
    (foreign / LEARNED[0]).write_text("{}")
    with pytest.raises(DrifaError, match="does not list it"):
        drifa.load(foreign)
    (foreign / LEARNED[0]).unlink()
    told = json.loads((foreign / CONFIG).read_text())
    for change, message in (
        ({"drifa_package": 9}, "package format 9"),
        ({"files": {"../x": ""}}, "does not list the files"),
        ({"model": None}, "lacks its settings"),
        ({"settings": {"data": {"study": []}, "evaluate": {"passes": -1}}}, "passes"),
        ({"run": {**told["run"], "members": 3}}, "does not fit"),
        ({"model": {**told["model"], "fusion": "nothing"}}, "nothing"),
    ):
        (foreign / CONFIG).write_text(json.dumps(told | change))
        with pytest.raises(DrifaError, match=message):
            drifa.load(foreign)
    with pytest.raises(DrifaError, match="not a model folder"):
        ModelFolder.open(tmp_path)


def test_nothing_is_overwritten_and_nothing_half_written(paired_run: Run, folder: Path, tmp_path: Path) -> None:
    before = digest(folder / CONFIG)
    with pytest.raises(DrifaError, match="exists already"):
        pack(paired_run.folder, folder)
    assert digest(folder / CONFIG) == before
    run = shutil.copytree(paired_run.folder, tmp_path / "run")
    (run / "metrics.json").write_text("{")
    with pytest.raises(DrifaError, match=r"metrics\.json"):
        pack(run, tmp_path / "model")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_members_of_different_kinds_are_refused(paired_run: Run, tmp_path: Path) -> None:
    run = shutil.copytree(paired_run.folder, tmp_path / "run")
    save_model(tiny(), run / "members" / "0")
    with pytest.raises(DrifaError, match="different kinds"):
        pack(run, tmp_path / "model")


def test_a_card_of_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DrifaError, match="not a run folder"):
        card(tmp_path)


def test_what_only_a_run_has_is_not_asked_of_a_model_folder(folder: Path, tmp_path: Path) -> None:
    for ask in (Run.open, read_run, card, lambda place: pack(place, tmp_path / "again")):
        with pytest.raises(DrifaError, match=r"is a model folder, .* ask the run itself"):
            ask(folder)
