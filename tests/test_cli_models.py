"""`drifa models`: one row per fusion, with the sizes that the networks have."""

from __future__ import annotations

from typer.testing import CliRunner

from drifa.cli import app
from drifa.cli_models import MODALITIES, TASKS
from drifa.errors import DrifaError
from drifa.fusion import FUSIONS
from drifa.networks.complexity import parameters
from drifa.networks.factory import create_model


def test_the_table_has_every_fusion_with_its_size() -> None:
    result = CliRunner().invoke(app, ["models", "--backbone", "resnet10t", "--size", "64"], env={"COLUMNS": "240"})
    assert result.exit_code == 0, result.output
    rows = {line.split("│")[1].strip(): line for line in result.output.splitlines() if line.startswith("│")}
    assert set(rows) == set(FUSIONS)
    count = parameters(create_model("resnet10t", "concat", MODALITIES, TASKS))
    assert f"{count / 1e6:.1f} M" in rows["concat"]
    assert "depth" in rows["mttu_net"]


def test_an_unknown_backbone_is_named() -> None:
    result = CliRunner().invoke(app, ["models", "--backbone", "resnet181"])
    assert isinstance(result.exception, DrifaError)
    assert "did you mean 'resnet1" in str(result.exception)
