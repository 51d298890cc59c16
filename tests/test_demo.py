"""The demo refuses to write over anything, and its settings are those of an ordinary run (it is run by cli/test_main.py)."""

from __future__ import annotations

from pathlib import Path

import pytest

from drifa import DrifaError, create_model
from drifa.config import dump_config, load_config
from drifa.demo import demo_config, run_demo


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    out = tmp_path / "demo"
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    with pytest.raises(DrifaError, match=r"demo exists and is not empty; give another --out, or delete it"):
        run_demo(out, quiet=True)
    assert [path.name for path in tmp_path.rglob("*")] == ["demo", "mine.txt"]


def test_its_settings_survive_a_file(tmp_path: Path) -> None:
    config = demo_config(tmp_path / "study")
    (tmp_path / "config.yaml").write_text(dump_config(config))
    assert load_config(tmp_path / "config.yaml") == config


def test_its_network_is_drifa_thirty_times_smaller_than_the_papers() -> None:
    model = demo_config(Path("study")).model
    assert model.fusion == "drifa"
    net = create_model(
        model.backbone,
        model.fusion,
        {"photo": 3, "scan": 1},
        {"t": 3},
        backbone_args=model.backbone_args,
        dropout=model.dropout,
    )
    assert len(net.fusion.mifa) == net.stage_count == 4
    assert 30 * sum(parameter.numel() for parameter in net.parameters()) < 53_856_068
