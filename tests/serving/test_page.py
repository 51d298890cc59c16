"""The page: all of it from the server itself; ``test_browser.py`` uses it."""

from __future__ import annotations

import re

from drifa.serving.page import FILES, content_of
from drifa.serving.slices import MOST, SIDE, WINDOW


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


def test_the_page_states_how_volumes_are_reduced() -> None:
    words = re.sub(r'" \+\s+"', "", content_of("/volumes.js")[0].decode())
    assert f"at most {MOST} slices of {SIDE} pixels a side" in words
    assert f"grey from the {WINDOW[0]}st to the {WINDOW[1]}th percentile" in words
