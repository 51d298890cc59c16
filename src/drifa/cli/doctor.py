"""`drifa doctor`: the first thing to run, and to send along, when something does not work."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def doctor(
    folder: Annotated[Path, typer.Argument(help="Where runs are to be written.")] = Path(),
) -> None:
    """Versions, devices, extras and what each lacks, data folders, free space and speed of the disk. Changes nothing."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from drifa.doctor import examine
    from drifa.errors import DrifaError

    if not folder.is_dir():
        raise DrifaError(f"{folder} is no folder; name the one where runs are to be written")
    table = Table("what", "found", "to do")
    for sign in examine(folder):
        table.add_row(Text(sign.what), Text(sign.found), Text(sign.remedy))
    Console().print(table)
