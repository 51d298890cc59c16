"""Writes the table of ``docs/backbones.md``: ``python tests/backbones/families_table.py`` from the repository's root."""

from __future__ import annotations

import re
from pathlib import Path

from drifa.backbones import FAMILIES, Branch
from drifa.backbones.layouts import ToNCHW

PAGE = Path(__file__).resolve().parents[2] / "docs" / "backbones.md"
HEAD = "| Family | Example | Stages | Channels at the end of each level | Parameters, million | Inside | Image, pixels |\n"


def row(family: str, backbone: str) -> str:
    """What one branch of a family is, as a row of the table."""
    branch = Branch(backbone, 3)
    channels = ", ".join(str(info.channels) for info in branch.infos if info.ends_level)
    parameters = sum(parameter.numel() for parameter in branch.parameters()) / 1e6
    layouts = sorted({module.layout for module in branch.modules() if isinstance(module, ToNCHW)}) or ["NCHW"]
    image = branch.sizes.describe(branch.stages).split(" (")[0]
    return (
        f"| {family} | `{backbone}` | {len(branch.infos)} | {channels} | {parameters:.1f} | {' + '.join(layouts)} | {image} |\n"
    )


def listed(text: str) -> dict[str, str]:
    """Family -> example, as the page has them."""
    return dict(re.findall(r"^\| ([^|`]+) \| `(\w+)` \|", text, re.M))


def main() -> None:
    """Replaces the table of the page."""
    rows = "".join(row(*family) for family in FAMILIES.items())
    text = PAGE.read_text(encoding="utf-8")
    start = text.index("| Family |")
    end = text.index("\n\n", start)
    PAGE.write_text(text[:start] + (HEAD + "|---" * 7 + "|\n" + rows).rstrip() + text[end:], encoding="utf-8")


if __name__ == "__main__":
    main()
