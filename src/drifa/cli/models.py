"""`drifa models`: what can couple the branches, how large it is, and what it accepts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from drifa.networks import FusionNet, FusionSegNet

MODALITIES = {"a": 3, "b": 3}
TASKS = {"a": 7, "b": 5}
VOLUMES = {"a": 1, "b": 1}
REGIONS = {"a": 3}


def models(
    backbone: Annotated[str, typer.Option(help="timm name of the branches.")] = "resnet18",
    size: Annotated[int, typer.Option(help="Side of the images, pixels.", min=16)] = 128,
    segmentation: Annotated[bool, typer.Option("--segmentation", help="Segmentation networks (SegNet) instead.")] = False,
) -> None:
    """The fusions with their size (two modalities, two tasks or three regions) and what they accept. Nothing is downloaded."""
    from rich.console import Console
    from rich.table import Table

    from drifa.errors import DrifaError
    from drifa.fusion import FUSIONS
    from drifa.fusion.base import option_names

    table = Table("fusion", "parameters", "MACs", "channels", "segments", "options")
    told, left_out = [], []
    for name, fusion in FUSIONS.items():
        if segmentation and not fusion.serves_decoder:
            left_out.append(f"{name}: it segments from one modality only")
            continue
        try:
            parameters, macs = _size(name, None if segmentation else backbone, size)
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
            "yes" if fusion.serves_decoder else "one modality",
            ", ".join(option_names(fusion)),
        )
        told.append(f"{name}: {fusion.title}")
    Console().print(table)
    for line in told:
        typer.echo(line)
    for line in left_out:
        typer.echo(f"left out {line}")
    network = "vgg16_bn (SegNet)" if segmentation else backbone
    if not segmentation:
        takes = [name for name, fusion in FUSIONS.items() if fusion.takes_tabular]
        typer.echo(f"a tabular modality beside the images: {', '.join(takes)}")
    typer.echo(f"{network}, {size} pixels; each takes one modality or more, and any subset of them per subject")
    typer.echo("next: drifa train CONFIG model.fusion=NAME --out RUN")


def _size(fusion: str, backbone: str | None, size: int) -> tuple[int, int]:
    """Parameters and multiply-accumulates; a network without ``backbone`` segments."""
    import torch

    from drifa.networks.complexity import macs, parameters
    from drifa.networks.factory import create_model
    from drifa.networks.segmentation_factory import create_segmentation_model

    with torch.device("meta"):
        if backbone is None:
            net: FusionNet | FusionSegNet = create_segmentation_model(fusion, VOLUMES, REGIONS)
        else:
            own = {name: [name] for name in TASKS}
            net = create_model(backbone, fusion, MODALITIES, TASKS, task_modalities=own)
    return parameters(net), macs(net, size)
