"""Forms are read whole or not at all, however they are cut into pieces."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.datastructures import FormData
from starlette.requests import Request

from drifa.serving.limits import Refusal
from drifa.serving.multipart import LONGEST_VALUE, close_form, read_form

FORM = "multipart/form-data; boundary=b"
PART = b'--b\r\nContent-Disposition: form-data; name="photo"; filename="a.png"\r\n\r\ncontent\r\n'
VALUE = b'--b\r\nContent-Disposition: form-data; name="age"\r\n\r\n%s\r\n'


def read(content: bytes, kind: str = FORM, step: int = 7, most: int = 5) -> FormData:
    pieces = [content[start : start + step] for start in range(0, len(content), step)] or [b""]
    sent: list[Any] = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    sent[-1]["more_body"] = False

    async def receive() -> Any:
        return sent.pop(0)

    scope = {"type": "http", "method": "POST", "headers": [(b"content-type", kind.encode())]}
    return asyncio.run(read_form(Request(scope, receive), most))


@pytest.mark.parametrize("step", [1, 7, 10**6])
def test_a_whole_form_is_read(step: int) -> None:
    form = read(PART + VALUE % b"45" + b"--b--\r\n", step=step)
    assert (list(form), form["age"]) == (["photo", "age"], "45")
    assert form["photo"].file.read() == b"content"  # type: ignore[union-attr]


def test_a_form_that_is_closed_keeps_no_file_open() -> None:
    form = read(PART + VALUE % b"45" + b"--b--")
    close_form(form)
    assert form["photo"].file.closed  # type: ignore[union-attr]


def test_a_form_that_is_cut_anywhere_is_refused() -> None:
    whole = PART + VALUE % b"45" + b"--b--"
    for end in range(len(whole)):
        with pytest.raises(Refusal) as refusal:
            read(whole[:end], step=64)
        assert refusal.value.status == 400


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"{}", "application/json", 415),
        (b"", "", 415),
        (PART + b"--b--", "multipart/form-data", 400),
        (PART * 6 + b"--b--", FORM, 400),
        (VALUE % b"1" * 6 + b"--b--", FORM, 400),
        (VALUE % (b"1" * (LONGEST_VALUE + 1)) + b"--b--", FORM, 400),
        (b"--b\r\n\r\nx\r\n--b--", FORM, 400),
    ],
)
def test_what_is_no_form_of_ours_is_refused(content: bytes, kind: str, status: int) -> None:
    with pytest.raises(Refusal) as refusal:
        read(content, kind, step=1000)
    assert refusal.value.status == status
