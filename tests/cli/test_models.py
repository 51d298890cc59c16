"""`drifa models`: one row per fusion, with the sizes that the networks have."""

from __future__ import annotations

import torch
from typer.testing import CliRunner

from drifa.cli.main import app
from drifa.cli.models import MODALITIES, REGIONS, TASKS, VOLUMES
from drifa.errors import DrifaError
from drifa.fusion import FUSIONS
from drifa.networks.complexity import parameters
from drifa.networks.factory import create_model
from drifa.networks.segmentation_factory import create_segmentation_model


def test_the_table_has_every_fusion_with_its_size() -> None:
    result = CliRunner().invoke(app, ["models", "--backbone", "resnet10t", "--size", "64"], env={"COLUMNS": "240"})
    assert result.exit_code == 0, result.output
    rows = {line.split("│")[1].strip(): line for line in result.output.splitlines() if line.startswith("│")}
    assert set(rows) == set(FUSIONS)
    count = parameters(create_model("resnet10t", "concat", MODALITIES, TASKS))
    assert f"{count / 1e6:.1f} M" in rows["concat"]
    assert "depth" in rows["mttu_net"]
    assert "a tabular modality beside the images: drifa, concat, single, se_matched" in result.output


def test_segmentation_networks_have_their_own_table() -> None:
    result = CliRunner().invoke(app, ["models", "--segmentation", "--size", "64"], env={"COLUMNS": "240"})
    assert result.exit_code == 0, result.output
    rows = {line.split("│")[1].strip(): line for line in result.output.splitlines() if line.startswith("│")}
    assert set(rows) == {name for name, fusion in FUSIONS.items() if fusion.serves_decoder}
    with torch.device("meta"):
        count = parameters(create_segmentation_model("drifa", VOLUMES, REGIONS))
    assert f"{count / 1e6:.1f} M" in rows["drifa"]


def test_an_unknown_backbone_is_named() -> None:
    result = CliRunner().invoke(app, ["models", "--backbone", "resnet181"])
    assert isinstance(result.exception, DrifaError)
    assert "near names: resnet1" in str(result.exception)
