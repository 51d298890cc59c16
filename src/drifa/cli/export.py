"""`drifa export`: a run as a program for other runtimes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def export(
    model: Annotated[Path, typer.Argument(help="Run folder or model folder.")],
    out: Annotated[Path, typer.Option(help="Folder to write; must be new.")],
    form: Annotated[str, typer.Option("--format", help="onnx, or torch for a program of torch.export.")] = "onnx",
    opset: Annotated[int | None, typer.Option(help="Version of the ONNX operators; the exporter's choice by default.")] = None,
    draws: Annotated[bool, typer.Option("--draws", help="Also in two parts, with dropout masks as inputs.")] = False,
    settings: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY=VALUE]...", help="data.study=FOLDER: where it is now."),
    ] = None,
) -> None:
    """The whole ensemble as one program that needs no drifa, with the same answers (dropout off), checked as it is written."""
    from drifa.config import parse_override
    from drifa.prediction.exported import export as export_run
    from drifa.runs.places import Places

    found = export_run(model, out, form, opset, draws, Places.of([parse_override(word) for word in settings or ()]))
    on = "cases of the study" if found.real else "noise, as its study is not at hand"
    typer.echo(f"wrote {', '.join(str(found.folder / name) for name in found.files)}")
    typer.echo(f"largest difference from the run: {found.difference:.1g} (on {on})")
    for note in found.notes:
        typer.echo(f"note: {note}")
