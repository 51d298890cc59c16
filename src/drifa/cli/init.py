"""`drifa init`: from a folder of images to a mapping and a configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def init(
    folder: Annotated[Path, typer.Argument(help="Your images, with or without a table; only read.")] = Path(),
    out: Annotated[Path, typer.Option(help="Where the files are written.")] = Path(),
) -> None:
    """Looks into a folder, guesses what it holds, and writes a mapping and a configuration to correct. Overwrites nothing."""
    from drifa.init import init as look

    start = look(folder, out)
    for title, lines in (("guessed", start.guessed), ("check", start.check), ("wrote", start.files), ("next", start.commands)):
        for line in lines:
            typer.echo(f"{title:<8} {line}")
