"""Kill points: each verb is killed at each of its file operations and run again, and is run twice at once.

A file operation is what Python's audit events tell of the verb's folder: opening to write, renaming, removing, a new folder.
Killed there, an opened file is left half-written. What the second run leaves must equal what one run leaves that nobody
disturbed, to the byte but for dates and seconds. A process that is forked per point saves the imports.
"""

from __future__ import annotations

import csv
import io
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pandas as pd
import torch
import yaml
from safetensors.torch import load_file

from drifa.errors import DrifaError
from drifa.files import digest
from tests.kill_verbs import VERBS, Verb, make_base

#: Processor seconds that one run of a verb may take, and seconds on the clock.
LIMIT, WAIT = 60, 300
#: Audit events of file operations; the first argument is the path.
EVENTS = ("open", "os.rename", "os.remove", "os.mkdir", "os.chmod")
#: What differs between two runs that are equal, or says nothing of a result.
NOT_COMPARED = (".lock", "environment.json", "tensorboard")
DONE, REFUSED, FAILED, KILLED = 0, 2, 3, 9


@dataclass(frozen=True)
class Point:
    """What became of one point; ``fault`` is empty where all is well."""

    verb: str
    how: str
    number: int
    operation: str
    fault: str


def base(folder: Path, runs: bool = True) -> Path:
    """What the verbs start from: small studies, raw images, twins that a split cuts, heads and, with ``runs``, two runs."""
    for name in ("data", "data.audit", *(("training.train", "evaluation.evaluate", "report") if runs else ())):
        import_module(f"drifa.{name}")  # once, for all that are forked
    if _ended(_forked(lambda: make_base(folder, runs), folder), folder) != DONE:
        raise AssertionError(f"the base cannot be made: {_told(folder)}")
    return folder


def points(folder: Path, verb: Verb, every: int = 1) -> Iterator[Point]:
    """Kills a verb at every so many of its file operations, and runs it twice at once.

    Args:
        folder: From :func:`base`.
        verb: Which.
        every: Of its operations, every so many.
    """
    work, again = folder / "work", verb.again or verb.run
    counted = _Operations(work)
    _prepare(folder, verb)
    code = _ended(_forked(verb.run, work, counted, folder / "operations"), folder)
    if code != DONE:
        raise AssertionError(f"{verb.name} fails without a kill: {_told(folder)}")
    wanted = _state(work)
    operations = json.loads((folder / "operations").read_text())
    for number in range(1, len(operations) + 1, every):
        _prepare(folder, verb)
        code = _ended(_forked(verb.run, work, _Operations(work, number, _half_written)), folder)
        fault = "" if code == KILLED else f"not killed, but ended with {code}: {_told(folder)}"
        if not fault and _ended(_forked(lambda: (_refuse_halves(work), again()), work), folder) != DONE:
            fault = f"the second run does not end: {_told(folder)}"
        yield Point(verb.name, "killed", number, operations[number - 1], fault or _difference(wanted, _state(work)))
    for number in range(1, len(operations) + 1, every * verb.every):
        _prepare(folder, verb)
        first = _forked(verb.run, work, _Operations(work, number, _stop))
        os.waitpid(first, os.WUNTRACED)
        codes = [_ended(_forked(verb.run, work), folder)]
        told = _told(folder)
        os.kill(first, signal.SIGCONT)
        codes.append(_ended(first, folder))
        fault = "" if DONE in codes and set(codes) <= {DONE, REFUSED} else f"two ended with {codes}: {told} {_told(folder)}"
        yield Point(verb.name, "twice", number, operations[number - 1], fault or _difference(wanted, _state(work)))


