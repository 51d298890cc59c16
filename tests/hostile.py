"""Hostile and damaged inputs, drawn from a seed: mutations of a small valid study, run, configuration, table and images.

Each is put through a door of the command line in a folder of its own, and must end in an answer or in one sentence: no
traceback, no hang, nothing written outside, nothing half-written. `python -m tests.hostile OUT` tries them all and writes the
counts, with the kill points of :mod:`tests.kills`; `python -m tests.hostile EVERY` tries every so many, a line of JSON each.
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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from typer.testing import CliRunner

from drifa.cli.main import app
from drifa.errors import LONGEST, DrifaError
from drifa.files import digest
from tests.figures import write_figures
from tests.kills import base, try_verbs
from tests.mutations import RAW, bomb, cell, changed, linked, parquet, replaced, spoiled, writes

#: Processor seconds that one input may take, and seconds on the clock, which tell a wait from a busy machine.
LIMIT, WAIT = 30, 120
#: Most memory of the process, MiB.
MEMORY = 2048


@dataclass(frozen=True)
class Hostile:
    """One input: what it is called, what makes it of a valid folder, and the words of the command line that meet it."""

    name: str
    make: Callable[[Path], None]
    words: tuple[str, ...]


@dataclass(frozen=True)
class Outcome:
    """What became of an input; ``fault`` is empty where all is well, ``peak`` is the largest memory so far, MiB."""

    name: str
    answer: str
    fault: str
    seconds: float
    peak: int


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
        "run/members/0/gates.csv": (report,),
        "run/members/0/model.safetensors": (predict,),
        "run/members/0/last.ckpt": (resumed,),
        "config.yaml": (preview,),
        "table.csv": (("predict", "run", "--table", "table.csv", "--json", "out.json"),),
        "image.png": (predict,),
    }
    for name, words in doors.items():
        for kind, content in RAW.items():
            yield Hostile(f"{name}: {kind}", writes(name, content), dice.choice(words))
        yield Hostile(f"{name}: a pipe", replaced(name, os.mkfifo), words[0])
        yield Hostile(f"{name}: a folder", replaced(name, os.mkdir), words[0])
        yield Hostile(f"{name}: a link to itself", replaced(name, lambda path: os.symlink(path, path)), words[0])
        for number in range(4):
            yield Hostile(f"{name}: spoiled {number}", spoiled(name, dice.randrange(2**32)), dice.choice(words))
        change = {".json": changed, ".yaml": changed, ".csv": cell}.get(Path(name).suffix)
        for number in range(16 if change else 0):
            yield Hostile(f"{name}: changed {number}", change(name, dice.randrange(2**32)), dice.choice(words))
    for place in ("evaluations", "predictions", "explain", "members/0"):
        yield Hostile(f"run/{place}: a link outside", linked(f"run/{place}"), evaluated)
    for kind, table in (("numbers", {"a": [1]}), ("objects", {"subject": [[1]], "split": [{"a": 1}]})):
        make = parquet("run/predictions.parquet", table)
        yield Hostile(f"run/predictions.parquet: a table of {kind}", make, report)
        yield Hostile(f"study/study.parquet: a table of {kind}", parquet("study/study.parquet", table), split)
    yield Hostile("image.png: a bomb", bomb, predict)


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
    peak = _peak()
    if not fault and peak > MEMORY:
        fault = f"{peak} MiB of memory"
    shutil.rmtree(room / "outer")
    return Outcome(one.name, answer, fault, round(seconds, 2), peak)


def _peak() -> int:
    """Largest memory of this process, MiB. Not `getrusage`, whose figure begins with that of the process that started this."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024


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


def try_all(folder: Path, chosen: Callable[[int], bool] = lambda _: True, seed: int = 0) -> list[Outcome]:
    """The outcomes of all inputs whose number is chosen; ``folder`` is what :func:`valid` made."""
    found = []
    for number, one in enumerate(inputs(folder, seed)):
        if chosen(number):
            with tempfile.TemporaryDirectory() as room:
                found.append(try_one(folder, one, Path(room)))
            print(json.dumps(asdict(found[-1])), flush=True)
    return found


def main(out: Path) -> None:
    """Tries all inputs and all kill points, and writes `README.md` and `results.json`."""
    with tempfile.TemporaryDirectory() as folder:  # forked, so before anything is trained here
        found_points = []
        for point in try_verbs(base(Path(folder))):
            found_points.append(point)
            print(point, flush=True)
    with tempfile.TemporaryDirectory() as folder:
        found = try_all(valid(Path(folder)))
    write_figures(out, found, found_points)


if __name__ == "__main__":
    if sys.argv[1].isdigit():
        with tempfile.TemporaryDirectory() as place:
            try_all(valid(Path(place)), lambda number: number % int(sys.argv[1]) == 0)
    else:
        main(Path(sys.argv[1]))
