"""Writes the table of whole encoders in ``docs/backbones.md``: ``python tests/backbones/encoders_table.py`` from the root."""

from __future__ import annotations

import re
from pathlib import Path

from torch import nn

from drifa.backbones import EncoderBranch
from drifa.backbones.encoders import ENCODERS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "backbones.md"
HEAD = "| timm's file | Example | Channels of the levels | Strides | Last normalisation | Pixels tried |\n"
SIZES = (64, 96, 128, 160, 192, 224, 240, 256)


def side(branch: EncoderBranch) -> int:
    """The first size, pixels, that an encoder takes."""
    modules = nn.ModuleList([branch.encoder])
    return next(size for size in (*SIZES, branch.sizes.native) if size and branch.sizes._fits(modules, size, size))


def row(family: str, backbone: str) -> str:
    """What the encoder of a family gives, as a row of the table."""
    branch = EncoderBranch(backbone, 3)
    channels = ", ".join(str(info.channels) for info in branch.infos)
    strides = ", ".join(str(info.reduction) for info in branch.infos)
    norm = "yes" if branch.encoder.norm else "no"
    return f"| `{family}` | `{backbone}` | {channels} | {strides} | {norm} | {side(branch)} |\n"


def listed(text: str) -> dict[str, str]:
    """timm's file -> example, as the page has them."""
    return dict(re.findall(r"^\| `(\w+)` \| `(\w+)` \|", text, re.M))


def main() -> None:
    """Replaces the table of the page."""
    rows = "".join(row(*family) for family in ENCODERS.items())
    text = PAGE.read_text(encoding="utf-8")
    start = text.index(HEAD)
    end = text.index("\n\n", start)
    PAGE.write_text(text[:start] + (HEAD + "|---" * 6 + "|\n" + rows).rstrip() + text[end:], encoding="utf-8")


if __name__ == "__main__":
    main()
