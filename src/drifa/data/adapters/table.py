"""A table of one's own (CSV or Parquet), with a YAML file that says which column means what."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePath

import pandas as pd

from drifa.data.adapters.base import check_file
from drifa.data.adapters.beside import masks_beside
from drifa.data.adapters.mapping import Mapping, TaskMapping, read_mapping
from drifa.data.adapters.one_hot import one_hot_labels
from drifa.data.adapters.parquet import read_parquet
from drifa.data.adapters.pictures import INSIDE, columns_of_pictures, picture_cells, place_pictures, write_pictures
from drifa.data.reading.images import SUFFIXES, VOLUME_SUFFIXES
from drifa.data.study.checks import CALIBRATION, SPLIT_VALUES
from drifa.data.study.schema import TEXT_KEYS, Modality, Task
from drifa.data.study.study import COLUMNS, SPLITS, Study
from drifa.data.targets import target_type
from drifa.errors import DrifaError, plural, suggest
from drifa.names import find_file, ids_of, is_missing, is_no_group, plain
from drifa.text_tables import read_table

# Columns that no table can have, beside those of the user.
_ROW, _SUBJECT, _MODALITY, _PATH, _COLUMN = "\0row", "\0subject", "\0modality", "\0path", "\0column"


def prepare_table(mapping_file: Path, pictures: Path | None = None) -> Study:
    """Reads a mapping (see :mod:`drifa.data.adapters.mapping`) and the table that it names, or the Parquet files that make one
    together (see :func:`files_of`).

    The table is wide (one row per subject, one path column per modality) or long (one row per image, a path column and a
    column that names the modality). An empty path means that the subject lacks the modality; columns that the mapping does
    not name are kept. An image inside a Parquet table is written into a file; its root is then a folder above that and the
    table's own images.

    Args:
        mapping_file: The mapping.
        pictures: Folder for images that lie inside the table; None refuses them.

    Raises:
        DrifaError: The mapping or the table breaks a rule; names row, value and remedy.
    """
    mapping = read_mapping(mapping_file)
    source = (mapping_file.parent / mapping.table).resolve()
    root = (mapping_file.parent / mapping.root).resolve() if mapping.root else source.parent
    files = files_of(source)
    table, left_out = _read(files)
    place = source.name
    used = {column: key for key, column in mapping.columns().items()}
    asked = {column for column, key in used.items() if column in left_out and (key == "path" or key.startswith("modalities."))}
    holding = asked & columns_of_pictures(files) if asked and pictures is not None else set()
    for column in holding:
        if not mapping.extract_images:
            raise DrifaError(
                f"{mapping_file} maps {used[column]} to the column {column!r}, which in {place} holds the images themselves as "
                f"bytes; add 'extract_images: true' to have them written into the study's folder, or map a column of paths"
            )
        cells = picture_cells(files, column)
        for row in set(range(2, len(cells) + 2)).difference(table.index):
            if cells[row - 2]:
                raise DrifaError(f"row {row} of {place} has an image in {column!r} and nothing else; fill it, or remove it")
        table[column] = [cells[row - 2] for row in table.index]
        del left_out[column]
    for column, key in used.items():
        if column in left_out:
            raise DrifaError(
                f"{mapping_file} maps {key} to the column {column!r}, which in {place} holds {left_out[column]}; write them "
                f"out as files, one for each row, and map a column with their paths"
            )
        if column not in table.columns:
            raise DrifaError(f"{mapping_file} maps {key} to the column {column!r}, which {place} lacks{suggest(column, table)}")
    for name in mapping.tasks:
        if name in COLUMNS:
            raise DrifaError(f"task {name!r} of {mapping_file} has the name of a column that a study needs itself; rename it")
    for column in table.columns:
        if column not in used and column in (*COLUMNS, *mapping.tasks):
            remedy = f"map it, or rename the column in {place}"
            if column in mapping.tasks:
                remedy = f"rename the task {column!r} in {mapping_file.name}, or the column in {place}"
            raise DrifaError(
                f"{place} has a column {column!r} that {mapping_file.name} does not map, but a study needs that name itself; "
                f"{remedy}"
            )
    images = _images(table, mapping, place)
    if images.empty:
        raise DrifaError(f"{place} names no image: all its path cells are empty")
    _check_duplicates(images, place)
    images[_COLUMN] = images[_MODALITY].map({name: mapping.path or one.path for name, one in mapping.modalities.items()})
    inside = images[_PATH].where(images[_COLUMN].isin(holding) & images[_PATH].str.startswith(INSIDE), "")
    images[_PATH] = images[_PATH].where(inside == "", "")
    result = pd.DataFrame({"subject": images[_SUBJECT], "modality": images[_MODALITY]})
    result["path"] = _relative(images, _PATH, root, place)
    lacking = pd.Series(map(is_no_group if mapping.group else is_missing, images[mapping.group or _SUBJECT]), images.index)
    result["group"] = images[mapping.group or _SUBJECT].mask(lacking, "")
    published = _split(images, mapping.split, place) if mapping.split else pd.Series("", images.index)
    cut = _cut_groups(images[_SUBJECT].where(lacking, result["group"]), published)
    # Groups that the published split cuts are left for `drifa data split --protocol official` to clear.
    result["split"] = "" if cut else published
    tasks = {}
    for name, task in mapping.tasks.items():
        tasks[name], result[name] = _task(name, task, images, mapping, root, place)
    for column in table.columns:
        if column not in used:
            result[column] = images[column]
    if mapping.split and "official" not in result:
        result["official"] = published  # as other adapters keep what was published: `drifa data split` may replace it
    for column in ("path", *(name for name, task in tasks.items() if task.target.reads == "pixels")):
        result[column] = _found(result[column], images[_ROW], root, place)
    for name, task in mapping.tasks.items():
        if task.suffix:
            result[name] = masks_beside(name, task.suffix, tasks[name].modalities, result, root, place)
    counted = _counted(table, images, result, mapping, place)
    targets: dict[str, list[tuple[int, Path]]] = {}
    if pictures is not None and (inside != "").any():
        masks = [name for name, task in tasks.items() if task.target.reads == "pixels"]
        root, targets = place_pictures(result, masks, inside, images[_COLUMN], images[_ROW], root, pictures)
        lay = plural(
            int((inside != "").sum()), "image that lay inside the table is a file", "images that lay inside the table are files"
        )
        counted += f" {lay} in {pictures.name}."
    if mapping.split:
        counted += _told_of_split(images[_SUBJECT], published, cut)
    for column, what in left_out.items():
        counted += f" The column {column!r} holds {what}, and is left out."
    study = Study(
        name=mapping.name,
        root=root,
        table=result,
        modalities={name: Modality(name, modality.channels) for name, modality in mapping.modalities.items()},
        tasks=tasks,
        **{key: getattr(mapping, key) for key in TEXT_KEYS if key != "notes"},
        notes=f"{mapping.notes}\n{counted}".lstrip(),
        place=f"the study made from {place}",
    )
    for column, placed in targets.items():
        write_pictures(files, column, placed)
    return study


def _counted(table: pd.DataFrame, images: pd.DataFrame, result: pd.DataFrame, mapping: Mapping, place: str) -> str:
    """What was taken, what was skipped, and what was read in another way than it is written."""
    subjects = result["subject"].nunique()
    bare = len(set(ids_of(table[mapping.subject]))) - subjects
    told = [f"{plural(len(result), 'image')} of {plural(subjects, 'subject')}, from {place}. Skipped: {bare} without an image."]
    without = result.loc[(result["group"] == "").to_numpy(), "subject"].nunique()
    if without:
        told.append(
            f"{plural(without, 'subject')} without a group in the column {mapping.group!r}: each is a group of its own."
        )
    for column in dict.fromkeys((mapping.subject, mapping.group or mapping.subject)):
        spelling = dict(zip(table[column], ids_of(table[column]), strict=True))
        often = Counter(spelling.values())
        twice = [(text, one) for text, one in spelling.items() if often[one] > 1 and text != one]
        if twice:
            text, one = twice[0]
            count = len({one for _, one in twice})
            ids = plural(count, f"id of the column {column!r} is", f"ids of the column {column!r} are")
            told.append(f"{ids} written in two ways, such as {text!r} for {one!r}.")
    for name, task in mapping.tasks.items():
        pairs = zip(images[task.column], result[name], strict=True) if task.column else ()
        if any("," in old and new == plain(old).replace(",", ".") for old, new in pairs):
            told.append(f"Decimal commas of the column {task.column!r} are read as points.")
    return " ".join(told)


def files_of(source: Path) -> list[Path]:
    """The file that a mapping names as its table, or the Parquet files that make one together: those of a name with ``*``.

    Raises:
        DrifaError: There is none, or several that are not of Parquet.
    """
    if "*" not in source.name or source.is_file():
        check_file(source, "correct 'table' in the mapping")
        return [source]
    files = sorted(path for path in source.parent.glob(source.name) if path.is_file())
    if not files:
        raise DrifaError(f"no file {source.name} in {source.parent}; correct 'table' in the mapping")
    if len(files) > 1 and not all(_is_parquet(path) for path in files):
        raise DrifaError(f"{source.name} names {files[0].name}, {files[1].name}; only Parquet files are joined, so name one")
    return files


def _is_parquet(path: Path) -> bool:
    return path.suffix.lower() in (".parquet", ".pq")


def _read(files: Sequence[Path]) -> tuple[pd.DataFrame, dict[str, str]]:
    """The table, and what the columns hold that it leaves out."""
    return read_parquet(files) if _is_parquet(files[0]) else (read_table(files[0]), {})


def _images(table: pd.DataFrame, mapping: Mapping, place: str) -> pd.DataFrame:
    """One row per image with its subject, modality, path and row number beside
    the table's own columns; rows as a spreadsheet counts them."""
    table = table.assign(**{_ROW: table.index})
    for value, row in zip(table[mapping.subject], table[_ROW], strict=True):
        if is_missing(value):
            says = f" but {value!r}" if plain(value) else ""
            raise DrifaError(f"row {row} of {place} has nothing{says} in the subject column {mapping.subject!r}; fill it")
    for name in dict.fromkeys((mapping.subject, mapping.group or mapping.subject)):
        table[name] = ids_of(table[name])
    if mapping.path:
        table[mapping.modality] = ids_of(table[mapping.modality])
        values = {modality.value or name: name for name, modality in mapping.modalities.items()}
        for value, row in zip(table[mapping.modality], table[_ROW], strict=True):
            if value not in values:
                raise DrifaError(
                    f"modality {value!r} in row {row} of {place} is not declared{suggest(value, values)}; correct it, or add "
                    f"it to 'modalities'"
                )
        parts = [table.assign(**{_PATH: table[mapping.path], _MODALITY: table[mapping.modality].map(values)})]
    else:
        parts = [
            table.assign(**{_PATH: table[one.path], _MODALITY: pd.Series(name, table.index)})
            for name, one in mapping.modalities.items()
        ]
    images = pd.concat(parts, ignore_index=True)
    images[_SUBJECT] = images[mapping.subject]
    return images[~images[_PATH].map(is_missing)].reset_index(drop=True)


