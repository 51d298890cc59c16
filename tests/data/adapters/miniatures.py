"""Files of the miniature datasets, and changes to the miniature table and its mapping."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from PIL import Image

#: Writes a miniature of a dataset and returns its folder: the fixture `fake`.
Folder = Callable[[str], Path]


def write_images(folder: Path, *names: str) -> Path:
    """Black images of these names; returns the folder."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.zeros((4, 4), dtype=np.uint8)).save(folder / name)
    return folder


def rewritten(folder: Path, change: Callable[[pd.DataFrame, dict], pd.DataFrame | None], suffix: str = ".csv") -> Path:  # type: ignore[type-arg]
    """Changes the generator's table and mapping, and returns the mapping's path."""
    table = pd.read_csv(folder / "cases.csv", dtype=str, keep_default_na=False)
    mapping = yaml.safe_load((folder / "mapping.yaml").read_text())
    table = table if (changed := change(table, mapping)) is None else changed
    mapping["table"] = f"cases{suffix}"
    if suffix == ".parquet":
        table.to_parquet(folder / mapping["table"], index=False)
    else:
        table.to_csv(folder / mapping["table"], index=False, sep=";" if suffix == ".txt" else ",")
    (folder / "mapping.yaml").write_text(yaml.safe_dump(mapping, sort_keys=False))
    return folder / "mapping.yaml"


def to_long(table: pd.DataFrame, mapping: dict) -> pd.DataFrame:  # type: ignore[type-arg]
    """The same with one row per image."""
    mapping |= {"path": "file", "modality": "kind"}
    mapping["modalities"] = {"photo": {"value": "PH", "channels": 3}, "ultrasound": {"channels": 1}}
    parts = [
        table.drop(columns=["photo_file", "us_file"]).assign(file=table[column], kind=kind)
        for column, kind in (("photo_file", "PH"), ("us_file", "ultrasound"))
    ]
    return pd.concat(parts)


def set_cell(row: int, column: str, value: str) -> Callable[..., None]:
    """Changes a cell of the table; rows as a spreadsheet counts them."""

    def change(table: pd.DataFrame, mapping: dict) -> None:  # type: ignore[type-arg]
        table.loc[row - 2, column] = value

    return change


def set_keys(**changes: object) -> Callable[..., None]:
    """Changes keys of the mapping."""

    def change(table: pd.DataFrame, mapping: dict) -> None:  # type: ignore[type-arg]
        mapping.update(changes)

    return change


def all_files(folder: Path) -> list[Path]:
    """Every file below a folder."""
    return [Path(parent) / name for parent, _, names in os.walk(folder) for name in names]
