"""Large tables: the answers of the plain engine, in its order, in parts that a restart leaves alone."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from drifa import DrifaError
from drifa.export.folder import pack
from drifa.prediction import parts
from drifa.prediction.answers import as_table
from drifa.prediction.cases import cases_from_table
from drifa.prediction.parts import predict_table
from drifa.prediction.predict import predict
from drifa.runs.run import Run


@pytest.fixture
def table(paired_run: Run, tmp_path: Path) -> Path:
    """Six subjects with both images each, and one whose file is missing in the middle of them."""
    study = paired_run.study()
    subjects = study.subjects()
    rows = [
        {"subject": subjects.ids[who], "modality": name, "path": str(study.image_path(int(row)))}
        for who in range(6)
        for name, row in zip(subjects.modalities, subjects.image[who], strict=True)
    ]
    rows.insert(4, {"subject": "lost", "modality": "photo", "path": "nowhere.png"})
    pd.DataFrame(rows).to_parquet(tmp_path / "cases.parquet")
    return tmp_path / "cases.parquet"


@pytest.mark.slow
def test_two_workers_answer_as_one_predictor_and_continue(paired_run: Run, table: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray")
    expected = as_table(predict(paired_run.folder, cases_from_table(table), strict=False))
    found = predict_table(paired_run.folder, table, tmp_path / "out", workers=2, part=3)
    pd.testing.assert_frame_equal(found, expected, check_dtype=False, rtol=1e-5, atol=1e-6)
    assert list(found["subject"])[-1] == "lost"
    files = sorted((tmp_path / "out").glob("part-*.parquet"))
    written = {path: path.stat().st_mtime_ns for path in files}
    assert len(files) == 3
    files[1].unlink()
    again = predict_table(paired_run.folder, table, tmp_path / "out", workers=2, part=3)
    pd.testing.assert_frame_equal(again, found)
    assert [path.stat().st_mtime_ns == written[path] for path in files] == [True, False, True]


def test_parts_of_another_question_are_refused_and_kept(paired_run: Run, table: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(parts, "find_spec", lambda name: name)  # only the way to the workers is Ray's

    def written(items, arguments, *rest) -> None:
        for item in items:
            parts.Worker(*arguments)({"part": [item["part"]], "rows": [item["rows"]]})

    monkeypatch.setattr(parts, "_ask", written)
    predict_table(paired_run.folder, table, tmp_path / "out", part=4)
    before = {path: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    # A model folder answers as well, and is another question.
    packed = pack(paired_run.folder, tmp_path / "packed")
    assert set(predict_table(packed, table, tmp_path / "of_packed", part=4)["subject"]) >= {"lost"}
    with pytest.raises(DrifaError, match="another run, table or setting"):
        predict_table(packed, table, tmp_path / "out", part=4)
    with pytest.raises(DrifaError, match="another run, table or setting"):
        predict_table(paired_run.folder, table, tmp_path / "out", partners=False, part=4)
    with pytest.raises(DrifaError, match="not empty"):
        predict_table(paired_run.folder, table, tmp_path, part=4)
    assert {path: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


def test_without_ray_one_sentence_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "find_spec", lambda name: None)
    with pytest.raises(DrifaError, match=r"pip install 'drifa\[ray\]'"):
        predict_table(tmp_path, tmp_path / "cases.parquet", tmp_path / "out")
