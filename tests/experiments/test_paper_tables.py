"""The tables are experiments that can be run: settings are those of configs/, arms differ, each printed row is somewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from drifa.attention import MFA, MIFA
from drifa.config import make_config
from drifa.config.reading import read_plain
from drifa.errors import DrifaError
from drifa.experiments.paper_tables import SCALES, TABLES, Setting, asked, base_config, needed_studies, read_table, tables_at
from drifa.experiments.printed import printed
from drifa.networks.presets import PRESETS

CONFIGS = Path(__file__).resolve().parents[2] / "configs"


def scales(name: str) -> list[str]:
    """The scales that a table has."""
    found = []
    for scale in SCALES:
        try:
            base_config(read_table(name), next(iter(read_table(name).parts)), Setting(scale=scale))
        except DrifaError:
            continue
        found.append(scale)
    return found


@pytest.mark.parametrize("name", TABLES)
def test_every_arm_is_a_configuration_of_its_own(name: str) -> None:
    table = read_table(name)
    assert {"quick", "paper"} <= set(scales(name))
    for scale in scales(name):
        for part in table.parts:
            setting = Setting(scale=scale)
            make_config(base_config(table, part, setting)[0])
            if table.modes:
                continue
            configs = [make_config(raw) for raw in asked(name, part, setting).arms.values()]
            assert all(one != other for number, one in enumerate(configs) for other in configs[:number])
            for config in configs:  # options that contradict each other are refused where the modules are made
                mfa, mifa = (options if isinstance(options, dict) else {} for options in (config.model.mfa, config.model.mifa))
                MFA(16, **mfa)
                MIFA(16, 2, **mifa)


def test_every_choice_of_components_is_a_row_of_table_5() -> None:
    found = set()
    for raw in asked("table5", "D1+D2", Setting(every=True)).arms.values():
        config = make_config(raw)
        chosen = []
        for options, names in ((config.model.mfa, ("hifa", "clia")), (config.model.mifa, ("mgifa", "mlifa"))):
            on = {} if options is True else dict.fromkeys(names, False) if options is False else options
            chosen += [bool(on.get(name, True)) for name in names]
        found.add(tuple(chosen))
    assert len(found) == 16


@pytest.mark.parametrize("name", TABLES)
def test_rows_and_printed_rows_meet(name: str) -> None:
    table = read_table(name)
    cells = [cell for cell in printed() if cell.table == name]
    named = {row.printed for part in table.parts for row in (table.modes or table.arms_of(part)).values()} - {""}
    assert named <= {cell.row for cell in cells}
    # Rows that nobody can assign are marked.
    assert all(cell.doubt for cell in cells if cell.row not in named)
    assert {cell.dataset for cell in cells} == {dataset for part in table.parts.values() for dataset in part.datasets}
    assert {cell.metric for cell in cells} <= set(table.metrics)


@pytest.mark.parametrize(
    ("name", "part", "path"),
    [
        ("table1", "D1+D2", "quick/ham10000_sipakmed.yaml"),
        ("table1", "D1+D2", "frozen/ham10000_sipakmed.yaml"),
        ("table1", "D1+D2", "standard/ham10000_sipakmed.yaml"),
        ("table1", "D3+D4", "standard/nickparvar_iqothnccd.yaml"),
        ("table1", "D1+D2", "paper/ham10000_sipakmed.yaml"),
        ("table3", "D5", "quick/brats.yaml"),
    ],
)
def test_scales_are_the_configurations_of_that_name(name: str, part: str, path: str) -> None:
    def compared(raw: dict[str, Any]) -> dict[str, Any]:
        plain = make_config(raw).model_dump()
        plain["train"].pop("members")  # an experiment has seeds instead
        for key in ("protocol", "folds"):
            plain["data"].pop(key)
        plain["evaluate"].pop("passes")
        return plain

    raw, folds = base_config(read_table(name), part, Setting(scale=path.split("/")[0]))
    own = read_plain(CONFIGS / path)
    assert compared(raw) == compared(own)
    assert folds == own["data"].get("folds", 0)


def test_the_inception_of_table_2_is_the_preset() -> None:
    raw, _ = base_config(read_table("table2"), "D1+D2", Setting(scale="paper"))
    assert {key: raw["model"][key] for key in PRESETS["drifa_inception_v3"]} == PRESETS["drifa_inception_v3"]


def test_what_is_asked_for_reaches_every_arm() -> None:
    setting = Setting(protocol="paper", studies="elsewhere", seeds=[7], weights="w.pt", overrides=["train.epochs=9"])
    for raw in asked("table4", "D1+D2", setting).arms.values():
        config = make_config(raw)
        assert config.data.protocol == "paper"
        assert config.data.studies == ["elsewhere/ham10000", "elsewhere/sipakmed"]
        assert (config.model.pretrained, config.train.epochs) == ("w.pt", 9)
    assert asked("table3", "D5", setting).experiment.folds == 0
    assert list(needed_studies("table1", setting))[2:] == ["elsewhere/nickparvar", "elsewhere/iqothnccd"]


def test_names_that_do_not_exist_are_told() -> None:
    with pytest.raises(DrifaError, match="did you mean 'table1'"):
        read_table("tabel1")
    with pytest.raises(DrifaError, match="--scale 'frozen' is none of segnet"):
        asked("table3", "D5", Setting(scale="frozen"))


def test_a_scale_says_which_tables_it_has() -> None:
    assert tables_at("quick") == list(TABLES)
    assert tables_at("standard") == [name for name in TABLES if "standard" in scales(name)]
    with pytest.raises(DrifaError, match="did you mean 'frozen'"):
        tables_at("frozn")
