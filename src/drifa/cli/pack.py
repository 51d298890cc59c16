"""`drifa pack` and `drifa card`: a run as a folder that can be passed on, and the page that says what it is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def pack(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    out: Annotated[Path, typer.Option(help="Model folder to write; must be new.")],
) -> None:
    """All that is needed to answer, in one folder of Hugging Face's layout: no image, no id, no path of the training."""
    from drifa.export.folder import pack as pack_run
    from drifa.runs.run import Run

    written = pack_run(run, out)
    masks = " --out FOLDER" if Run.open(run).info.reads == "pixels" else ""
    typer.echo(f"wrote {written}\nnext: drifa predict {out} --image MODALITY=PATH{masks}")


def card(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    out: Annotated[Path | None, typer.Option(help="Write it to this file instead of the screen.")] = None,
) -> None:
    """The model card: what it answers, how well, on what it was learned, what it is not for."""
    from drifa.export.folder import card as card_of
    from drifa.files import write_text

    if out is None:
        typer.echo(card_of(run), nl=False)
    else:
        typer.echo(f"wrote {write_text(out, card_of(run))}")