class _Operations:
    """An audit hook that counts the file operations in a folder, and does something at one of them."""

    def __init__(self, folder: Path, at: int = 0, act: Callable[[str, str], None] | None = None) -> None:
        self.folder, self.at, self.act = f"{folder}{os.sep}", at, act
        self.found: list[str] = []

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event not in EVENTS or isinstance(arguments[0], int | None):
            return
        if event == "open" and not (arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            return
        path = os.path.abspath(os.fsdecode(arguments[0]))
        if os.path.lexists(path) == (event == "os.mkdir") and event in ("os.mkdir", "os.remove"):
            return  # nothing changes
        if not path.startswith(self.folder) or any(name in path for name in NOT_COMPARED):
            return
        self.found.append(f"{event} {_named(path.removeprefix(self.folder))}")
        if len(self.found) == self.at and self.act is not None:
            self.act(event, path)


def _named(path: str) -> str:
    """A path without the numbers of its process and of its moment."""
    return ".".join(path.split(".")[:-3]) + ".tmp" if path.endswith(".tmp") else path


def _half_written(event: str, path: str) -> NoReturn:
    if event == "open":
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.write(file, b"half")
    os._exit(KILLED)


def _stop(event: str, path: str) -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def _prepare(folder: Path, verb: Verb) -> None:
    shutil.rmtree(folder / "work", ignore_errors=True)
    (folder / "work").mkdir()
    for source, target in verb.needs:
        shutil.copytree(folder / source, folder / "work" / target)


def _forked(run: Callable[[], object], work: Path, hook: _Operations | None = None, told: Path | None = None) -> int:
    """Runs something in a process of its own, which ends with an exit code and leaves what it printed beside ``work``."""
    sys.stdout.flush()
    process = os.fork()
    if process:
        return process
    code = FAILED
    try:
        log = os.open(work.parent / f"{os.getpid()}.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(log, 1)
        os.dup2(log, 2)
        sys.stdout = sys.stderr = io.TextIOWrapper(os.fdopen(log, "wb"), encoding="utf-8", line_buffering=True)
        resource.setrlimit(resource.RLIMIT_CPU, (LIMIT, LIMIT))
        signal.alarm(WAIT)
        os.chdir(work)
        if hook is not None:
            sys.addaudithook(hook)
        run()
        if told is not None and hook is not None:
            told.write_text(json.dumps(hook.found))
        code = DONE
    except DrifaError as error:
        print(f"error: {error}")
        code = REFUSED
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(code)


def _ended(process: int, folder: Path) -> int:
    code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    for log in (folder / f"{process}.log", folder.parent / f"{process}.log"):
        if log.is_file():
            log.replace(folder / "last.log")
    return code


def _told(folder: Path) -> str:
    return (folder / "last.log").read_text(errors="replace")[-400:]


_READERS: dict[str, Callable[[Path], object]] = {
    ".json": lambda path: json.loads(path.read_text()),
    ".yaml": lambda path: yaml.safe_load(path.read_text()),
    ".csv": pd.read_csv,
    ".npy": np.load,
    ".parquet": pd.read_parquet,
    ".safetensors": load_file,
    ".ckpt": lambda path: torch.load(path, weights_only=True),
    ".html": lambda path: path.read_text().rstrip().endswith("</html>") or [][0],
}


def _refuse_halves(work: Path) -> None:
    """Fails where a file that is no temporary one cannot be read to its end."""
    for path in work.rglob("*"):
        if path.is_file() and path.suffix in _READERS:
            _READERS[path.suffix](path)


def _state(work: Path) -> dict[str, str]:
    """Content of every file, by path, but for dates and seconds."""
    found = {}
    for path in sorted(work.rglob("*")):
        name = str(path.relative_to(work))
        if not any(part in name for part in NOT_COMPARED):
            found[_named(name)] = _content(path) if path.is_file() else ""
    return found


def _content(path: Path) -> str:
    if path.suffix == ".json":
        return json.dumps(_without_seconds(json.loads(path.read_text())))
    if path.name == "history.csv":
        return json.dumps([{**row, "seconds": ""} for row in csv.DictReader(path.read_text().splitlines())])
    if path.suffix == ".ckpt":
        weights = torch.load(path, weights_only=True)["state_dict"]
        return json.dumps({name: value.double().sum().item() for name, value in weights.items()})
    return digest(path)


def _without_seconds(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_seconds(inner) for key, inner in value.items() if key != "seconds"}
    return [_without_seconds(inner) for inner in value] if isinstance(value, list) else value


def _difference(wanted: dict[str, str], found: dict[str, str]) -> str:
    names = [name for name in sorted(wanted.keys() | found.keys()) if wanted.get(name) != found.get(name)]
    return f"what is left differs from one undisturbed run in {', '.join(names[:6])}" if names else ""


def try_verbs(folder: Path, every: int = 1, names: tuple[str, ...] = ()) -> Iterator[Point]:
    """The points of all verbs, or of those named; ``folder`` is what :func:`base` made."""
    for verb in VERBS:
        if not names or verb.name in names:
            yield from points(folder, verb, every)


if __name__ == "__main__":  # EVERY VERB...: points of verbs that need no run
    with tempfile.TemporaryDirectory() as place:
        for point in try_verbs(base(Path(place), runs=False), int(sys.argv[1]), tuple(sys.argv[2:])):
            print(json.dumps(asdict(point)))
