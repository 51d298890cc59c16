"""A run explains some of its test cases, one subject, or new images, and says in a sentence what it cannot."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from drifa.errors import DrifaError
from drifa.explain.explain import explain
from drifa.prediction.cases import Case
from drifa.prediction.predictor import Predictor
from drifa.runs.run import Run

#: Images of 32 pixels leave one pixel behind the last stage.
LAYER = "layer2.0"


def test_some_test_cases_are_explained_with_figures(paired_run: Run) -> None:
    where, found = explain(paired_run.folder, cases=2, layer=LAYER)
    told = json.loads((where / "explain.json").read_text(encoding="utf-8"))
    assert where == paired_run.folder / "explain"
    assert told["drifa_explanation"] == 1
    assert len(told["cases"]) == len(found.cases) == 2
    subjects = paired_run.study().subjects()
    for case in told["cases"]:
        assert case["subject"] in subjects.ids[subjects.in_split("test")]
        assert {one["subject"] for one in case["neighbours"]} <= set(subjects.ids[subjects.in_split("train")])
        table = paired_run.study().table.set_index("subject")
        for one in case["neighbours"]:
            rows = table.loc[[one["subject"]]]
            assert set(rows["group"]) == {one["group"]}
            assert all(set(rows[task]) - {""} == {label} for task, label in one["labels"].items())
            assert set(one["labels"]) == {"surface", "depth", "spread"}
        assert set(case["tasks"]) == {"surface", "depth", "spread"}
        for task in case["tasks"].values():
            assert task["none"] + sum(task["shares"].values()) == pytest.approx(task["answer"], abs=1e-6)
            assert set(task["maps"]) == {"photo", "ultrasound"}
            for modality, one in task["maps"].items():
                original = np.asarray(Image.open(case["images"][modality]).convert("RGB"))
                drawn = np.asarray(Image.open(where / one["file"]))
                assert (drawn[:, : original.shape[1]] == original).all()
                assert drawn.shape == (original.shape[0], 2 * original.shape[1], 3)
                assert one["randomisation"] is None or -1 <= one["randomisation"] <= 1
                assert one["cells"] == [4, 4]
                assert 0 <= one["largest"] <= 1
                assert one["largest"] or one["randomisation"] is one["agreement"] is None
                assert all(0 <= one[name] <= 1 for name in ("deletion", "insertion", "random"))
    assert set(told["cohort"]["spread"]) == {"photo", "ultrasound", "photo*ultrasound"}
    assert told["gates"]
    places = pd.read_csv(where / "space-depth.csv")
    assert len(places) == told["embedding"]["depth"]["cases"]
    assert set(places["answer"]) <= {"right", "wrong"}
    for name in ("gates.svg", "shares-spread.svg", *told["embedding"]["depth"]["files"]):
        assert (where / name).stat().st_size > (500 if name.endswith(".svg") else 0)


def test_one_subject_and_its_images_get_the_same_explanation(paired_run: Run) -> None:
    subject = str(paired_run.study().subjects().ids[0])
    where, found = explain(paired_run.folder, subject=subject, layer=LAYER, task="spread")
    assert where == paired_run.folder / "explain" / subject
    images = {name: Path(path) for name, path in found.cases[0].images.items()}
    again = explain(paired_run.folder, case=Case(subject, images), layer=LAYER, task="spread")[1]
    first, second = (one.cases[0].tasks["spread"] for one in (found, again))
    assert list(found.cases[0].tasks) == ["spread"]
    assert second.shares == pytest.approx(first.shares, abs=1e-6)
    assert second.maps["photo"].deletion == pytest.approx(first.maps["photo"].deletion, abs=1e-6)
    assert not found.cohort
    assert not found.gates


def test_a_case_with_one_image_explains_what_that_can_answer(unpaired_run: Run) -> None:
    study = unpaired_run.study()
    subjects = study.subjects()
    row = int(np.flatnonzero(subjects.present[:, 0])[0])
    photo = study.image_path(int(subjects.image[row, 0]))
    _, found = explain(unpaired_run.folder, case=Case("new/one", {"photo": photo}), layer=LAYER)
    assert list(found.cases[0].tasks) == ["surface"]
    assert found.cases[0].tasks["surface"].shares["ultrasound"] == 0
    assert list(found.cases[0].tasks["surface"].maps) == ["photo"]
    with pytest.raises(DrifaError, match=r"task 'depth' cannot be answered from photo of 'x'; it needs ultrasound"):
        explain(unpaired_run.folder, case=Case("x", {"photo": photo}), layer=LAYER, task="depth")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"layer": "layer9"}, "layer 'layer9' is not a stage of this network.*layer4"),
        ({"subject": "S0"}, "subject 'S0' is not in the study of this run .did you mean 'S00000' or 'S0\\d+'"),
        ({"subject": "9"}, "subject '9' is not in the study of this run .its ids are those of the column subject"),
        ({"task": "dept"}, "task 'dept' is not one of this run.*depth"),
        ({"cases": 0}, "--cases 0 explains nothing"),
        ({"method": "cam"}, "method 'cam' is not known"),
        ({"embedding": "tsnee", "layer": LAYER}, "embedding 'tsnee' is not known .did you mean 'tsne'"),
        ({"embedding": "pca", "subject": "S00000", "layer": LAYER}, "embedding 'pca' draws the test split, not a single case"),
        ({"layer": "layer4.0"}, "have one pixel at the layer .* take an earlier layer, such as"),
        ({"case": Case("a", {"photo": Path("none.png")})}, "none.png"),
        ({"case": Case("a", {"foto": Path("none.png")})}, "'foto' of subject 'a' is no modality of this model.*photo"),
    ],
)
def test_mistakes_are_told_in_a_sentence_and_nothing_is_written(
    paired_run: Run, arguments, message: str, tmp_path: Path
) -> None:
    run = shutil.copytree(paired_run.folder, tmp_path / "run", ignore=shutil.ignore_patterns("explain"))
    with pytest.raises(DrifaError, match=message):
        explain(run, **arguments)
    assert not (run / "explain").exists()


def test_images_that_are_gone_are_named(paired_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    subjects, study = paired_run.study().subjects(), paired_run.study()
    path = study.image_path(int(subjects.image[0, 0]))
    away = path.with_suffix(".away")
    path.rename(away)
    try:
        with pytest.raises(DrifaError, match=path.name):
            explain(paired_run.folder, subject=str(subjects.ids[0]), layer=LAYER)
    finally:
        away.rename(path)


def test_networks_are_as_before(paired_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    predictor = Predictor(paired_run)
    monkeypatch.setattr(Predictor, "open", lambda *given, **named: predictor)
    before = [{name: value.clone() for name, value in net.state_dict().items()} for net in predictor.nets]
    explain(paired_run.folder, cases=1, layer=LAYER, task="depth")
    for net, state in zip(predictor.nets, before, strict=True):
        assert all((value == state[name]).all() for name, value in net.state_dict().items())
        assert all(parameter.grad is None for parameter in net.parameters())
        assert not any(part._forward_hooks or part._forward_pre_hooks or part.training for part in net.modules())
