"""`drifa data …`: known datasets, raw folders to studies, audit, splits."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from drifa.errors import DrifaError

data_app = typer.Typer(help="Known datasets, raw folders to studies, splits.", no_args_is_help=True)


@data_app.command("list")
def data_list() -> None:
    """The datasets that `prepare` knows."""
    from rich.console import Console
    from rich.table import Table

    from drifa.data import ADAPTERS

    table = Table("name", "what", "images in full set", "licence")
    for name, adapter in ADAPTERS.items():
        table.add_row(name, adapter.title, f"{adapter.counts['images']:,}", adapter.licence)
    Console().print(table)
    typer.echo("next: drifa data prepare NAME FOLDER --out STUDY")


@data_app.command()
def prepare(
    name: Annotated[str, typer.Argument(help="A name of `drifa data list`, or `phantom`.")],
    folder: Annotated[Path | None, typer.Argument(help="Folder with the raw files (none for phantom).")] = None,
    out: Annotated[Path, typer.Option(help="Study folder to write.")] = Path("study"),
) -> None:
    """Turns a raw dataset folder into a study (a table and study.yaml; images stay where they are)."""
    from drifa.data import make_phantom
    from drifa.data import prepare as prepare_study

    if name == "phantom":
        study = make_phantom(out)
    elif folder is None:
        raise DrifaError(f"prepare {name} needs the folder with its raw files: drifa data prepare {name} FOLDER --out {out}")
    else:
        study = prepare_study(name, folder, out)
    typer.echo(f"wrote {out}: {len(study.table)} images")
    for task in study.tasks.values():
        counts = study.table[task.name].value_counts()
        typer.echo(f"  {task.name}: " + ", ".join(f"{label} {int(counts.get(label, 0))}" for label in task.classes))
    if study.notes:
        typer.echo(f"  notes: {study.notes}")
    typer.echo(f"next: drifa data split {out}")


@data_app.command()
def split(
    study: Annotated[Path, typer.Argument(help="Study folder.")],
    protocol: Annotated[
        str, typer.Option(help="strict (groups never cut), paper (image-random), or given (check the column as it is).")
    ] = "strict",
    seed: Annotated[int, typer.Option(help="Seed of the split.")] = 0,
) -> None:
    """Writes the split into the study's table, with a receipt beside it."""
    from drifa.data import Study, write_receipt
    from drifa.data import split as split_study

    done, receipt = split_study(Study.load(study), protocol=protocol, seed=seed)
    done.save(study)
    write_receipt(done, receipt, study)
    for name, groups in receipt["groups"].items():
        typer.echo(f"  {name:5s} {int((done.table['split'] == name).sum())} images, {groups} groups")
    typer.echo(f"groups in two splits: {receipt['groups_in_two_splits']}    sha256 {receipt['sha256'][:16]}…")
    typer.echo(
        f"wrote {study}/split.csv and {study}/split_receipt.json\nnext: drifa train CONFIG data.protocol=given --out RUN"
    )
