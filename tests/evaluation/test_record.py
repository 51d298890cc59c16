"""What an evaluation says of itself survives the way to a file and back."""

from __future__ import annotations

import errno
import json
import os
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from drifa.config import EvaluateConfig
from drifa.errors import DrifaError
from drifa.evaluation.record import FORMAT, Evaluation
from drifa.files import digest


def test_a_record_comes_back_from_json_as_it_was() -> None:
    settings = EvaluateConfig(passes=3, resamples=30, seed=7)
    tasks = {"grade": {"kind": "classes", "count": 4}}
    head = {"split": "test", "study": "s", "subjects": 4, "members": 2}
    record = Evaluation.of(settings, **head, tasks=tasks, subsets={}, partners=8)
    record = replace(record, files={"metrics.json": "0a"})
    plain = json.loads(json.dumps(record.to_json()))
    assert plain["drifa_evaluation"] == FORMAT
    assert Evaluation.from_json(plain) == record
    assert (record.passes, record.resamples, record.seed, record.partners) == (3, 30, 7, 8)


def test_the_older_format_is_read_and_an_unknown_one_is_refused_with_a_remedy() -> None:
    old = Evaluation.from_json({"drifa_evaluation": 1, "split": "test", "study": "s", "subjects": 5, "passes": 2, "members": 1})
    assert (old.subjects, old.partners, dict(old.subsets)) == (5, 0, {})
    with pytest.raises(DrifaError, match="drifa evaluate RUN"):
        Evaluation.from_json({"drifa_evaluation": 99})


@pytest.mark.parametrize("name", ["predictions.parquet", "volumes.csv"])
def test_the_files_of_an_evaluation_are_put_in_place_together_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def files() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    record = Evaluation.of(EvaluateConfig(), split="test", study="s", subjects=1, members=1, tasks={}, subsets={})
    record.save(tmp_path, {"a": 1}, pd.DataFrame({"subject": ["x"]}), name)
    before = files()
    told = json.loads(before["evaluation.json"])["files"]
    assert told == {one: digest(tmp_path / one) for one in ("metrics.json", name)}
    assert before.keys() == {"evaluation.json", "metrics.json", name}

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(pd.DataFrame, "to_csv", full)
    monkeypatch.setattr(pd.DataFrame, "to_parquet", full)
    with pytest.raises(OSError, match="No space left") as caught:
        record.save(tmp_path, {"a": 2}, pd.DataFrame({"subject": ["y"]}), name)
    assert caught.value.filename == str(tmp_path / name)
    assert files() == before
