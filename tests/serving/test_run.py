"""A server from start to end, in a process of its own."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

import httpx2 as httpx
import pytest
import uvicorn

from drifa.errors import DrifaError
from drifa.prediction.predictor import Predictor
from drifa.runs.run import Run
from drifa.serving.app import create_app
from drifa.serving.limits import Limits
from drifa.serving.run import Server, listen


def test_a_port_in_use_and_an_address_of_another_machine_are_named() -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(DrifaError, match=f"port {port} of 127.0.0.1 is in use; give another with --port"):
            listen("127.0.0.1", port)
    with pytest.raises(DrifaError, match="cannot be used"):
        listen("192.0.2.1", 0)
    with pytest.raises(DrifaError, match="is no address of this machine"):
        listen("no such host", 0)


def test_who_asks_while_the_last_answer_is_made_is_told_that_the_server_ends(predictor: Predictor) -> None:
    app = create_app(predictor)
    with listen("127.0.0.1", 0) as listening:
        server = Server(uvicorn.Config(app, log_config=None, access_log=False), app.state.desk)
        app.state.desk.waiting = 1
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        assert httpx.get(f"{address}/health").json() == {"status": "ok"}
        server.handle_exit(signal.SIGTERM, None)
        for _ in range(10):
            told = httpx.get(f"{address}/health")
            assert (told.status_code, told.json()) == (503, {"status": "closing"})
            time.sleep(0.05)
        assert httpx.post(f"{address}/v1/predict", files={"photo": b"x"}).json()["error"]["type"] == "closing"
        app.state.desk.waiting = 0
        thread.join()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{address}/health")


def test_an_upload_that_stalls_is_refused_and_a_client_that_goes_away_leaves_no_place_taken(predictor: Predictor) -> None:
    app = create_app(predictor, Limits(seconds=1))
    begun = b"POST /v1/predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: multipart/form-data; boundary=b\r\n"
    begun += b'Content-Length: 9999\r\n\r\n--b\r\nContent-Disposition: form-data; name="photo"; filename="a.png"\r\n\r\nPNG'
    with listen("127.0.0.1", 0) as listening:
        server = Server(uvicorn.Config(app, log_config=None, access_log=False), app.state.desk)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        address = listening.getsockname()
        with socket.create_connection(address, timeout=60) as stalls, socket.create_connection(address, timeout=60) as leaves:
            leaves.sendall(begun)
            leaves.close()
            stalls.sendall(begun)
            received = b""
            while b"}}" not in received and (part := stalls.recv(65536)):
                received += part
            assert received.startswith(b"HTTP/1.1 503")
            assert b'"type":"timeout"' in received
        for _ in range(100):
            if not app.state.desk.waiting:
                break
            time.sleep(0.1)
        assert app.state.desk.waiting == 0
        assert httpx.get(f"http://127.0.0.1:{address[1]}/health").json() == {"status": "ok"}
        server.handle_exit(signal.SIGTERM, None)
        thread.join()


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
