"""What the columns of somebody's table probably mean, from their names and their cells. A guess, to be looked at."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pandas as pd

from drifa.data.study.checks import SPLIT_VALUES
from drifa.data.study.study import COLUMNS
from drifa.names import is_missing, plain

#: Words that column names are made of. Of several columns the first word wins.
GROUP_WORDS = ("patient", "patientid", "pid", "mrn", "person", "group", "lesion")
SUBJECT_WORDS = ("subject", "case", "caseid", "subjectid", "accession", "id", "imageid", "name")
LABEL_WORDS = ("label", "labels", "class", "diagnosis", "dx", "target", "category", "grade", "outcome", "finding", "benign")
KIND_WORDS = ("modality", "kind", "sequence", "view")
#: Cells of a column that are looked at.
SAMPLE = 200
#: Values of a column that may still be classes.
MOST_CLASSES = 30


@dataclass(frozen=True)
class Columns:
    """What is guessed of a table.

    Attributes:
        root: What its paths count from.
        paths: Columns of paths; one, in a table with a row per image and a column ``kind``.
        subject: Column of the case.
        group: Column of the patient; empty for none.
        kind: Column of the modality, in a table with a row per image; empty for none.
        split: Column with a ready split; empty for none.
        labels: Column of a task -> its values, most common first.
        further: Columns that may be tasks too -> their values.
        values: Columns of numbers, and of words that come again.
    """

    root: Path
    paths: tuple[str, ...]
    subject: str
    group: str
    kind: str
    split: str
    labels: dict[str, list[str]]
    further: dict[str, list[str]]
    values: tuple[str, ...]


def guess_columns(
    table: pd.DataFrame, place: Path, folder: Path, images: Sequence[str], inside: Collection[str] = ()
) -> Columns | None:
    """Guesses what a table means.

    Args:
        table: As text.
        place: Its file.
        folder: Where the images were looked for.
        images: Their paths in it, with forward slashes.
        inside: Columns that hold images themselves, which stand for columns of paths; their texts say nothing.

    Returns:
        None where no column names or holds any image.
    """
    cells = {column: [plain(text) for text in table[column] if not is_missing(text)] for column in table.columns}
    root, paths = (place.parent, sorted(inside)) if inside else _paths(cells, place, folder, images)
    if not paths:
        return None
    free = [column for column in table.columns if column not in paths]
    split = next((one for one in free if cells[one] and set(cells[one]) <= set(SPLIT_VALUES)), "")
    free = [column for column in free if column != split]
    kinds = [one for one in _named(free, KIND_WORDS) if 1 < len(set(cells[one])) <= MOST_CLASSES]
    kind = kinds[0] if len(paths) == 1 and kinds else ""
    groups = [one for one in _named(free, GROUP_WORDS) if len(set(cells[one])) > 2]
    group = groups[0] if groups else ""
    unique = [one for one in (*free, *paths) if len(cells[one]) == len(table) and len(set(cells[one])) == len(table)]
    if kind:  # ids come again, once for each modality
        again = [one for one in free if one not in (kind, group) and not table.duplicated([one, kind]).any()]
        subjects = _named(again, SUBJECT_WORDS) or again or [group]
    else:
        subjects = _named(unique, SUBJECT_WORDS) or [one for one in unique if one in COLUMNS] or unique
    if not subjects or not subjects[0]:
        return None
    used = {subjects[0], group, kind, split}
    rest = {one: [value for value, _ in Counter(cells[one]).most_common()] for one in free if one not in used and cells[one]}
    few = {one: found for one, found in rest.items() if 1 < len(found) <= min(MOST_CLASSES, max(2, len(table) // 4))}
    labels = {one: few[one] for one in _named(few, LABEL_WORDS)} or dict(
        [one for one in few.items() if not all(map(_is_number, one[1]))][:1]
    )
    further = {one: found for one, found in few.items() if one not in labels}
    values = tuple(one for one in rest if one not in labels and (one in few or all(map(_is_number, rest[one]))))
    return Columns(root, tuple(paths), subjects[0], group, kind, split, labels, further, values)


def _paths(cells: dict[str, list[str]], place: Path, folder: Path, images: Sequence[str]) -> tuple[Path, list[str]]:
    """The folder below which most paths are found, and the columns that hold them."""
    inside = {str(parent) for image in images for parent in PurePosixPath(image).parents}
    best: tuple[Path, list[str]] = (place.parent, [])
    for root in dict.fromkeys([place.parent, folder, *(folder / one for one in sorted(inside))]):
        begin = "" if root == folder else f"{root.relative_to(folder).as_posix()}/"
        known = {image.removeprefix(begin).lower() for image in images if image.startswith(begin)}
        known |= {re.sub(r"\.(nii\.gz|[^./]*)$", "", name) for name in known}
        found = []
        for column, texts in cells.items():
            some = [_below(text, root) for text in texts[:SAMPLE]]
            # Counts such as an age of 40 are found where images are numbered; then only an id of each is a path.
            again = len(set(texts)) < len(texts) and all(map(_is_number, texts))
            if some and not again and sum(text in known for text in some) >= 0.8 * len(some):
                found.append(column)
        if len(found) > len(best[1]):
            best = root, found
    return best


def _below(text: str, root: Path) -> str:
    text = text.replace("\\", "/").removeprefix(f"{root.as_posix()}/")
    return text.removeprefix("./").lower()


def _named(columns: Sequence[str] | dict[str, list[str]], words: Sequence[str]) -> list[str]:
    """Columns that have one of the words in their names, the first words first."""
    parts = {column: _words(column) for column in columns}
    return sorted(
        (column for column in columns if set(words) & parts[column]),
        key=lambda column: min(words.index(word) for word in parts[column] if word in words),
    )


def _words(name: str) -> set[str]:
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", plain(name)).lower()
    found = [word for word in re.split(r"[^a-z0-9]+", parted) if word]
    return {*found, "".join(found)}


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[-+]?\d+([.,]\d+)?([eE][-+]?\d+)?", text) is not None
