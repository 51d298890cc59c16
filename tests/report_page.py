"""A report as its readers get it: parsed, with the text of each section."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

from drifa.report import write_report

VOID = {"meta", "br", "hr", "img", "input", "link", "path", "circle", "rect", "polyline"}


class Page(HTMLParser):
    """Tags with their attributes, and the text inside each section."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: dict[str, str] = {}
        self.open: list[str] = []
        self._section = "head"
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "section":
            self._section = dict(attrs)["id"] or ""
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag, f"</{tag}> closes another element"

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text[self._section] = self.text.get(self._section, "") + data

    def has(self, section: str, words: str) -> bool:
        """Whether the words stand in a section, line breaks apart."""
        return words in re.sub(r"[ \n]+", " ", self.text.get(section, ""))


def report(run: Path) -> Page:
    path = write_report(run)
    assert path == run / "report.html"
    page = Page(path)
    assert page.open == [], "an element is left open"
    return page
