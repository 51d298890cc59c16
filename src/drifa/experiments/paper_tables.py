"""The tables of the paper as experiments: what each compares, on what, at which scale, under which protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from drifa.config.reading import checked
from drifa.config.sections import Section
from drifa.errors import DrifaError, suggest
from drifa.experiments.experiment import Asked, Experiment, Primary, ask
from drifa.experiments.plan import Plan, make_plan
from drifa.experiments.printed import FOLDER
from drifa.yaml_text import parse_yaml

TABLES = tuple(f"table{number}" for number in range(1, 8))
SCALES = ("quick", "frozen", "standard", "paper")
#: How the studies are split: whole groups, or images at random as published.
Protocol = Literal["strict", "paper"]


class TableArm(Section):
    """One row of a table.

    Attributes:
        printed: The paper's row; empty where it has none.
        sets: What it sets, as ``section.key=value``.
    """

    printed: str = ""
    sets: list[str] = Field([])


class Part(Section):
    """Networks that learn together, from the same studies.

    Attributes:
        studies: Names of their folders.
        datasets: The paper's name of a dataset -> the task that answers it.
        tasks: Keep only these tasks; empty = all.
        arms: Of this part alone; empty = those of the table.
    """

    studies: list[str]
    datasets: dict[str, str]
    tasks: list[str] = Field([])
    arms: dict[str, TableArm] = Field({})


class PaperTable(Section):
    """One table of the paper, from `paper/TABLE.yaml`.

    Attributes:
        title: In words.
        network: A key of `paper/scales.yaml`.
        metrics: Columns, by the names of this package.
        parts: By name.
        arms: Rows; the first one is what the others are compared with.
        more: Further rows, where all are asked for.
        primary: The two arms whose difference was decided beforehand.
        modes: Instead of arms: ways of asking one run of several members.
    """

    title: str
    network: str
    metrics: list[str]
    parts: dict[str, Part]
    arms: dict[str, TableArm] = Field({})
    more: dict[str, TableArm] = Field({})
    primary: list[str] = Field([])
    modes: dict[str, TableArm] = Field({})

    def arms_of(self, part: str, every: bool = False) -> dict[str, TableArm]:
        """The rows of a part, or every one that it could have."""
        return {**(self.parts[part].arms or self.arms), **(self.more if every else {})}


class Setting(Section):
    """How a table is made here.

    Attributes:
        scale: One of :data:`SCALES`.
        protocol: How the studies are split.
        studies: Folder that holds the studies.
        seeds: Of the networks; empty = 0, 1 and 2.
        weights: File of pretrained weights; empty = as the scale has it.
        every: Also the rows that a table has beside its usual ones.
        overrides: ``section.key=value``, on top of all.
    """

    scale: str = "quick"
    protocol: Protocol = "strict"
    studies: str = "studies"
    seeds: list[int] = Field([])
    weights: str = ""
    every: bool = False
    overrides: list[str] = Field([])


def read_table(name: str) -> PaperTable:
    """A table by its name.

    Raises:
        DrifaError: There is none of that name.
    """
    if name not in TABLES:
        raise DrifaError(f"{name!r} is no table of the paper{suggest(name, TABLES)}")
    return checked(PaperTable, _yaml(f"{name}.yaml"), f"{name}.yaml")


def _yaml(name: str) -> dict[str, Any]:
    found = parse_yaml((FOLDER / name).read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def tables_at(scale: str) -> list[str]:
    """The tables that a scale has.

    Raises:
        DrifaError: There is no such scale.
    """
    if scale not in SCALES:
        raise DrifaError(f"--scale {scale!r} is none{suggest(scale, SCALES)}")
    scales = _yaml("scales.yaml")
    return [name for name in TABLES if scale in scales[read_table(name).network]]


def base_config(table: PaperTable, part: str, setting: Setting) -> tuple[dict[str, Any], int]:
    """The plain data of the configuration that all arms of a part share, and its number of folds.

    Args:
        table: Which.
        part: Which of its parts.
        setting: Scale, protocol and places.

    Raises:
        DrifaError: The table has no such scale.
    """
    scales = _yaml("scales.yaml")[table.network]
    if setting.scale not in scales:
        raise DrifaError(f"--scale {setting.scale!r} is none of {table.network}{suggest(setting.scale, scales)}")
    own = deepcopy(scales[setting.scale])
    chosen = own.get(part, {})
    raw = _merged(own["all"], {key: value for key, value in chosen.items() if key not in ("studies", "folds")})
    about = table.parts[part]
    names = chosen.get("studies", about.studies)
    folders = [(Path(setting.studies) / name).as_posix() for name in names]
    raw["data"] |= {"study": folders if len(folders) > 1 else folders[0], "protocol": setting.protocol}
    if about.tasks:
        raw["data"]["tasks"] = list(about.tasks)
    raw.setdefault("model", {}).setdefault("fusion", "drifa")
    if setting.weights:
        raw["model"]["pretrained"] = setting.weights
    # Folds keep groups whole, so they belong to the strict protocol.
    return raw, chosen.get("folds", 0) if setting.protocol == "strict" else 0


def _merged(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    return {key: {**first.get(key, {}), **second.get(key, {})} for key in dict.fromkeys([*first, *second])}


def asked(name: str, part: str, setting: Setting) -> Asked:
    """A part of a table as an experiment of `drifa compare`."""
    table = read_table(name)
    raw, folds = base_config(table, part, setting)
    narrower = _yaml("scales.yaml")[table.network][setting.scale].get("arms", {})
    metric = "dice" if "dice" in table.metrics else "balanced_accuracy"
    experiment = Experiment(
        config=raw,
        arms={arm: [*row.sets, *narrower.get(arm, ())] for arm, row in table.arms_of(part, setting.every).items()},
        seeds=setting.seeds or [0, 1, 2],
        folds=folds,
        primary=Primary(arms=(table.primary[0], table.primary[1]), metric=metric),
    )
    return ask(f"{name}-{part}", experiment, setting.overrides, f"{name}, {part}")


def plan_part(name: str, part: str, setting: Setting) -> Plan:
    """The jobs of a part of a table; nothing is written.

    Raises:
        DrifaError: A study is missing, or a setting does not fit.
    """
    plan = make_plan(asked(name, part, setting))
    wanted = read_table(name).metrics
    tasks = {
        task: replace(about, chosen=tuple(metric for metric in wanted if metric in about.metrics))
        for task, about in plan.tasks.items()
    }
    return replace(plan, tasks=tasks)


def needed_studies(name: str, setting: Setting) -> Sequence[str]:
    """Folders of the studies that a table needs."""
    table = read_table(name)
    found: list[str] = []
    for part in table.parts:
        study = base_config(table, part, setting)[0]["data"]["study"]
        found += [study] if isinstance(study, str) else study
    return list(dict.fromkeys(found))
