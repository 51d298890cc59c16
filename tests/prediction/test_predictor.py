"""A run is opened once and answers any number of questions."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import drifa
from drifa.errors import DrifaError
from drifa.prediction.cases import Case
from drifa.runs.run import Run


def photo(run: Run) -> Path:
    study = run.study()
    subjects = study.subjects()
    row = subjects.image[subjects.in_split("test")[0], subjects.modalities.index("photo")]
    return study.image_path(int(row))


def test_answers_do_not_depend_on_what_was_asked_before(paired_run: Run) -> None:
    predictor = drifa.load(paired_run.folder)
    file = photo(paired_run)
    first = predictor.predict_one({"photo": file}, subject="a")
    predictor.predict([Case("b", {"photo": file}), Case("c", {"photo": file})])
    assert predictor.predict_one({"photo": file}, subject="a") == first
    assert drifa.load(paired_run.folder, device="cpu").predict_one({"photo": file}, subject="a") == first
    for answer in first.tasks.values():
        assert sum(answer.probabilities.values()) == pytest.approx(1)
        assert answer.confidence == max(answer.probabilities.values()) == answer.probabilities[answer.predicted]


def test_the_networks_are_loaded_once_in_evaluation_mode_and_where_they_were_asked_to_be(paired_run: Run) -> None:
    predictor = drifa.load(paired_run.folder)
    nets = list(predictor.nets)
    predictor.predict_one({"photo": photo(paired_run)})
    assert all(net is before for net, before in zip(predictor.nets, nets, strict=True))
    assert not any(part.training for net in nets for part in net.modules())
    # The run says accelerator=cpu, so that a GPU beside it is left alone.
    assert {parameter.device for net in nets for parameter in net.parameters()} == {torch.device("cpu")}


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DrifaError, match="not a run folder"):
        drifa.load(tmp_path)
