"""Hostile and damaged inputs, drawn from a seed: mutations of a small valid study, run, configuration, table and images.

Each is put through a door of the command line in a folder of its own, and must end in an answer or in one sentence: no
traceback, no hang, nothing written outside, nothing half-written. `python -m tests.hostile OUT` tries them all and writes the
counts.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from PIL import Image
from typer.testing import CliRunner

from drifa.cli.main import app
from drifa.errors import LONGEST, DrifaError
from drifa.files import digest, write_json

#: Processor seconds that one input may take, and seconds on the clock, which tell a wait from a busy machine.
LIMIT, WAIT = 30, 120
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


@dataclass(frozen=True)
class Hostile:
    """One input: what it is called, what makes it of a valid folder, and the words of the command line that meet it."""

    name: str
    make: Callable[[Path], None]
    words: tuple[str, ...]


@dataclass(frozen=True)
class Outcome:
    """What became of an input; ``fault`` is empty where all is well."""

    name: str
    answer: str
    fault: str
    seconds: float


def valid(folder: Path) -> Path:
    """A study, a trained and evaluated run, a configuration, a table and an image, all small."""
    from drifa.config import dump_config
    from drifa.data import make_phantom
    from drifa.evaluation.evaluate import evaluate
    from drifa.training.train import train
    from tests.studies import tiny_config

    make_phantom(folder / "study", subjects=60, image_size=32, paired=True)
    config = tiny_config(folder / "study", epochs=1, members=1)
    (folder / "config.yaml").write_text(dump_config(config).replace(str(folder / "study"), "study"))
    run = train(config, folder / "run", quiet=True)
    evaluate(run.folder)
    shutil.rmtree(run.folder / "members" / "0" / "tensorboard")
    picture = next((folder / "study").rglob("*.png"))
    shutil.copy(picture, folder / "image.png")
    (folder / "table.csv").write_text(f"subject,modality,path\na,{picture.parent.name},image.png\n")
    (folder / "modality").write_text(picture.parent.name)
    return folder


def inputs(folder: Path, seed: int = 0) -> Iterator[Hostile]:
    """All inputs, the same for a seed; ``folder`` is what :func:`valid` made."""
    dice = random.Random(seed)
    image = f"{(folder / 'modality').read_text()}=image.png"
    report, predict = ("report", "run"), ("predict", "run", "--image", image, "--json", "out.json")
    split = ("data", "split", "study")
    preview = ("data", "preview", "study", "config.yaml", "--out", "out.html", "-q")
    evaluated, resumed = ("evaluate", "run", "-q", "--split", "val"), ("train", "--resume", "run", "train.epochs=2", "-q")
    doors = {
        "study/study.yaml": (split, preview),
        "study/study.csv": (split, preview),
        "run/model.json": (report, predict),
        "run/config.yaml": (report, predict),
        "run/metrics.json": (report,),
        "run/evaluation.json": (report,),
        "run/split_receipt.json": (report, evaluated),
        "run/split.csv": (evaluated,),
        "run/environment.json": (report,),
        "run/predictions.parquet": (report,),
        "run/members/0/config.json": (predict,),
        "run/members/0/history.csv": (report,),
        "run/members/0/model.safetensors": (predict,),
        "run/members/0/last.ckpt": (resumed,),
        "config.yaml": (preview,),
        "table.csv": (("predict", "run", "--table", "table.csv", "--json", "out.json"),),
        "image.png": (predict,),
    }
    for name, words in doors.items():
        for kind, content in RAW.items():
            yield Hostile(f"{name}: {kind}", _writes(name, content), dice.choice(words))
        yield Hostile(f"{name}: a pipe", _replaced(name, os.mkfifo), words[0])
        yield Hostile(f"{name}: a folder", _replaced(name, os.mkdir), words[0])
        yield Hostile(f"{name}: a link to itself", _replaced(name, lambda path: os.symlink(path, path)), words[0])
        for number in range(4):
            yield Hostile(f"{name}: spoiled {number}", _spoiled(name, dice.randrange(2**32)), dice.choice(words))
        changed = {".json": _changed, ".yaml": _changed, ".csv": _cell}.get(Path(name).suffix)
        for number in range(16 if changed else 0):
            yield Hostile(f"{name}: changed {number}", changed(name, dice.randrange(2**32)), dice.choice(words))
    for place in ("evaluations", "predictions", "explain", "members/0"):
        yield Hostile(f"run/{place}: a link outside", _linked(f"run/{place}"), evaluated)
    for kind, table in (("numbers", {"a": [1]}), ("objects", {"subject": [[1]], "split": [{"a": 1}]})):
        make = _parquet("run/predictions.parquet", table)
        yield Hostile(f"run/predictions.parquet: a table of {kind}", make, report)
        yield Hostile(f"study/study.parquet: a table of {kind}", _parquet("study/study.parquet", table), split)
    yield Hostile("image.png: a bomb", _bomb, predict)


def try_one(valid_folder: Path, one: Hostile, room: Path) -> Outcome:
    """Puts an input through its door, in a copy below ``room``."""
    inner = room / "outer" / "deep" / "inner"
    shutil.copytree(valid_folder, inner)
    one.make(inner)
    before, outside = _state(inner), _state(room, inner)
    start = time.process_time()
    try:
        with _inside(inner):
            answer, fault = _asked(one.words)
    except _TooLongError as error:
        answer, fault = "failed", str(error)
    seconds = time.process_time() - start
    if not fault and _state(room, inner) != outside:
        fault = "wrote outside"
    left = [str(path) for path in inner.rglob("*.tmp")]
    now = _state(inner)
    changed = [name for name in before if now.get(name) != before[name]]
    if not fault and (left or (answer == "refused" and changed)):
        fault = f"half-written: {left + changed}"
    shutil.rmtree(room / "outer")
    return Outcome(one.name, answer, fault, round(seconds, 2))


def _asked(words: tuple[str, ...]) -> tuple[str, str]:
    result = CliRunner().invoke(app, list(words))
    error = result.exception
    if error is None or (isinstance(error, SystemExit) and error.code in (0, None)):
        return "answered", ""
    if isinstance(error, DrifaError):
        text = str(error)
        fine = text.isprintable() and len(text) <= LONGEST
        return "refused", "" if fine else f"its message is no sentence: {text[:200]!r}"
    if isinstance(error, OSError | SystemExit):  # told in one line by the command line itself
        return "refused", ""
    return "failed", f"{type(error).__name__}: {str(error)[:200]}"


class _TooLongError(BaseException): ...


@contextmanager
def _inside(folder: Path) -> Iterator[None]:
    def stop(number: int, _: object) -> None:
        raise _TooLongError(f"more than {WAIT if number == signal.SIGALRM else LIMIT} s")

    here = os.getcwd()
    kept = {number: signal.signal(number, stop) for number in (signal.SIGALRM, signal.SIGPROF)}
    os.chdir(folder)
    signal.alarm(WAIT)
    signal.setitimer(signal.ITIMER_PROF, LIMIT)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.setitimer(signal.ITIMER_PROF, 0)
        for number, handler in kept.items():
            signal.signal(number, handler)
        os.chdir(here)


def _state(folder: Path, left_out: Path | None = None) -> dict[str, str]:
    """Content of every file but locks, environments and caches, by path."""
    found = {}
    for path in folder.rglob("*"):
        inside = left_out is not None and path.is_relative_to(left_out)
        if not (inside or ".cache" in path.parts or path.name in (".lock", "environment.json") or path.is_symlink()):
            found[str(path)] = digest(path) if path.is_file() else ""
    return found


def _writes(name: str, content: bytes) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_bytes(content) and None


def _replaced(name: str, by: Callable[[Path], object]) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        (folder / name).unlink()
        by(folder / name)

    return make


def _linked(name: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        shutil.rmtree(folder / name, ignore_errors=True)
        target = folder.parents[1] / "target"
        target.mkdir()
        (folder / name).symlink_to(target)

    return make


def _spoiled(name: str, seed: int) -> Callable[[Path], None]:
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


def _changed(name: str, seed: int) -> Callable[[Path], None]:
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


def _cell(name: str, seed: int) -> Callable[[Path], None]:
    """One cell of a table, its header among them, with another text."""

    def make(folder: Path) -> None:
        dice = random.Random(seed)
        table = pd.read_csv(folder / name, dtype=str, header=None, keep_default_na=False)
        row, column = (0 if dice.random() < 0.3 else dice.randrange(len(table))), dice.randrange(table.shape[1])
        table.iloc[row, column] = str(dice.choice(VALUES))[:200_000]
        table.to_csv(folder / name, index=False, header=False)

    return make


def _parquet(name: str, table: dict[str, Any]) -> Callable[[Path], None]:
    return lambda folder: pd.DataFrame(table).to_parquet(folder / name)


def _bomb(folder: Path) -> None:
    Image.new("1", (30_000, 30_000)).save(folder / "image.png")


def try_all(folder: Path, chosen: Callable[[int], bool] = lambda _: True, seed: int = 0) -> list[Outcome]:
    """The outcomes of all inputs whose number is chosen; ``folder`` is what :func:`valid` made."""
    found = []
    for number, one in enumerate(inputs(folder, seed)):
        if chosen(number):
            with tempfile.TemporaryDirectory() as room:
                found.append(try_one(folder, one, Path(room)))
    return found


def main(out: Path) -> None:
    """Tries all inputs and writes ``results.json``."""
    with tempfile.TemporaryDirectory() as folder:
        found = try_all(valid(Path(folder)))
    faults = [asdict(one) for one in found if one.fault]
    doors = Counter((one.name.partition(":")[0], one.answer) for one in found)
    write_json(
        out / "results.json",
        {
            "inputs": len(found),
            **Counter(one.answer for one in found),
            "slowest_seconds": max(one.seconds for one in found),
            "faults": faults,
            "by_file": {f"{name}: {answer}": count for (name, answer), count in sorted(doors.items())},
        },
    )
    print(f"{len(found)} inputs, {len(faults)} faults")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
