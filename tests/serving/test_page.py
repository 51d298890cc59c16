"""The page: all of it from the server itself; ``test_browser.py`` uses it."""

from __future__ import annotations

import re

from drifa.serving.page import FILES, content_of


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
