"""`drifa models`: what can couple the branches, how large it is, and what it accepts."""

from __future__ import annotations

from typing import Annotated

import typer

MODALITIES = {"a": 3, "b": 3}
TASKS = {"a": 7, "b": 5}


def models(
    backbone: Annotated[str, typer.Option(help="timm name of the branches.")] = "resnet18",
    size: Annotated[int, typer.Option(help="Side of the images, pixels.", min=16)] = 128,
) -> None:
    """The fusions with their size (two RGB modalities, two tasks) and what they accept. Nothing is computed or downloaded."""
    from rich.console import Console
    from rich.table import Table

    from drifa.errors import DrifaError
    from drifa.fusion import FUSIONS
    from drifa.fusion.base import option_names

    table = Table("fusion", "parameters", "MACs", "channels", "segments", "options", "what couples the branches")
    left_out = []
    for name, fusion in FUSIONS.items():
        try:
            parameters, macs = _size(name, backbone, size)
        except DrifaError as error:
            if name == "concat":  # without a plain network there is no table
                raise
            left_out.append(f"{name}: {error}")
            continue
        table.add_row(
            name,
            f"{parameters / 1e6:.1f} M",
            f"{macs / 1e9:.2f} G",
            "equal" if fusion.needs_equal_channels else "any",
            "yes" if fusion.segments else "no",
            ", ".join(option_names(fusion)),
            fusion.title,
        )
    Console().print(table)
    for line in left_out:
        typer.echo(f"left out {line}")
    typer.echo(f"{backbone}, {size} pixels; each takes one modality or more, and any subset of them per subject")
    typer.echo("next: drifa train CONFIG model.fusion=NAME --out RUN")


def _size(fusion: str, backbone: str, size: int) -> tuple[int, int]:
    import torch

    from drifa.networks.complexity import macs, parameters
    from drifa.networks.factory import create_model

    with torch.device("meta"):
        own = {name: [name] for name in TASKS}
        net = create_model(backbone, fusion, MODALITIES, TASKS, task_modalities=own)
    return parameters(net), macs(net, size)
