"""Links between the pages of the repository lead to files and headings that are there; the network is not asked."""

from __future__ import annotations

import json
import re
from collections import Counter
from functools import cache
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).resolve().parents[1]
_PLACES = ((".", "*.md"), ("docs", "**/*.md"), ("docs", "**/*.ipynb"), ("results", "**/*.md"), ("benchmarks", "**/*.md"))
PAGES = sorted(path for place, pattern in _PLACES for path in (ROOT / place).glob(pattern))
_LINK = re.compile(r"\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)|^\[[^\]^]+\]:\s*(\S+)", re.M)


@cache
def text_of(page: Path) -> str:
    """What stands outside of code."""
    text = page.read_text(encoding="utf-8")
    if page.suffix == ".ipynb":
        cells = [cell["source"] for cell in json.loads(text)["cells"] if cell["cell_type"] == "markdown"]
        text = "\n\n".join(cell if isinstance(cell, str) else "".join(cell) for cell in cells)
    return re.sub(r"^( *)(```+|~~~+).*?^\1\2[ ]*$", "", text, flags=re.M | re.S)


def links_of(text: str) -> list[str]:
    return [first or second for first, second in _LINK.findall(re.sub(r"``.+?``|`[^`\n]+`", "x", text))]


def anchors_of(text: str) -> set[str]:
    """The ids of headings, as both MkDocs and GitHub make them: of a heading that comes again, with its number."""
    found: set[str] = set()
    seen: Counter[str] = Counter()
    for title in re.findall(r"^#{1,6}[ ]+(.+?)[ ]*#*$", text, re.M):
        title = re.sub(r"\]\([^)]*\)|\]\[[^\]]*\]", "]", title)
        plain = re.sub(r"[^\w\s-]", "", title.lower()).strip()
        for slug in {re.sub(r"\s", "-", plain), re.sub(r"[-\s]+", "-", plain)}:
            earlier = seen[slug]
            seen[slug] += 1
            found |= {f"{slug}_{earlier}", f"{slug}-{earlier}"} if earlier else {slug}
    return found | set(re.findall(r"""(?:\sid=["']|\{[^}\n]*#)([\w.-]+)""", text))


def faults_of(page: Path, text: str) -> list[str]:
    found = []
    for link in links_of(text):
        if re.match(r"[a-z][a-z+.-]*:|//", link):
            continue
        name, _, anchor = unquote(link).partition("#")
        target = page if not name else (page.parent / name).resolve()
        if not target.is_relative_to(ROOT) or not target.exists():
            found.append(f"{link}: there is no such file")
        elif anchor and target.suffix in (".md", ".ipynb") and anchor not in anchors_of(text if not name else text_of(target)):
            found.append(f"{link}: no heading has this name")
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    assert not faults_of(page, text_of(page))


@pytest.mark.parametrize(
    "link", ["docs/instal.md", "docs/train.md#resumee", "#nowhere", "../elsewhere.md", "docs/images/none.png", "/docs/train.md"]
)
def test_a_link_that_leads_nowhere_is_noticed(link: str) -> None:
    for text in (f"[x]({link})", f"![x]({link} 'y')".replace("'", '"'), f"[x]: {link}"):
        assert len(faults_of(ROOT / "README.md", text)) == 1


def test_headings_are_found_by_both_spellings_and_code_is_none() -> None:
    text = "# A & `b_c`: d-e\n\n## Again\n\n## Again\n\n<a id='mine'></a>"
    assert anchors_of(text) >= {"a-b_c-d-e", "a--b_c-d-e", "again", "again_1", "again-1", "mine"}
    assert links_of("`[x](y)` [a](b.md#c)") == ["b.md#c"]
