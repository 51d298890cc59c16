"""The page stands alone, escapes what a table may hold, and names every arm, task and verdict."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from drifa.experiments.comparison import Case, Comparison
from drifa.experiments.jobs import Outcome
from drifa.experiments.page import page

Done = tuple[Path, list[Outcome], Comparison]


def test_the_page_needs_nothing_else(done: Done) -> None:
    text = (done[0] / "comparison.html").read_text()
    assert not re.search(r"<script|<link|<img|url\(|https?://|@import", text)
    assert text.count('<svg class="figure"') >= 2 + 6 + 2  # forests, metrics against cost, curves
    assert all(name in text for name in (*(arm.name for arm in done[2].arms), *done[2].tasks))
    assert done[2].verdict in text


def test_text_of_a_study_is_escaped(done: Done) -> None:
    case = Case("depth", "<script>alert(1)</script>", "thin", {"drifa": "<b>deep</b>"}, 0.5)
    text = page(replace(done[2], cases=[case]))
    assert "<script>" not in text
    assert "<b>deep" not in text
    assert "&lt;script&gt;" in text
