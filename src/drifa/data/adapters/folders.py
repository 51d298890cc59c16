"""Folders of images by class: the commonest way in which people keep a dataset of their own."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path, PurePosixPath

import pandas as pd

from drifa.data.adapters.found import find_images
from drifa.data.reading.images import SUFFIXES, VOLUME_SUFFIXES
from drifa.data.study.schema import Modality, Task
from drifa.data.study.study import COLUMNS, Study
from drifa.data.targets import ClassTarget
from drifa.errors import DrifaError, plural, suggest
from drifa.names import is_missing, look, plain

OPTIONS = {
    "modality": "name of the one modality of ROOT/<class>/…; also says that the first folders are classes",
    "channels": "1 (grey) or 3 (RGB, the default), or by modality: photo:3,scan:1",
    "group": "regular expression searched in each path; its first bracket, or all of it, is the group",
    "task": "name of the task (default: label)",
    "name": "name of the study (default: that of the folder)",
}
#: Names of folders that are hardly ever classes.
LIKE_MODALITIES = frozenset(
    (
        *("ct", "cta", "mr", "mri", "t1", "t1c", "t1ce", "t1gd", "t2", "flair", "dwi", "adc", "swi", "pet", "spect"),
        *("us", "ultrasound", "sono", "xray", "xrays", "cxr", "mammography", "fundus", "oct", "endoscopy"),
        *("photo", "photos", "clinical", "dermoscopy", "dermatoscopy", "histology", "pathology", "wsi", "cytology"),
    )
)
_SPLITS = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val"}
_SPLITS |= {"test": "test", "testing": "test"}
# Words in the name of a folder that say only that it is one.
_FILLERS = frozenset("set data dataset image images img imgs picture pictures scan scans slice slices".split())  # noqa: SIM905


@dataclass(frozen=True)
class _File:
    path: str
    split: str
    modality: str
    label: str
    stem: str


def prepare_folders(
    folder: Path, modality: str = "", channels: str = "3", group: str = "", task: str = "label", name: str = ""
) -> Study:
    """Reads `ROOT/<modality>/<class>/…` or, for one modality, `ROOT/<class>/…`; `train`, `val`, `test` may stand above either.

    A subject is what has the same path below its class folder, apart from the ending, in every modality. Where a name comes
    twice in one modality (classes that are numbered from 1 each), the class, and then the split, becomes part of the id.

    Args:
        folder: ROOT; it is only read.
        modality: Name of the one modality; ``image`` where it is left out.
        channels: 1, 3, or a comma-separated list ``NAME:1``.
        group: Regular expression; without one every subject is its own group.
        task: Name of the task that the class folders answer.
        name: Name of the study.

    Returns:
        A study whose split is empty; published split folders are kept in the column ``official``.

    Raises:
        DrifaError: Another layout, classes that disagree, a name that comes twice, or an option that cannot be read.
    """
    if task in (*COLUMNS, "official"):
        raise DrifaError(f"task={task} is the name of a column that a study needs itself; choose another")
    suffixes = (*SUFFIXES, *VOLUME_SUFFIXES)
    listing = find_images(folder, suffixes)
    found = [(path, PurePosixPath(path).parts) for path in listing.files]
    splits = _has_splits(folder, {parts[0] for _, parts in found if len(parts) > 1})
    skip = int(splits)
    layout = "<modality>/<class>/IMAGE, or <class>/IMAGE for one modality"
    shallow = [path for path, parts in found if len(parts) == skip + 2]
    deep = [path for path, parts in found if len(parts) > skip + 2]
    beside = [path for path, parts in found if len(parts) < skip + 2]
    if not (shallow or deep):
        raise DrifaError(f"no image below {folder} stands in folders by class; expected {layout}{listing.told(after='.')}")
    if shallow and deep and not modality:
        raise DrifaError(
            f"{folder} mixes two layouts: {shallow[0]} and {deep[0]}; expected {layout}: move one of them, or say "
            f"modality=NAME if the first folders are classes"
        )
    classes_first = bool(modality or shallow)
    files = []
    for path, parts in found:
        if len(parts) >= skip + 2:
            own = parts[skip:] if not classes_first else (modality or "image", *parts[skip:])
            split = _split_of(parts[0]) if splits else ""
            files.append(_File(path, split, plain(own[0]), plain(own[1]), plain(_stem("/".join(own[2:])))))
    ids = _ids(files)
    table = pd.DataFrame([vars(file) for file in files]).drop(columns="stem")
    table.insert(0, "subject", ids)
    table["group"] = _groups(table["path"], group) if group else table["subject"]
    lacking = table.loc[table["group"] == "", "subject"].nunique()
    table = table.rename(columns={"label": task, "split": "official"}).assign(split="")
    if not splits:
        table = table.drop(columns="official")
    classes = tuple(sorted(set(table[task])))
    for before, after in pairwise(sorted(classes, key=look)):
        if look(before) == look(after):
            raise DrifaError(f"{folder} has the class folders {before!r} and {after!r}; rename one, or merge them")
    if len(classes) < 2:
        raise DrifaError(
            f"{folder} has the class folder {classes[0]!r} only; nothing can be learned from one class{listing.told(after='.')}"
        )
    if not modality and shallow and all(map(_like_modality, classes)):
        listed = ", ".join(map(repr, classes))
        raise DrifaError(
            f"the folders {listed} of {folder} would be classes, but are named like modalities; if they are these, put class "
            f"folders into them ({classes[0]}/<class>/IMAGE), and if they are classes, say modality=NAME"
        )
    modalities = tuple(sorted(set(table["modality"])))
    per_modality = ", ".join(f"{one} {(table['modality'] == one).sum()}" for one in modalities)
    return Study(
        name=name or folder.name,
        root=folder,
        table=table,
        modalities={one: Modality(one, count) for one, count in _channels(channels, modalities).items()},
        tasks={task: Task(task, ClassTarget(classes), modalities)},
        notes=(
            f"{plural(len(table), 'image')} ({per_modality}) of {plural(table['subject'].nunique(), 'subject')} in "
            f"{plural(table['group'].where(table['group'] != '', table['subject']).nunique(), 'group')}, "
            f"from folders by class. Skipped: {plural(len(beside), 'image')} outside class folders."
            + (
                f" {plural(lacking, 'subject')} whose group is a word for a missing value: each is a group of its own."
                if lacking
                else ""
            )
            + listing.told()
            + listing.told_of_regions()
            + (" The folders' own split is the column 'official'." if splits else "")
        ),
        place="the table of images",
    )


def _words(name: str) -> list[str]:
    """The words of a folder's name in lower case, without those that every folder may have: `Training Data`, `MRI_T1`."""
    parted = re.split(r"[\s_-]+", re.sub(r"x[\s_-]ray", "xray", plain(name).lower()))
    return [word for word in parted if word and word not in _FILLERS]


