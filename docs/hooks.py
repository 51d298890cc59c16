"""Turns the reStructuredText roles and formulas of docstrings into plain HTML, without any script in the page."""

from __future__ import annotations

import html
import re
from typing import Any

_SYMBOLS = {
    r"\otimes": " ⊗ ", r"\overline{H[p]}": "mean H[p]", r"\overline": "mean ", r"\bar p": "p̄", r"\hat d": "d̂", r"\hat l": "l̂",
    r"\omega": "ω", r"\sigma": "σ", r"\lambda": "λ", r"\psi": "ψ", r"\delta": "δ", r"\eta": "η", r"\Pi": "Π", r"\in": " ∈ ",
    r"\sum": "Σ", r"\,": " ", r"\ ": " ", r"\\": " ", "'": "′",
}  # fmt: skip


def formula(latex: str) -> str:
    """A short LaTeX formula as HTML."""
    text = html.unescape(re.sub(r"<[^>]+>", "", latex))
    for source, symbol in _SYMBOLS.items():
        text = text.replace(source, symbol)
    text = html.escape(re.sub(r"\s+", " ", text).strip(), quote=False)
    text = re.sub(r"_\{([^}]*)\}|_(\w)", lambda m: f"<sub>{m[1] or m[2]}</sub>", text)
    return re.sub(r"\^\{([^}]*)\}|\^(\w)", lambda m: f"<sup>{m[1] or m[2]}</sup>", text)


def on_page_content(content: str, page: Any, **_: Any) -> str:
    """Called by MkDocs with the HTML of each page."""
    if not page.file.src_uri.startswith("api/"):
        return content
    content = re.sub(r":math:<code>(.*?)</code>", lambda m: f"<em>{formula(m[1])}</em>", content, flags=re.S)
    content = re.sub(r"<p>\.\. math::\s*(.*?)</p>", lambda m: f"<p><em>{formula(m[1])}</em></p>", content, flags=re.S)
    role = r":(?:class|func|meth|mod|data|attr):<code>(~?)([^<]*)</code>"
    content = re.sub(role, lambda m: f"<code>{m[2].rsplit('.', 1)[-1] if m[1] else m[2]}</code>", content)
    return content