def _check_duplicates(images: pd.DataFrame, place: str) -> None:
    again = images[images.duplicated([_SUBJECT, _MODALITY])]
    if len(again):
        row = again.iloc[0]
        same = (images[_SUBJECT] == row[_SUBJECT]) & (images[_MODALITY] == row[_MODALITY])
        raise DrifaError(
            f"subject {row[_SUBJECT]!r} has a second image of modality {row[_MODALITY]!r} in row {row[_ROW]} of {place} (the "
            f"first is in row {images[same][_ROW].iloc[0]}); keep one, or make two subjects of one group"
        )


def _found(paths: pd.Series, rows: pd.Series, root: Path, place: str) -> list[str]:
    """Paths as the disk spells them; a name may lack its ending, as in the tables of ISIC."""
    found = []
    for row, path in zip(rows, paths, strict=True):
        remedy = f"row {row} of {place} names it: correct the cell or 'root', or leave the cell empty"
        if path:
            file = find_file(root / path, (*SUFFIXES, *VOLUME_SUFFIXES))
            check_file(file, remedy)
            path = PurePath(file).relative_to(root).as_posix()
        found.append(path)
    return found


def _relative(images: pd.DataFrame, column: str, root: Path, place: str) -> list[str]:
    """Paths below the root; absolute ones are allowed where they lead there."""
    paths = []
    for text, row in zip(images[column], images[_ROW], strict=True):
        text = "" if is_missing(text) else text.strip()
        # Tables written on Windows have backslashes; no medical archive has them in file names.
        path = os.path.normpath(os.path.join(root, text.replace("\\", "/"))) if text else ""
        if os.path.isabs(text) and not PurePath(path).is_relative_to(root):
            # The root is named without links; an absolute path may reach it through some. A linked file stays as it is named.
            path = os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
        if path and not PurePath(path).is_relative_to(root):
            raise DrifaError(
                f"path {text!r} in row {row} of {place} leads out of {root}; set 'root' in the mapping to a folder above all "
                f"images"
            )
        paths.append(PurePath(path).relative_to(root).as_posix() if path else "")
    return paths


