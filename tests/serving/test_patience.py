"""A connection that stalls in its headers ends, and one that asks in time is answered."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest
import uvicorn
from starlette.applications import Starlette

from drifa.serving import patience
from drifa.serving.run import listen


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Of a server without patience."""
    monkeypatch.setattr(patience, "HEADERS", 0.3)
    listening = listen("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(Starlette(), http=patience.PatientProtocol, log_config=None, access_log=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    yield listening.getsockname()[1]
    server.should_exit = True
    thread.join()
    listening.close()


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost: a\r\n", b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HT"])
def test_what_stalls_in_its_headers_is_closed(port: int, sent: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(sent)
        received = b""
        while part := connection.recv(4096):
            received += part
    assert received.count(b"HTTP/1.1 404") == sent.count(b"\r\n\r\n")
