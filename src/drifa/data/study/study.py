"""A study: one table of images, with the modalities, tasks and classes that it declares.

On disk a study is a folder with `study.yaml` and `study.csv` (or `study.parquet`, which is read instead where it exists).
Everything downstream reads a study and nothing else.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import InitVar, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from drifa.data.reading import READING
from drifa.data.study.checks import COLUMNS, SPLITS, checked_table
from drifa.data.study.rules import warn_of_rules
from drifa.data.study.schema import TEXT_KEYS, Modality, Task, format_header, parse_header
from drifa.data.study.subjects import Subjects, build_subjects, subject_codes, texts_of
from drifa.data.targets import Reads
from drifa.errors import DrifaError, suggest
from drifa.files import atomic_path
from drifa.text_tables import read_table, table_text

__all__ = ["COLUMNS", "SPLITS", "Modality", "Study", "Subjects", "Task"]


@dataclass(frozen=True, eq=False)
class Study:
    """A checked table of images; an object of this class always satisfies `study_checks`.

    Args:
        name: Name of the study; prefixes ids when studies are merged.
        root: Folder that the table's paths are relative to.
        table: One row per image: ``subject, modality, path, group, split``, one column per task with label texts
            or mask paths (empty = none), and any further columns. Row number r of this table is the address of an image
            everywhere.
        modalities: By name; their order is the column order of every array.
        tasks: By name.
        source: Where the data came from.
        licence: Terms of use.
        citation: What to cite.
        notes: Counts and known defects.
        group_meaning: What a group is, in words: ``patient``, ``lesion``, ``near-duplicate cluster``.
        split_protocol: How the split column was made: a protocol of `drifa data split`, or ``""``; ``paper`` may cut groups.
        reading: The :data:`drifa.data.reading.READING` under which it was made; 0 where its `study.yaml` does not say.
        reporting: What only its authors can say, by key of :data:`drifa.data.study.reporting.STATEMENTS`.
        place: How errors call the table.

    Raises:
        DrifaError: The table breaks a rule; the message names row, value and remedy.
    """

    name: str
    root: Path
    table: pd.DataFrame = field(repr=False)
    modalities: dict[str, Modality]
    tasks: dict[str, Task]
    source: str = ""
    licence: str = ""
    citation: str = ""
    notes: str = ""
    group_meaning: str = ""
    split_protocol: str = ""
    reading: int = READING
    reporting: Mapping[str, str] = field(default_factory=dict)
    place: InitVar[str] = "study.csv"

    def __post_init__(self, place: str) -> None:
        if not self.name:
            raise DrifaError("a study needs a name; set 'name' in study.yaml")
        table = checked_table(self.table, self.modalities, self.tasks, self.split_protocol, place)
        object.__setattr__(self, "table", table)
        object.__setattr__(self, "root", Path(os.path.abspath(self.root)))

    @classmethod
    def load(cls, folder_or_yaml: str | Path) -> Study:
        """Reads a study from its folder, or from its `study.yaml`; warns of one that was prepared by other rules of reading.

        Raises:
            DrifaError: A file is missing or unreadable, or its content breaks a rule of the format.

        Examples:
            >>> from drifa.data import make_phantom
            >>> _ = make_phantom("phantom", subjects=12, image_size=32)
            >>> study = Study.load("phantom")
            >>> study.name, list(study.tasks), len(study.subjects())
            ('phantom', ['surface', 'depth', 'spread'], 12)
        """
        yaml_path = Path(folder_or_yaml)
        if yaml_path.is_dir():
            yaml_path = yaml_path / "study.yaml"
        if not yaml_path.is_file():
            raise DrifaError(f"no study at {yaml_path}; `drifa data prepare NAME FOLDER --out STUDY` makes one")
        try:
            header = parse_header(yaml_path.read_text(encoding="utf-8-sig"), str(yaml_path))
        except UnicodeDecodeError as error:
            raise DrifaError(f"{yaml_path} is not UTF-8 text ({error.reason}); save it as UTF-8") from None
        table_path = _table_path(yaml_path.parent)
        root = yaml_path.parent / header.pop("root")
        study = cls(root=root, table=_read_table(table_path), place=table_path.name, **header)
        warn_of_rules(study, yaml_path.parent)
        return study

    def save(self, folder: str | Path, stale: Iterable[Path] = ()) -> Path:
        """Writes the study into a folder: the table first, `study.yaml` last.

        Over a study the order is the other one unless its `study.yaml` says `paper`, which alone allows a table that cuts
        groups: so what is there can be read, and the command repeated, wherever the writing stops.

        The table is written as `study.parquet` where the folder already holds one (it would win on reading), else as CSV.
        The root is written relative to the folder where it lies inside, or where the folder's `study.yaml` has it so already.
        Both are written whole before anything is put in place, so that a full disk changes nothing.

        Args:
            folder: Where to.
            stale: Files that belong to what is replaced; removed once both are written.

        Returns:
            Path of the written `study.yaml`.
        """
        folder = Path(os.path.abspath(folder))
        inside = self.root == folder or folder in self.root.parents
        old = _header_in(folder)
        named = str(old.get("root", self.root))
        relative = inside or (not os.path.isabs(named) and os.path.abspath(folder / named) == str(self.root))
        root = Path(os.path.relpath(self.root, folder)).as_posix() if relative else str(self.root)
        header: dict[str, Any] = {key: getattr(self, key) for key in ("name", *TEXT_KEYS, "split_protocol", "reading")}
        header |= {"root": root, "reporting": dict(self.reporting), "modalities": self.modalities, "tasks": self.tasks}
        path, table = folder / "study.yaml", _table_path(folder)
        header_first = bool(old) and old["split_protocol"] != "paper"
        # The inner one is put in place first.
        outer, inner = (table, path) if header_first else (path, table)
        with atomic_path(outer) as one, atomic_path(inner) as other:
            written = {outer: one, inner: other}
            _write_table(written[table], self.table, table.suffix)
            written[path].write_text(format_header(header), encoding="utf-8", newline="")
            for before in stale:
                before.unlink(missing_ok=True)
        return path

    def reads(self) -> Reads:
        """What a network looks at to answer the tasks; subjects where there is no task.

        Raises:
            DrifaError: They are of two sorts: one network answers one.
        """
        found = {name: task.target.reads for name, task in self.tasks.items()}
        if len(set(found.values())) > 1:
            listed = ", ".join(f"{name} ({self.tasks[name].target.kind})" for name in found)
            raise DrifaError(
                f"study {self.name!r} has tasks of two kinds, of subjects and of volumes, and one network answers one: "
                f"{listed}; choose those of one, as data.tasks=[NAME]"
            )
        return next(iter(found.values()), "subject")

    def subjects(self) -> Subjects:
        """The table as arrays, one entry per subject."""
        return build_subjects(self.table, self.modalities, self.tasks)

    def select(self, modalities: Sequence[str], tasks: Sequence[str] | None = None) -> Study:
        """A study with some of the modalities, the tasks that they can answer, and the classes' order unchanged.

        Args:
            modalities: Names to keep; their order becomes the order of the new study.
            tasks: Names to keep, in the study's order; None for all that the modalities can answer.

        Raises:
            DrifaError: An unknown modality or task, no modality, or a named task that the modalities cannot answer.
        """
        for name in modalities:
            if name not in self.modalities:
                raise DrifaError(f"study {self.name!r} has no modality {name!r}{suggest(name, self.modalities)}")
        if not modalities:
            raise DrifaError(f"no modality selected{suggest('', self.modalities)}")
        keep = self.table["modality"].isin(list(modalities)).to_numpy()
        table = self.table[keep].copy()
        # A subject's label may stand on the row of a dropped modality: write it on the rows that stay.
        subjects = self.subjects()
        codes, ids = subject_codes(self.table)
        kept_tasks = {}
        for column, task in enumerate(self.tasks.values()):
            asked = tuple(name for name in task.modalities if name in modalities)
            if (tasks is not None and task.name not in tasks) or not asked:
                continue
            kept_tasks[task.name] = replace(task, modalities=asked)
            texts = texts_of(self.table[task.name], codes, len(ids))
            table[task.name] = np.where(subjects.known[:, column], texts, "")[codes[keep]]
        for name in tasks or ():
            if name not in self.tasks:
                raise DrifaError(f"study {self.name!r} has no task {name!r}{suggest(name, self.tasks)}")
            if name not in kept_tasks:
                needed = " or ".join(self.tasks[name].modalities)
                raise DrifaError(
                    f"task {name!r} of study {self.name!r} needs {needed}; keep one of them, or leave out the task"
                )
        kept = {name: self.modalities[name] for name in modalities}
        return replace(self, table=table, modalities=kept, tasks=kept_tasks)

    @staticmethod
    def merge(studies: Sequence[Study]) -> Study:
        """Several studies as one; see :func:`drifa.data.study.merge.merge_studies`."""
        from drifa.data.study.merge import merge_studies

        return merge_studies(studies)

    def image_path(self, row: int) -> Path:
        """Absolute path of the image in one row of the table."""
        return self.root / str(self.table["path"].iloc[row])

    def mask_paths(self, task: str) -> list[Path | None]:
        """Absolute path of every subject's mask file, in the order of :meth:`subjects`; None where a subject has none.

        Args:
            task: Name of a task whose target is masks.

        Raises:
            DrifaError: The study has no such task.
        """
        masked = self._masked()
        if task not in masked:
            raise DrifaError(f"study {self.name!r} has no segmentation task {task!r}{suggest(task, masked)}")
        subjects = self.subjects()
        paths = zip(subjects.targets[task], subjects.known_of(task), strict=True)
        return [self.root / str(path) if known else None for path, known in paths]

    def check_files(self) -> None:
        """Looks for every image and mask file.

        Raises:
            DrifaError: Some are missing; names the first of them and how many there are.
        """
        # A volume may be a folder, with the slices of a DICOM series.
        volumes = {name for task in self._masked() for name in self.tasks[task].modalities}
        of_volume = self.table["modality"].isin(volumes)
        self._check_files("image", [path for path in self.table["path"][~of_volume] if path])
        self._check_files("image", [path for path in self.table["path"][of_volume] if path], folders=True)
        subjects = self.subjects()
        for name in self._masked():
            self._check_files(f"{name} mask", [str(path) for path in subjects.targets[name][subjects.known_of(name)]])

    def _masked(self) -> list[str]:
        """Tasks whose column holds paths of masks."""
        return [name for name, task in self.tasks.items() if task.target.reads == "pixels"]

    def _check_files(self, what: str, paths: list[str], folders: bool = False) -> None:
        missing = _missing_files(self.root, paths)
        if folders:
            missing = [path for path in missing if not os.path.isdir(os.path.join(self.root, path))]
        if missing:
            listed = ", ".join(missing[:3]) + (", …" if len(missing) > 3 else "")
            raise DrifaError(
                f"{len(missing)} of {len(paths)} {what} files of study {self.name!r} are missing below {self.root}: "
                f"{listed}; correct 'root' in study.yaml, or prepare the study again"
            )


def _header_in(folder: Path) -> dict[str, Any]:
    """What the `study.yaml` of a folder says; nothing where none can be read."""
    try:
        path = folder / "study.yaml"
        return parse_header(path.read_text(encoding="utf-8-sig") if path.is_file() else "", "study.yaml")
    except (OSError, UnicodeDecodeError, DrifaError):
        return {}


def _missing_files(root: Path, paths: Sequence[str]) -> list[str]:
    """The paths at which no file lies. Folders are listed once: asking for every file takes a minute for a million of them."""
    parts = [os.path.split(path) for path in paths]
    listed: dict[str, set[str]] = {}
    for folder in {folder for folder, _ in parts}:
        try:
            with os.scandir(root / folder) as entries:
                listed[folder] = {entry.name for entry in entries if entry.is_file()}
        except OSError:
            listed[folder] = set()
    # A file system may know a file under another spelling than its listing: those in doubt are asked for.
    doubtful = (path for path, (folder, name) in zip(paths, parts, strict=True) if name not in listed[folder])
    return [path for path in doubtful if not os.path.isfile(os.path.join(root, path))]


def _write_table(path: Path, table: pd.DataFrame, suffix: str) -> None:
    if suffix == ".parquet":
        table.to_parquet(path, index=False)
    else:
        path.write_text(table_text(table), encoding="utf-8", newline="")


def _table_path(folder: Path) -> Path:
    parquet = folder / "study.parquet"
    return parquet if parquet.is_file() else folder / "study.csv"


def _read_table(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise DrifaError(f"{path} is missing; a study folder holds study.yaml and study.csv (or study.parquet)")
    if path.suffix != ".parquet":
        table = read_table(path)
        gaps = np.flatnonzero(table.index != np.arange(2, len(table) + 2))
        if len(gaps):
            raise DrifaError(f"row {gaps[0] + 2} of {path} is blank; remove it")
        return table.reset_index(drop=True)
    try:
        table = pd.read_parquet(path)
        table.columns = table.columns.map(str)
        return table
    except Exception as error:  # of a damaged file the reader raises many kinds
        reason = " ".join(str(error).split())
        raise DrifaError(f"{path} cannot be read as a table: {reason}; write it again, or take study.csv") from None
