"""Forms become cases: which field is what, and whose."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.datastructures import FormData, UploadFile

from drifa.serving.forms import Sent, as_cases, many_sent, one_sent
from drifa.serving.limits import Refusal


def model(*columns: str) -> Any:
    """What a form must know of a model with a photo and columns."""
    encoder = SimpleNamespace(columns=[SimpleNamespace(name=name) for name in columns])
    return SimpleNamespace(
        encoders={"table": encoder}, run=SimpleNamespace(info=SimpleNamespace(modalities=["photo", "table"]))
    )


def upload(name: str, content: bytes = b"x") -> UploadFile:
    return UploadFile(io.BytesIO(content), filename=name, size=len(content))


def test_files_are_modalities_and_texts_are_columns() -> None:
    sent = one_sent(FormData([("photo", upload("a.png")), ("age", "45"), ("subject", "P1")]), model("age"))
    assert (sent.subject, list(sent.files), sent.values) == ("P1", ["photo"], {"age": "45"})


def test_a_column_named_subject_is_a_column() -> None:
    sent = one_sent(FormData([("subject", "P1")]), model("subject"))
    assert (sent.subject, sent.values) == ("case", {"subject": "P1"})


def test_a_field_without_a_file_is_left_out() -> None:
    assert one_sent(FormData([("photo", upload("", b""))]), model()).files == {}


def test_subjects_and_columns_may_hold_points() -> None:
    fields = FormData([("x.1.photo", upload("a.png")), ("x.1.lab.crp", "3"), ("y.photo", upload("b.png"))])
    first, second = many_sent(fields, model("lab.crp"), 2)
    assert (first.subject, list(first.files), first.values) == ("x.1", ["photo"], {"lab.crp": "3"})
    assert (second.subject, second.values) == ("y", {})
    with pytest.raises(Refusal, match="2 subjects, and 1 are the most"):
        many_sent(fields, model("lab.crp"), 1)


@pytest.mark.parametrize("name", ["../../x/../a.png", "/etc/passwd", "..", ".hidden", "a\x00b", "ä" * 300, "con\nx.png"])
def test_files_lie_in_a_private_folder_that_vanishes_whatever_their_name(name: str) -> None:
    with as_cases([Sent("../up", {"../photo": (name, io.BytesIO(b"content"))}, {"age": "45"})]) as (case,):
        (path,) = case.images.values()
        folder = path.parents[2]
        assert path.read_bytes() == b"content"
        assert path.resolve().is_relative_to(folder)
        assert folder.stat().st_mode & 0o077 == 0
        assert case.values == {"age": "45"}
    assert not Path(folder).exists()
