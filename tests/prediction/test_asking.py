"""One case by keywords: the same pixels give the same answer, wherever they are held, whoever else asks."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import drifa
from drifa.errors import DrifaError
from drifa.explain.embedding import readouts
from drifa.prediction.asking import ask, case_of, shown
from drifa.prediction.cases import Case
from drifa.prediction.predictor import Predictor
from drifa.prediction.trust import TaskTrust, Trust
from drifa.runs.run import Run
from drifa.uncertainty.abstention import Abstention


def files(run: Run, count: int = 4) -> list[dict[str, Any]]:
    """What some test subjects of a phantom have."""
    study = run.study()
    subjects = study.subjects()
    return [
        {
            name: study.image_path(int(subjects.image[row, i]))
            for i, name in enumerate(subjects.modalities)
            if subjects.image[row, i] >= 0
        }
        for row in subjects.in_split("test")[:count]
    ]


@pytest.fixture(scope="module")
def predictor(paired_run: Run) -> Predictor:
    return drifa.load(paired_run.folder)


def test_the_same_pixels_give_the_same_answer(predictor: Predictor) -> None:
    case = files(predictor.run, 1)[0]
    expected = predictor(**case).tasks
    pictures = {name: Image.open(path) for name, path in case.items()}
    arrays = {name: np.array(picture) for name, picture in pictures.items()}
    floats = {name: array.astype(np.float32) / 255 for name, array in arrays.items()}
    tensors = {name: torch.from_numpy(np.atleast_3d(array)).permute(2, 0, 1) for name, array in arrays.items()}
    ways: list[dict[str, Any]] = [pictures, arrays, floats, tensors, {name: x / 255 for name, x in tensors.items()}]
    ways.append({name: str(path) for name, path in case.items()})
    for way in ways:
        assert predictor(**way).tasks == expected
    answer = predictor.predict_one(case)
    assert (answer.tasks, answer.condition) == (expected, "paired")


def test_a_modality_is_missing_if_it_is_left_out_or_none(predictor: Predictor) -> None:
    first, *_ = case = files(predictor.run, 1)[0]
    alone = predictor(**{first: case[first]})
    assert alone.condition == "partial"
    assert predictor(**{**dict.fromkeys(case), first: case[first]}) == alone


def test_many_are_as_one_by_one_and_are_read_by_batches(predictor: Predictor) -> None:
    cases = [*files(predictor.run, 3), {"photo": files(predictor.run, 1)[0]["photo"], "subject": "other"}]
    many = predictor.predict_many(iter(cases))
    for answer, case in zip(many, cases, strict=True):
        one = predictor(**case)
        assert (answer.subject, answer.condition, answer.images) == (one.subject, one.condition, one.images)
        for task, told in answer.tasks.items():
            assert told.probabilities == pytest.approx(one.tasks[task].probabilities, abs=1e-6)
    assert [answer.subject for answer in many] == ["case", "case", "case", "other"]
    read = 0

    def endless() -> Iterator[dict[str, Any]]:
        nonlocal read
        while True:
            read += 1
            yield cases[0]

    assert next(ask(predictor, endless())).subject == "case"
    assert read == predictor.run.config.evaluate.batch_size


def test_plain_data_and_tables(predictor: Predictor) -> None:
    answer = predictor(**files(predictor.run, 1)[0])
    plain = answer.to_dict()
    assert plain["subject"] == "case"
    assert "note" not in plain
    assert plain["tasks"].keys() == answer.tasks.keys()
    frame = answer.to_frame()
    assert list(frame["task"]) == list(answer.tasks)
    assert list(frame["confidence"]) == [task.confidence for task in answer.tasks.values()]


@pytest.mark.parametrize("paired", [True, False])
def test_eight_threads_get_what_one_gets(paired: bool, request: pytest.FixtureRequest) -> None:
    predictor = drifa.load(request.getfixturevalue("paired_run" if paired else "unpaired_run").folder)
    cases = files(predictor.run, 2)

    def asked(case: dict[str, Any]) -> tuple[Any, list[float]]:
        return predictor(**case), predictor.embed(**case).readout.tolist()

    with ThreadPoolExecutor(8) as threads:
        together = list(threads.map(asked, cases * 4))
    assert together == [asked(case) for case in cases] * 4


def test_unpaired_modalities_get_partners_and_where_there_are_none_the_answer_says_so(
    unpaired_run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = files(unpaired_run, 1)[0]
    answer = drifa.load(unpaired_run.folder)(**case)
    assert (answer.condition, answer.note) == ("partners", None)

    def gone(run: Run) -> None:
        raise DrifaError("gone away")

    monkeypatch.setattr(Run, "study", gone)
    alone = drifa.load(unpaired_run.folder)(**case)
    assert alone.condition == "alone"
    assert "gone away" in (alone.note or "")


def test_an_embedding_is_what_the_heads_read_of_the_modalities_of_the_case(predictor: Predictor) -> None:
    case = files(predictor.run, 1)[0]
    name = next(iter(case))
    for told in (case, {name: case[name]}):
        found, batch = predictor.embed(**told), shown(predictor, case_of(predictor, told))
        assert found.modalities.keys() == told.keys()
        assert all(np.isfinite(vector).all() and vector.ndim == 1 for vector in found.modalities.values())
        assert found.stages.keys() == told.keys()
        for modality, vector in found.modalities.items():
            assert len(found.stages[modality]) == predictor.nets[0].stage_count
            np.testing.assert_allclose(found.stages[modality][-1].mean(axis=(1, 2)), vector, atol=1e-6)
        unit = found.readout / np.linalg.norm(found.readout)
        np.testing.assert_allclose(unit, readouts(predictor.nets[:1], batch.tensors, batch.present)[0], atol=1e-6)


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"foto": "a.png"}, "'foto' of subject 'case' is no modality of .*did you mean 'photo'"),
        ({}, "subject 'case' has neither an image nor a value; give one of photo"),
        ({"photo": None}, "neither an image nor a value"),
        ({"photo": Path("nowhere.png")}, "nowhere.png"),
        ({"photo": 3}, "a int is no image; give a path"),
        ({"photo": np.zeros((3, 8, 8), np.uint8)}, r"shape \[3, 8, 8\]"),
        ({"photo": np.zeros((8, 8, 4), np.uint8)}, "alpha"),
        ({"photo": np.zeros((8, 0), np.uint8)}, r"shape \[8, 0\]"),
        ({"photo": np.full((8, 8), 200.0)}, "200 to 200"),
        ({"photo": np.full((8, 8), np.nan)}, "nan"),
        ({"photo": np.zeros((8, 8), np.uint16)}, "uint16 has no natural white"),
        ({"photo": torch.zeros(1, 3, 8, 8)}, r"tensor of the shape \[1, 3, 8, 8\]"),
        ({"photo": Image.new("F", (8, 8))}, "mode F"),
    ],
)
def test_what_cannot_be_taken_is_refused_in_one_sentence(predictor: Predictor, told: dict[str, Any], message: str) -> None:
    with pytest.raises(DrifaError, match=message):
        predictor(**told)
    with pytest.raises(DrifaError, match=message):
        predictor.predict_many([told])


def test_a_list_of_cases_is_answered_as_many_and_no_name(predictor: Predictor) -> None:
    case = files(predictor.run, 1)[0]
    cases = [case | {"subject": name} for name in "ab"]
    assert predictor(cases) == predictor(iter(cases)) == predictor.predict_many(cases)
    for wrong in (17, None, case, cases):
        with pytest.raises(DrifaError, match=r"^subject .* is no text"):
            predictor(wrong, **case)  # type: ignore[call-overload]
    with pytest.raises(DrifaError, match=r"^subject 17 is no text"):
        predictor.predict_many([case | {"subject": 17}])


def test_a_list_of_pictures_is_no_list_of_cases(predictor: Predictor) -> None:
    with pytest.raises(DrifaError, match=r"case 0 is .*mapping"):
        predictor.predict_many(["photo.png"])  # type: ignore[list-item]


def test_answers_that_may_be_sure_say_so_where_nobody_checked_the_images(paired_run: Run) -> None:
    predictor, case = drifa.load(paired_run.folder), files(paired_run, 1)[0]
    bar = Abstention(target=0.1, confidence=0.9, bar=None, bound=0.05, kept=41, wrong=0, groups=41)
    predictor.__dict__ |= {"strangers": {}, "trust": None}
    assert predictor(**case).note is None
    for abstention in (None, bar):
        learned = dict.fromkeys(predictor.kinds, TaskTrust(None, None, None, abstention))
        predictor.__dict__["trust"] = Trust(predictor.mode, len(predictor.nets), learned)
        told = predictor(**case)
        notes = [told.note, predictor.predict([Case("a", {name: Path(path) for name, path in case.items()})]).note]
        if abstention is None:  # nothing is called sure
            assert notes == [None, ""]
        else:
            assert all(task.verdict.startswith("sure") for task in told.tasks.values())
            for note in notes:
                assert note.count("nobody checked whether images of photo and ultrasound") == 1
                assert f"drifa calibrate {paired_run.folder}" in note
