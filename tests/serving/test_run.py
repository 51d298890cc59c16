"""A server from start to end, in a process of its own."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

from drifa.errors import DrifaError
from drifa.runs.run import Run
from drifa.serving.run import listen


def test_a_port_in_use_and_an_address_of_another_machine_are_named() -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(DrifaError, match=f"port {port} of 127.0.0.1 is in use; give another with --port"):
            listen("127.0.0.1", port)
    with pytest.raises(DrifaError, match="cannot be used"):
        listen("192.0.2.1", 0)
    with pytest.raises(DrifaError, match="is no address of this machine"):
        listen("no such host", 0)


@pytest.mark.slow
def test_a_server_answers_until_it_is_told_to_end(paired_run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "drifa", "serve", str(paired_run.folder), "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        line = server.stdout.readline()
        assert f"http://127.0.0.1:{port}/" in line
        assert "not a medical device" in line
        for _ in range(100):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/health?who=Jane") as response:
                    assert response.status == 200
                break
            except urllib.error.URLError:
                time.sleep(0.1)
        server.send_signal(signal.SIGTERM)
        _, log = server.communicate(timeout=60)
    assert "request " in log
    assert "Jane" not in log
    assert "Traceback" not in log
