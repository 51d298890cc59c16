"""drifa doctor: what this installation has, what it lacks, and for what."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from drifa.version import __version__

#: Beside torch these decide about results and about what can be read.
PACKAGES = ("torch", "torchvision", "timm", "lightning", "numpy", "pandas", "pillow", "pydicom", "nibabel")
#: What the trial of a disk writes.
TRIAL_BYTES = 32 * 2**20


@dataclass(frozen=True)
class Sign:
    """One line of the examination.

    Attributes:
        what: What was looked at.
        found: What it is like.
        remedy: What to do about it; empty where all is well.
    """

    what: str
    found: str
    remedy: str = ""


def examine(folder: str | Path = ".") -> list[Sign]:
    """Looks at the installation, the devices, the extras, the data and the disk.

    Args:
        folder: Where runs and studies are to be written; a file of 32 MB is written there and deleted.
    """
    return [*_versions(), *_devices(), *_extras(), *_data(), _disk(Path(folder))]


def _versions() -> Iterator[Sign]:
    python = platform.python_version_tuple()
    yield Sign("drifa", __version__)
    old = (int(python[0]), int(python[1])) < (3, 11)
    yield Sign("python", platform.python_version(), "drifa needs Python 3.11 or newer" if old else "")
    yield Sign("machine", f"{platform.machine()}, {os.cpu_count()} CPU threads, {platform.system()}")
    for name in PACKAGES:
        # Of torch the build counts too, which only the package itself tells.
        version = torch.__version__ if name == "torch" else _version(name)
        yield Sign(name, version or "missing", "" if version else f"pip install {name}")
    try:  # a torchvision of another torch fails when it is loaded
        import torchvision.ops  # noqa: F401
    except (ImportError, RuntimeError, AttributeError) as error:
        yield Sign(
            "torch and torchvision",
            f"do not fit each other ({' '.join(str(error).split())[:120]})",
            "install both in one pip call, in a new environment",
        )


def _devices() -> Iterator[Sign]:
    if not torch.cuda.is_available() and not torch.backends.mps.is_available():
        yield Sign("device", f"CPU, {torch.get_num_threads()} threads for torch; no GPU that torch can use")
    for number in range(torch.cuda.device_count()):
        free, whole = torch.cuda.mem_get_info(number)
        yield Sign(
            f"device cuda:{number}",
            f"{torch.cuda.get_device_name(number)}, {free / 2**30:.0f} of {whole / 2**30:.0f} GiB free",
        )
    if torch.backends.mps.is_available():
        yield Sign("device mps", "a GPU of Apple's")


def _extras() -> Iterator[Sign]:
    """Of each extra the packages that are missing; those of the same name under a condition count as well."""
    needed: dict[str, list[str]] = {}
    for line in importlib.metadata.requires("drifa") or ():
        requirement, _, condition = line.partition(";")
        told = re.search(r"extra\s*==\s*['\"]([\w-]+)['\"]", condition)
        package = re.match(r"[\w.-]+", requirement.strip())
        if told and package and package[0].lower() != "drifa":
            needed.setdefault(told[1], []).append(package[0])
    for extra, names in needed.items():
        lacking = [name for name in names if _version(name) is None]
        found = "complete" if not lacking else f"not installed: {', '.join(lacking)}"
        yield Sign(f"extra {extra}", found, f'pip install "drifa[{extra}]", if it is wanted' if lacking else "")


def _data() -> Iterator[Sign]:
    root = os.environ.get("DRIFA_DATA")
    if not root:
        yield Sign("DRIFA_DATA", "not set", "set it to the folder of the datasets, if their tests are to run")
        return
    inside = sorted(path.name for path in Path(root).iterdir() if path.is_dir()) if Path(root).is_dir() else None
    if inside is None:
        yield Sign("DRIFA_DATA", f"{root} is no folder", "correct it, or unset it")
    else:
        yield Sign("DRIFA_DATA", f"{root}: {', '.join(inside) or 'empty'}")


def _disk(folder: Path) -> Sign:
    where = f"disk of {folder.resolve()}"
    try:
        free = shutil.disk_usage(folder).free
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".drifa-doctor-") as file:
            content, start = os.urandom(TRIAL_BYTES), time.perf_counter()
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            seconds = time.perf_counter() - start
    except OSError as error:
        return Sign(where, f"cannot be written ({error.strerror})", "choose another folder, or correct its permissions")
    found = f"{free / 1e9:.0f} GB free, writes {TRIAL_BYTES / seconds / 1e6:.0f} MB/s"
    return Sign(where, found, "make room: a run of five members takes a few GB" if free < 5e9 else "")


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
