"""The page: all of it from the server itself, and loaded by a browser without an error where there is one."""

from __future__ import annotations

import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn

from drifa.prediction.predictor import Predictor
from drifa.serving.app import create_app
from drifa.serving.page import FILES, content_of
from drifa.serving.run import listen


def test_nothing_is_fetched_from_elsewhere_and_nothing_stands_inline() -> None:
    text = "".join(content_of(route)[0].decode() for route in FILES).replace('"http://www.w3.org/2000/svg"', "")
    assert not re.search(r"https?:|//[a-z]+\.|<style|style=|\son\w+=|javascript:|\beval\b|innerHTML", text)


def test_the_page_names_every_field_and_tells_what_changes() -> None:
    page = content_of("/")[0].decode()
    assert "Not a medical device" in page
    assert 'lang="en"' in page
    assert 'name="viewport"' in page
    assert 'aria-live="polite"' in page
    assert 'role="alert"' in page
    named = set(re.findall(r'<label for="(\w+)"', page))
    assert set(re.findall(r'<input id="(\w+)"', page)) <= named
    assert set(re.findall(r'byId\("([\w-]+)"\)', content_of("/page.js")[0].decode())) <= set(re.findall(r'id="([\w-]+)"', page))


@pytest.fixture
def address(predictor: Predictor) -> Iterator[str]:
    """Of a server of its own."""
    listening = listen("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(create_app(predictor), log_config=None, access_log=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
    server.should_exit = True
    thread.join()
    listening.close()


def test_a_browser_loads_the_page_without_an_error(address: str, tmp_path: Path) -> None:
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        pytest.skip("no chromium on PATH")
    options = ("--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--virtual-time-budget=10000")
    command = [browser, *options, f"--user-data-dir={tmp_path}", "--dump-dom", address]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert 'data-ready="yes"' in result.stdout, result.stderr[-2000:]
    assert {'name="photo"', 'name="ultrasound"'} <= set(re.findall(r'name="\w+"', result.stdout))
    assert "smooth and thin" in result.stdout
    assert ":CONSOLE" not in result.stderr
