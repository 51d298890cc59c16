"""Writing files so that a reader never sees half of one: write beside the target, then rename."""

from __future__ import annotations

import errno
import glob
import hashlib
import json
import os
import platform
import re
import shutil
import uuid
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drifa.errors import DrifaError

if TYPE_CHECKING:
    import pandas as pd

try:
    import fcntl
except ImportError:  # Windows has none
    fcntl = None  # type: ignore[assignment]

LOCK_FILE = ".lock"
#: Stands in the names of temporary files: a folder may be shared, and a number of a process says nothing on another machine.
_MACHINE = f"{zlib.crc32(platform.node().encode()):08x}"
#: Largest JSON file, bytes: what is written here stays far below.
LONGEST_JSON = 256 * 1024 * 1024
# Can only be read by setting it.
_UMASK = os.umask(0o022)
os.umask(_UMASK)


@contextmanager
def atomic_path(target: str | Path) -> Iterator[Path]:
    """Yields a temporary path in the target's folder and renames it onto ``target`` on success.

    On any exception (a full disk and Ctrl-C included) the temporary file is removed and whatever stood at ``target``
    before is untouched. Every file gets the mode that a new one has here, whatever its writer would give it. What killed
    writers of the same file left is removed.
    """
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    _sweep(target.parent.glob(f".{glob.escape(target.name)}.*.tmp"))
    temporary = target.with_name(f".{target.name}.{os.getpid()}.{_MACHINE}{uuid.uuid4().hex[:8]}.tmp")
    try:
        with named(target):
            yield temporary
            plain_modes(temporary)
            os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def named(target: str | Path) -> Iterator[None]:
    """Gives an error of the disk the name of the file or folder that is being written: a full disk has none by itself.

    Raises:
        OSError: A writer of another language met an error of the disk, and raised a kind of its own.
    """
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno is not None:  # without a number its words are all it has
            error.filename = str(target)
        raise
    except DrifaError:
        raise
    except Exception as error:  # safetensors tells the number in its words; PyTorch fails at whatever it does next
        said = re.search(r"\(os error (\d+)\)", str(error))
        number = int(said[1]) if said else errno.ENOSPC
        if said is None and shutil.disk_usage(Path(target).parent).free > 0:
            raise
        raise OSError(number, os.strerror(number), str(target)) from error


def plain_modes(path: Path) -> None:
    """Gives a file, or a folder and all that is in it, the modes that new ones have here, whatever their writers gave them."""
    for one in (path, *path.rglob("*")) if path.is_dir() else (path,):
        if not one.is_symlink():
            one.chmod((0o777 if one.is_dir() else 0o666) & ~_UMASK)


def refuse_links_outside(folder: str | Path, names: Iterable[str]) -> None:
    """Refuses folders that are links to a place outside: what is written to a folder that somebody sent stays in it.

    Args:
        folder: The folder.
        names: What is looked through, to the bottom, of what may be in it. Links to files are no matter: a file is replaced,
            never written through.

    Raises:
        DrifaError: There is such a link.
    """
    folder = Path(folder)
    inside = os.path.realpath(folder)
    for name in names:
        for path in (folder / name, *((folder / name).rglob("*") if not (folder / name).is_symlink() else ())):
            if path.is_symlink() and not path.is_file() and not Path(os.path.realpath(path)).is_relative_to(inside):
                raise DrifaError(
                    f"{path} is a link to {os.path.realpath(path)}, outside {folder}; put a folder of its own in its place"
                )


def sweep(folder: str | Path) -> None:
    """Deletes the temporary files below a folder whose writers were killed: of processes that this machine has no more."""
    _sweep(Path(folder).rglob(".*.tmp"))


def _sweep(paths: Iterable[Path]) -> None:
    for path in paths:
        found = re.fullmatch(rf"\..+\.(\d+)\.{_MACHINE}[0-9a-f]{{8}}\.tmp", path.name)
        if found and path.is_file() and not _alive(int(found[1])):
            path.unlink(missing_ok=True)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


@contextmanager
def locked(folder: str | Path, message: str) -> Iterator[None]:
    """Holds a folder for one process; the system lets go of it when the process ends, however it does.

    Args:
        folder: Created if missing.
        message: What is said where another process holds it.

    Raises:
        DrifaError: Another process holds it.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    lock = folder / LOCK_FILE
    if lock.is_symlink() or (lock.exists() and not lock.is_file()):  # a pipe would wait for a reader
        raise DrifaError(f"{lock} is no ordinary file; delete it")
    with open(folder / LOCK_FILE, "a", encoding="utf-8") as file:
        if fcntl is not None:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise DrifaError(message) from None
            except OSError:  # a file system without locks
                pass
        yield


def read_json(path: str | Path, remedy: str = "delete it and run the command that wrote it again") -> dict[str, Any] | None:
    """The JSON object in a file; None where there is no such file.

    Args:
        path: The file.
        remedy: What the error proposes.

    Raises:
        DrifaError: No JSON, no object, numbers that are none (which :func:`write_json` never writes), or more than is read.
    """
    if not os.path.isfile(path):
        return None
    if os.path.getsize(path) > LONGEST_JSON:
        raise DrifaError(f"'{path}' has {os.path.getsize(path)} bytes, and up to {LONGEST_JSON} are read: {remedy}")
    try:
        value = json.loads(Path(path).read_text(encoding="utf-8"), parse_constant=_refuse_constant)
    except RecursionError:
        raise DrifaError(f"'{path}' is not valid JSON (lists in lists, too deep): {remedy}") from None
    except ValueError as error:
        raise DrifaError(f"'{path}' is not valid JSON ({error}): {remedy}") from error
    if not isinstance(value, dict):
        raise DrifaError(f"'{path}' holds a {type(value).__name__}, not a JSON object: {remedy}")
    return value


def _refuse_constant(text: str) -> None:
    raise ValueError(f"{text} is no number")


def digest(path: str | Path) -> str:
    """The sha256 of a file's content."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_bytes(target: str | Path, content: bytes) -> Path:
    """Writes ``content``, all or nothing."""
    with atomic_path(target) as temporary:
        temporary.write_bytes(content)
    return Path(target)


def write_text(target: str | Path, text: str) -> Path:
    """Writes ``text`` as UTF-8, all or nothing."""
    return write_bytes(target, text.encode())


def write_csv(target: str | Path, table: pd.DataFrame) -> Path:
    """Writes a table as CSV without its index, all or nothing."""
    with atomic_path(target) as temporary:
        table.to_csv(temporary, index=False)
    return Path(target)


def json_text(value: Any) -> str:
    """``value`` as indented JSON; NaN is refused, so that any JSON reader can read it."""
    return json.dumps(value, indent=2, allow_nan=False) + "\n"


def write_json(target: str | Path, value: Any) -> Path:
    """Writes ``value`` as :func:`json_text`, all or nothing."""
    return write_text(target, json_text(value))
