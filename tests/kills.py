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
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pandas as pd
import torch
import yaml
from safetensors.torch import load_file

from drifa.cli.main import app
from drifa.errors import DrifaError
from drifa.files import digest

#: Processor seconds that one run of a verb may take, and seconds on the clock.
LIMIT, WAIT = 60, 300
#: Audit events of file operations; the first argument is the path.
EVENTS = ("open", "os.rename", "os.remove", "os.mkdir", "os.chmod")
#: What differs between two runs that are equal, or says nothing of a result.
NOT_COMPARED = (".lock", "environment.json", "tensorboard")
DONE, REFUSED, FAILED, KILLED = 0, 2, 3, 9


@dataclass(frozen=True)
class Verb:
    """What is killed.

    Attributes:
        name: Of the verb.
        run: Does it, in a folder of its own below the base.
        needs: What that folder holds before, copied from the base as ``(from, to)``.
        again: Continues it after a kill, as the documentation says; ``run`` where that is the same command.
        every: Of its points in the pairs, every so many is tried.
    """

    name: str
    run: Callable[[], object]
    needs: tuple[tuple[str, str], ...] = ()
    again: Callable[[], object] | None = None
    every: int = 1


@dataclass(frozen=True)
class Point:
    """What became of one point; ``fault`` is empty where all is well."""

    verb: str
    how: str
    number: int
    operation: str
    fault: str


def command(*words: str) -> Callable[[], object]:
    """A command line as a verb; its exit code 1, an audit with findings, is an end as well."""
    return lambda: app(list(words), standalone_mode=False)


def _images() -> None:
    from drifa.data import ImageCache, Study
    from drifa.data.cache import shards

    shards.SHARD_BYTES = 10 * 32 * 32
    ImageCache.build(Study.load("../study"), 32, ".cache")


def _volumes() -> None:
    from drifa.data import Study
    from drifa.data.cache.volume_cache import VolumeCache

    VolumeCache.build(Study.load("../heads"), ".cache", size=16, workers=1)


def _phantom() -> None:
    from drifa.data import make_phantom

    make_phantom("study", subjects=12, image_size=32)


def _trained() -> object:
    return command("train", "--resume", "run", "-q")() if Path("run/model.json").is_file() else TRAIN()


FOLDERS = ("data", "prepare", "folders", "../raw", "modality=photo", "--out", "study")
TRAIN = command("train", "../config.yaml", "train.epochs=2", "--out", "run", "-q")
VERBS = (
    Verb("prepare", command(*FOLDERS), again=command(*FOLDERS, "--overwrite")),
    Verb("prepare --overwrite", command(*FOLDERS, "--overwrite"), (("split", "study"),)),
    Verb("prepare phantom", _phantom, (("small", "study"),), every=4),
    Verb("split", command("data", "split", "study"), (("study", "study"),)),
    Verb("split again", command("data", "split", "study", "--protocol", "paper", "--seed", "1"), (("split", "study"),)),
    Verb("audit --fix", command("data", "audit", "study", "--fix", "groups", "-q"), (("twins", "study"),), every=2),
    Verb("cache of images", _images, every=5),
    Verb("cache of volumes", _volumes, every=5),
    Verb("train", TRAIN, again=_trained, every=8),
    Verb("resume", command("train", "--resume", "run", "train.epochs=2", "train.members=2", "-q"), (("run", "run"),), every=8),
    Verb("evaluate", command("evaluate", "run", "-q"), (("run", "run"),), every=3),
    Verb("evaluate again", command("evaluate", "run", "evaluate.passes=0", "-q"), (("evaluated", "run"),), every=3),
    Verb("report", command("report", "run"), (("evaluated", "run"),)),
)


def base(folder: Path, runs: bool = True) -> Path:
    """What the verbs start from: small studies, raw images, twins that a split cuts, heads and, with ``runs``, two runs."""
    if _ended(_forked(lambda: _make_base(folder, runs), folder), folder) != DONE:
        raise AssertionError(f"the base cannot be made: {_told(folder)}")
    return folder


def _make_base(folder: Path, runs: bool) -> None:
    from drifa.config import dump_config
    from drifa.data import Study, make_phantom
    from drifa.data.targets import RegionTarget
    from tests.nifti_files import make_head, write_nifti
    from tests.studies import tiny_config

    os.chdir(folder)
    make_phantom("study", subjects=60, image_size=32)
    make_phantom("small", subjects=12, image_size=32, seed=1)
    table = pd.read_csv("study/study.csv", dtype=str)
    for row in table[table["modality"] == "photo"].head(12).itertuples():
        (Path("raw") / row.surface).mkdir(parents=True, exist_ok=True)
        shutil.copy(Path("study") / row.path, Path("raw") / row.surface)
    for source, name in (("study", "split"), ("small", "twins")):
        shutil.copytree(source, name)
        command("data", "split", name)()
    command("data", "audit", "split", "-q")()
    table = pd.read_csv("twins/study.csv", dtype=str)
    first = {side: rows["path"].iloc[0] for side, rows in table[table["modality"] == "photo"].groupby("split")}
    shutil.copy(Path("twins") / first["train"], Path("twins") / first["test"])
    rows = []
    for seed, name in enumerate("ab"):
        grey, mask = make_head((20, 24, 12), seed)
        write_nifti(Path(f"heads/{name}/flair.nii.gz"), grey)
        write_nifti(Path(f"heads/{name}/seg.nii.gz"), mask)
        rows.append((name, "flair", f"{name}/flair.nii.gz", f"{name}/seg.nii.gz", "", ""))
    from drifa.data.study.schema import Modality, Task

    heads = pd.DataFrame(rows, columns=["subject", "modality", "path", "tumour", "group", "split"])
    task = Task("tumour", RegionTarget({"WT": (1, 2, 4)}), ("flair",))
    Study("heads", Path("heads"), heads, {"flair": Modality("flair", 1)}, {"tumour": task}).save("heads")
    Path("config.yaml").write_text(dump_config(tiny_config(Path("study").resolve(), epochs=1, members=1)))
    if not runs:
        return
    command("train", "config.yaml", "--out", "run", "-q")()
    shutil.rmtree("run/members/0/tensorboard")
    shutil.copytree("run", "evaluated")
    command("evaluate", "evaluated", "-q")()


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
