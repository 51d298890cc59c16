"""The maps of several cases are those of each, and every picture is of its own image."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from drifa.explain.asked import Asked, batch_of, files_of, on_device
from drifa.explain.maps import CaseMaps
from drifa.explain.record import MapRecord, TaskRecord
from drifa.explain.shapley import shares
from drifa.explain.trust import shuffled
from drifa.prediction.predictor import Predictor
from drifa.runs.run import Run

LAYER = "layer2.0"
NONE = {"surface": np.full(3, 1 / 3), "depth": np.full(3, 1 / 3), "spread": np.full(4, 0.25)}


def drawn(predictor: Predictor, rows: np.ndarray, task: str, first: int = 0) -> tuple[CaseMaps, dict[int, TaskRecord]]:
    study = predictor.run.study()
    subjects = study.subjects()
    batch = batch_of(subjects, predictor.run.cache(study, None), rows)
    asked = Asked(tuple(map(str, subjects.ids[rows])), batch, files_of(study, subjects, rows))
    maps = CaseMaps(predictor, shuffled(predictor.nets[0]), asked, first, LAYER, "hirescam")
    return maps, maps.of_task(task, shares(predictor, *on_device(predictor, batch), NONE)[task])


def numbers(one: MapRecord) -> list[float]:
    # The random maps are drawn by batch, so `random` is not among them.
    return [one.largest, one.disagreement, one.deletion or 0, one.insertion or 0]


def test_cases_of_one_batch_have_the_maps_that_each_has_alone(paired_run: Run) -> None:
    predictor, rows = Predictor(paired_run), np.array([5, 0, 9])
    maps, together = drawn(predictor, rows, "spread", first=20)
    assert list(together) == [0, 1, 2]
    for place, row in enumerate(rows):
        alone = drawn(predictor, rows[place : place + 1], "spread")[1][0]
        assert together[place].output == alone.output
        for modality, one in together[place].maps.items():
            assert numbers(one) == pytest.approx(numbers(alone.maps[modality]), abs=1e-5)
            assert one.file == f"maps/{21 + place}-{maps.asked.names[place]}-spread-{modality}.png"
            file = maps.asked.files[place][modality]
            original = np.asarray(Image.open(file).convert("RGB"))
            picture = np.asarray(Image.open(io.BytesIO(maps.pictures[one.file])))
            assert (picture[:, : original.shape[1]] == original).all()
            assert row == np.flatnonzero(paired_run.study().subjects().ids == maps.asked.names[place])[0]


def test_a_case_is_drawn_where_it_has_an_image_and_an_answer(unpaired_run: Run) -> None:
    predictor = Predictor(unpaired_run)
    present = unpaired_run.study().subjects().present
    rows = np.array([np.flatnonzero(present[:, 1])[0], np.flatnonzero(present[:, 0])[0], np.flatnonzero(present[:, 1])[1]])
    maps, depth = drawn(predictor, rows, "depth")
    assert {row: list(one.maps) for row, one in depth.items()} == {0: ["ultrasound"], 2: ["ultrasound"]}
    alone = drawn(predictor, rows[2:], "depth")[1][0]
    assert numbers(depth[2].maps["ultrasound"]) == pytest.approx(numbers(alone.maps["ultrasound"]), abs=1e-5)
    assert len(maps.pictures) == 2
