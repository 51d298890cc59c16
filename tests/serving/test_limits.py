"""Who may reach a server, and with which token."""

from __future__ import annotations

from pathlib import Path

import pytest

from drifa.errors import DrifaError
from drifa.serving.limits import Refusal, admits, is_loopback, read_token


@pytest.mark.parametrize(
    ("host", "own"),
    [("127.0.0.1", True), ("127.3.2.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("::", False)],
)
def test_only_this_machine_reaches_a_loopback_address(host: str, own: bool) -> None:
    assert is_loopback(host) == own
    if own:
        assert read_token(None, host) is None
    else:
        with pytest.raises(DrifaError, match="lets other machines ask; give --token-file"):
            read_token(None, host)


LINES = ("", "short", "0123456789abcde", "0123456789 abcdef", "0123456789abcd\nefgh", "é" * 20)


@pytest.mark.parametrize("content", [line.encode() for line in LINES])
def test_a_token_is_long_and_plain(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "token.txt"
    path.write_bytes(content)
    with pytest.raises(DrifaError, match="write 16 or more letters"):
        read_token(path, "127.0.0.1")


def test_a_token_is_read_without_the_end_of_its_line(tmp_path: Path) -> None:
    path = tmp_path / "token.txt"
    path.write_text("0123456789abcdef\n")
    assert read_token(path, "0.0.0.0") == "0123456789abcdef"
    path.write_bytes(b"\xff\xfe")
    for wrong in (path, tmp_path, tmp_path / "none"):
        with pytest.raises(DrifaError, match="cannot be read"):
            read_token(wrong, "127.0.0.1")


def test_only_the_whole_token_is_admitted() -> None:
    assert admits(None, b"")
    assert admits("abc", b"Bearer abc")
    assert admits("abc", b"bearer abc")
    assert not any(admits("abc", said) for said in (b"", b"abc", b"Bearer", b"Bearer ab", b"Bearer abcd", b"Token abc"))


def test_a_refusal_tells_type_message_and_field() -> None:
    told = Refusal(422, "input", "no", "photo").to_json()
    assert told == {"error": {"type": "input", "message": "no", "field": "photo"}}
