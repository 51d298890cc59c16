"""Ways to spoil a file of a valid folder: what each gives back does it, in any copy, the same way every time."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from PIL import Image

#: What stands where something else should.
VALUES: tuple[Any, ...] = (
    *(None, True, -1, 0, 10**9, 10**30, 1e308, -0.5, "", "x" * 1_000_000, "../../x", "/any/place", "=cmd()", "\x1b[2J\n\r"),
    *([], {}, [[]], {"a": {}}, [1e9] * 20, ["a", "a"], "1e999", "nan", "&a *a", "\u202e\u0000x"),
)
RAW = {
    "empty": b"",
    "zeros": bytes(2000),
    "noise": bytes(np.random.default_rng(0).integers(0, 256, 3000, dtype=np.uint8)),
    "deep": b"[" * 100_000,
    "laughs": b"a: &a [x, x]\n" + b"".join(b"%c: &%c [*%c, *%c]\n" % (k, k, k - 1, k - 1) for k in range(98, 122)),
    "long": b"a: '" + b"x" * 3_000_000 + b"'",
    "numbers": b'{"drifa_run": 2, "image_size": ' + b"9" * 10_000 + b"}",
    "nan": b'{"drifa_run": 2, "drifa_evaluation": 2, "drifa_model": 1, "a": NaN}',
}


def writes(name: str, content: bytes) -> Callable[[Path], None]:
    """The file holds these bytes."""
    return lambda folder: (folder / name).write_bytes(content) and None


def replaced(name: str, by: Callable[[Path], object]) -> Callable[[Path], None]:
    """Something else stands in the place of the file."""

    def make(folder: Path) -> None:
        (folder / name).unlink()
        by(folder / name)

    return make


def linked(name: str) -> Callable[[Path], None]:
    """A folder is a link to one outside."""

    def make(folder: Path) -> None:
        shutil.rmtree(folder / name, ignore_errors=True)
        target = folder.parents[1] / "target"
        target.mkdir()
        (folder / name).symlink_to(target)

    return make


def spoiled(name: str, seed: int) -> Callable[[Path], None]:
    """Cut, flipped, doubled or with a hole."""

    def make(folder: Path) -> None:
        dice, data = random.Random(seed), bytearray((folder / name).read_bytes())
        place = dice.randrange(len(data))
        how = dice.randrange(4)
        if how == 0:
            del data[place:]
        elif how == 1:
            for _ in range(20):
                data[dice.randrange(len(data))] = dice.randrange(256)
        elif how == 2:
            data += data[place:]
        else:
            del data[place : place + 40]
        (folder / name).write_bytes(data)

    return make


def changed(name: str, seed: int) -> Callable[[Path], None]:
    """One entry of a JSON or YAML file with another value, without it, or with one more."""

    def make(folder: Path) -> None:
        dice, path = random.Random(seed), folder / name
        value = yaml.safe_load(path.read_text()) if path.suffix == ".yaml" else json.loads(path.read_text())
        places = list(_places(value))
        holder, key = dice.choice(places)
        how = dice.randrange(5)
        if how == 0:
            del holder[key]
        elif how == 1 and isinstance(holder, dict):
            holder[str(dice.choice(VALUES))[:100]] = dice.choice(VALUES)
        else:
            holder[key] = dice.choice(VALUES)
        path.write_text(yaml.safe_dump(value) if path.suffix == ".yaml" else json.dumps(value))

    return make


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    for key, inner in list(value.items()) if isinstance(value, dict) else enumerate(value):
        yield value, key
        if isinstance(inner, dict | list):
            yield from _places(inner)


def cell(name: str, seed: int) -> Callable[[Path], None]:
    """One cell of a table, its header among them, with another text."""

    def make(folder: Path) -> None:
        dice = random.Random(seed)
        table = pd.read_csv(folder / name, dtype=str, header=None, keep_default_na=False)
        row, column = (0 if dice.random() < 0.3 else dice.randrange(len(table))), dice.randrange(table.shape[1])
        table.iloc[row, column] = str(dice.choice(VALUES))[:200_000]
        table.to_csv(folder / name, index=False, header=False)

    return make


def parquet(name: str, table: dict[str, Any]) -> Callable[[Path], None]:
    """The file is this table."""
    return lambda folder: pd.DataFrame(table).to_parquet(folder / name)


def bomb(folder: Path) -> None:
    """A small file that is a huge image."""
    Image.new("1", (30_000, 30_000)).save(folder / "image.png")
