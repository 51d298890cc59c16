"""What an evaluation says of itself survives the way to a file and back."""

from __future__ import annotations

import json

import pytest

from drifa.config import EvaluateConfig
from drifa.errors import DrifaError
from drifa.evaluation.record import FORMAT, Evaluation


def test_a_record_comes_back_from_json_as_it_was() -> None:
    settings = EvaluateConfig(passes=3, resamples=30, seed=7)
    tasks = {"grade": {"kind": "classes", "count": 4}}
    head = {"split": "test", "study": "s", "subjects": 4, "members": 2}
    record = Evaluation.of(settings, **head, tasks=tasks, subsets={}, files={"metrics.json": "0a"}, partners=8)
    plain = json.loads(json.dumps(record.to_json()))
    assert plain["drifa_evaluation"] == FORMAT
    assert Evaluation.from_json(plain) == record
    assert (record.passes, record.resamples, record.seed, record.partners) == (3, 30, 7, 8)


def test_the_older_format_is_read_and_an_unknown_one_is_refused_with_a_remedy() -> None:
    old = Evaluation.from_json({"drifa_evaluation": 1, "split": "test", "study": "s", "subjects": 5, "passes": 2, "members": 1})
    assert (old.subjects, old.partners, dict(old.subsets)) == (5, 0, {})
    with pytest.raises(DrifaError, match="drifa evaluate RUN"):
        Evaluation.from_json({"drifa_evaluation": 99})