def _like_modality(name: str) -> bool:
    return bool(_words(name)) and all(word in LIKE_MODALITIES for word in _words(name))


def _split_of(name: str) -> str:
    """The split that a folder's name means; empty where it means none."""
    words = _words(name)
    return _SPLITS.get(words[0].removesuffix("set"), "") if len(words) == 1 else ""


def _has_splits(folder: Path, first: set[str]) -> bool:
    """Whether the first folders are `train`, `val`, `test`; one name of these among others is refused."""
    splits = sorted(name for name in first if _split_of(name))
    others = sorted(first.difference(splits))
    if splits and others:
        raise DrifaError(
            f"{folder} holds {splits[0]!r}, the name of a split, beside {others[0]!r}; move the folders that are no split "
            f"away, or, if {splits[0]!r} is a class or modality, rename it"
        )
    return bool(splits)


def _stem(path: str) -> str:
    lowered = path.lower()
    # ".nii.gz" before ".gz": the longest ending goes.
    ending = max((end for end in (*SUFFIXES, *VOLUME_SUFFIXES) if lowered.endswith(end)), key=len)
    return path[: -len(ending)]


def _ids(files: list[_File]) -> list[str]:
    """The shortest id that no two images of one modality share."""
    ways: tuple[Callable[[_File], str], ...] = (
        lambda file: file.stem,
        lambda file: f"{file.label}/{file.stem}",
        lambda file: f"{file.split}/{file.label}/{file.stem}",
    )
    for way in ways:
        owner: dict[tuple[str, str], _File] = {}
        twice = None
        for file in files:
            other = owner.setdefault((way(file), file.modality), file)
            twice = twice or (None if other is file else (other, file))
        if twice is None:
            break
    else:
        assert twice is not None
        raise DrifaError(f"{twice[0].path} and {twice[1].path} are two images of one subject and modality; keep or rename one")
    first: dict[str, _File] = {}
    for file in files:
        other = first.setdefault(way(file), file)
        if replace(other, path="", modality="") != replace(file, path="", modality=""):
            what = "class" if other.label != file.label else "split"
            raise DrifaError(
                f"{other.path} and {file.path} have one name, so they are one subject, but another {what}; correct "
                f"the {what}, or rename one of them"
            )
    return [way(file) for file in files]


def _groups(paths: pd.Series, expression: str) -> list[str]:
    try:
        pattern = re.compile(expression)
    except re.error as error:
        raise DrifaError(f"group={expression} is not a regular expression ({error}); for example group=(P\\d+)") from None
    groups = []
    for path in paths:
        match = pattern.search(plain(path))
        value = "" if match is None else (match[1] if pattern.groups else match[0])
        if not value:
            raise DrifaError(f"group={expression} finds nothing in {path}; widen the expression, or rename the file")
        groups.append("" if is_missing(value) else value)
    return groups


def _channels(text: str, modalities: tuple[str, ...]) -> Mapping[str, int]:
    chosen = dict.fromkeys(modalities, text if ":" not in text else "3")
    for entry in text.split(",") if ":" in text else ():
        name, _, count = entry.partition(":")
        if name not in chosen:
            raise DrifaError(f"channels={text} names the unknown modality {name!r}{suggest(name, modalities)}")
        chosen[name] = count
    for name, count in chosen.items():
        if count not in ("1", "3"):
            raise DrifaError(f"channels={text} gives {name!r} the channels {count!r}; use 1 (grey) or 3 (RGB)")
    return {name: int(count) for name, count in chosen.items()}