def _split(images: pd.DataFrame, column: str, place: str) -> pd.Series:
    texts = images[column].map(plain)
    for value, row in zip(texts, images[_ROW], strict=True):
        if value not in ("", *SPLIT_VALUES):
            raise DrifaError(
                f"split {value!r} in row {row} of {place} is none of {', '.join(SPLIT_VALUES)}{suggest(value, SPLITS)}; "
                f"correct it, or leave 'split' out of the mapping and let `drifa data split` make one"
            )
    return texts


def _cut_groups(group: pd.Series, split: pd.Series) -> int:
    """Groups with images in two parts of a split that are used."""
    pairs = pd.DataFrame({"group": group, "split": split})[split.isin((*SPLITS, CALIBRATION))].drop_duplicates()
    return pairs.loc[pairs.duplicated("group"), "group"].nunique()


def _told_of_split(subject: pd.Series, split: pd.Series, cut: int) -> str:
    """What the published split holds, and what it lacks."""
    counts = split.groupby(subject).first().value_counts()
    told = " The table's own split: " + ", ".join(f"{counts.get(name, 0)} {name}" for name in SPLITS) + " subjects."
    lacking = [name for name in ("train", "test") if not counts.get(name, 0)]
    if counts.get("", 0):
        told += f" {plural(counts[''], 'subject has', 'subjects have')} none: fill the column, or use `drifa data split "
        told += "--protocol strict`."
    elif lacking:
        told += f" It has no {' and no '.join(lacking)}: use `drifa data split --protocol strict`."
    elif cut:
        told += (
            f" {plural(cut, 'group is', 'groups are')} in two parts of it, so that it is kept as 'official' alone: `drifa "
            f"data split --protocol "
            f"official` sets aside what training shares with the test set."
        )
    elif not counts.get("val", 0):
        told += " It has no val: `drifa data split --protocol official` cuts one from train."
    return told


def _task(
    name: str, task: TaskMapping, images: pd.DataFrame, mapping: Mapping, root: Path, place: str
) -> tuple[Task, Sequence[str]]:
    for one in task.modalities or ():
        if one not in mapping.modalities:
            raise DrifaError(
                f"task {name!r} of the mapping names the unknown modality {one!r}{suggest(one, mapping.modalities)}"
            )
    asked = tuple(task.modalities or mapping.modalities)
    spec = task.spec(f"task {name!r} of the mapping")
    kind = target_type(spec, f"task {name!r} of the mapping")
    if task.columns:
        texts: Sequence[str] = one_hot_labels(images, task.columns, images[_ROW].tolist(), place)
        # In the order of the columns; a class without a case is none.
        spec["classes"] = spec["classes"] or [column for column in task.columns if column in set(texts)]
    else:
        texts = images[task.column].tolist() if task.column else [""] * len(images)
    if kind.reads == "pixels" and task.column:
        texts = _relative(images, task.column, root, place)
    target, texts = kind.from_table(name, spec, texts, images[_ROW].tolist(), place)
    return Task(name, target, asked), texts
