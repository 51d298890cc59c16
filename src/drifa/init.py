"""drifa init: looks into a folder, and writes a mapping and a configuration to correct and begin with."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from drifa.data.adapters.folders import prepare_folders
from drifa.data.adapters.found import Found, find_images
from drifa.data.adapters.guess import Columns, guess_columns
from drifa.data.adapters.mapping import read_mapping
from drifa.data.adapters.parquet import read_parquet
from drifa.data.adapters.pictures import columns_of_pictures
from drifa.data.adapters.table import files_of, prepare_table
from drifa.data.reading.images import SUFFIXES, VOLUME_SUFFIXES, read_image
from drifa.data.study.study import COLUMNS, Study
from drifa.errors import DrifaError
from drifa.files import write_text
from drifa.names import find_file, is_missing, plain
from drifa.text_tables import read_table, table_text

#: What the paths of a known dataset look like; each of its expressions is found in one.
KNOWN = {
    "ham10000": (r"(^|/)HAM10000_(metadata|images)", r"ISIC_\d{7}"),
    "sipakmed": (r"im_(Dyskeratotic|Koilocytotic)", r"im_(Metaplastic|Parabasal|Superficial)"),
    "nickparvar": (r"Training/(glioma|notumor)/", r"Testing/(glioma|notumor)/"),
    "iqothnccd": (r"Bengin cases/", r"Malignant cases/"),
    "brats": (r"BraTS", r"[_-](flair|t2f)\.nii"),
}
#: Tables are looked for in the folder and in those inside it; more than this many are none for people.
MOST_TABLES = 20
_TABLES = (".csv", ".tsv", ".parquet", ".pq")
_PATH_WORDS = re.compile(r"(?i)(^|[_\s-]+)(path|file|filename|image_id|image)s?$")
_PATIENT = r"(?i)((?:patient|pat|subject|subj|sub|p)[-_ ]?\d+)"


@dataclass(frozen=True)
class Start:
    """What was guessed, and written.

    Attributes:
        files: Those written.
        guessed: Sentences on what was taken for what, and from what.
        check: Sentences on what to look at.
        commands: What comes next, one a line.
    """

    files: tuple[Path, ...]
    guessed: tuple[str, ...]
    check: tuple[str, ...]
    commands: tuple[str, ...]


def init(folder: str | Path, out: str | Path = ".") -> Start:
    """Guesses how a folder holds its data, and writes what `drifa data prepare table` and `drifa train` read.

    Args:
        folder: The data; it is only read.
        out: Where `NAME.mapping.yaml`, `NAME.yaml` and, where the folder has no table, `NAME.csv` go. None is written over.

    Raises:
        DrifaError: There is no folder, nothing in it is recognised, or a file of these names is there.
    """
    given, out = Path(folder), Path(out)
    folder = given.resolve()
    if not folder.is_dir():
        raise DrifaError(f"no folder at {given}; give the one that holds your images")
    name = re.sub(r"[^\w-]+", "_", folder.name).strip("_") or "study"
    mapping, config, table = (out / f"{name}{end}" for end in (".mapping.yaml", ".yaml", ".csv"))
    _refuse_written(mapping, config)
    listing = find_images(folder, (*SUFFIXES, *VOLUME_SUFFIXES))
    after = (f"drifa data audit studies/{name}", f"drifa train {config} --out runs/{name}")
    known = next((key for key, signs in KNOWN.items() if all(_any(sign, listing) for sign in signs)), "")
    if known:
        write_text(config, _config(name, [], segments=known == "brats"))
        told = f"the names of its files are those of the dataset {known}, which has a reader of its own"
        return Start((config,), (told,), (), (f"drifa data prepare {known} {given} --out studies/{name}", *after))
    tabled = _from_table(name, folder, listing)
    if not (listing.files or tabled):
        raise DrifaError(f"no image below {given}; give the folder that holds your images{listing.told(after='.')}")
    found = tabled or _from_folders(name, folder, table)
    columns, text, guessed, check, extra = found
    _refuse_written(*extra)
    write_text(mapping, text)
    files = [*extra, mapping, config]
    for path, content in extra.items():
        write_text(path, content)
    write_text(config, _config(name, columns))
    try:
        if not read_mapping(mapping).extract_images:  # which would copy them all
            study = prepare_table(mapping)
            guessed.append(study.notes.splitlines()[-1])
    except DrifaError as error:
        check.insert(0, f"as it stands, prepare refuses the mapping: {error}")
    return Start(
        tuple(files), tuple(guessed), tuple(check), (f"drifa data prepare table {mapping} --out studies/{name}", *after)
    )


def _refuse_written(*paths: Path) -> None:
    for path in paths:
        if path.exists():
            raise DrifaError(f"{path} is there already, and is not written over; move it away, or choose another --out")


def _any(expression: str, listing: Found) -> bool:
    pattern = re.compile(expression)
    return any(pattern.search(path) for path in listing.files)


#: Columns for a tabular modality, the mapping, what was guessed, what to check, and files that must lie beside the mapping.
_Guess = tuple[Sequence[str], str, list[str], list[str], dict[Path, str]]


def _from_table(name: str, folder: Path, listing: Found) -> _Guess | None:
    """From the table that names the most images."""
    paths = [path for pattern in ("*", "*/*") for path in sorted(folder.glob(pattern)) if path.suffix.lower() in _TABLES]
    best: tuple[Path, pd.DataFrame, Columns] | None = None
    inside: set[str] = set()
    alike: dict[frozenset[str], list[str]] = {}  # Parquet files by their columns
    for path in list(dict.fromkeys(map(_whole, paths)))[:MOST_TABLES]:
        try:
            if path.suffix.lower() in (".parquet", ".pq"):
                files = files_of(path)
                table = read_parquet(files)[0]
                held = columns_of_pictures(files).difference(table)  # those of paths alone are read
                table[[*held]] = ""
                alike.setdefault(frozenset(map(str, table)), []).append(path.name)
            else:
                table, held = read_table(path), set()
        except DrifaError:
            continue  # a table of something else
        columns = guess_columns(table, path, folder, listing.files, held)
        if columns and (best is None or len(table) * len(columns.paths) > len(best[1]) * len(best[2].paths)):
            best, inside = (path, table, columns), held
    if best is None:
        return None
    path, table, columns = best
    does = "holds images itself" if inside else f"names images below {columns.root}"
    guessed = [f"{path.name} {does}, in {_listed(columns.paths)}: a table"]
    guessed.append(f"subject is {columns.subject!r}, whose ids name a case")
    kinds = (
        {} if not columns.kind else {_slug(kind): kind for kind in dict.fromkeys(table[columns.kind]) if not is_missing(kind)}
    )
    first = {}
    if columns.kind:
        guessed.append(f"{columns.kind!r} names the modality of a row: {_listed(list(kinds.values()))}")
        for one, value in kinds.items():
            first[one] = next(table.loc[table[columns.kind] == value, columns.paths[0]].items())[1]
    else:
        kinds = {_slug(_PATH_WORDS.sub("", one)) or "image": one for one in columns.paths}
        kinds = kinds if len(kinds) == len(columns.paths) else {_slug(one): one for one in columns.paths}
        for one, column in kinds.items():
            first[one] = next((text for text in table[column] if not is_missing(text)), "")
    check = [
        f"{other} has the same columns, and is left out: a 'table' such as *.parquet joins the files that it names"
        for other in alike.get(frozenset(map(str, table)), ())
        if other != path.name
    ]
    lines = _head(name, path, columns.root)
    if inside:
        lines += ["extract_images: true  # `drifa data prepare` writes the images inside the table into the study's folder"]
        check.append("images inside the table are taken for photos in colour: grey ones have 'channels: 1'")
    lines += [f"subject: {_quoted(columns.subject)}"]
    if columns.group:
        lines += [f"group: {_quoted(columns.group)}  # what a split must not cut: the patient"]
        guessed.append(f"group is {columns.group!r}, by its name")
    else:
        lines += ["# group: COLUMN  # what a split must not cut: the patient"]
        check.append("no column looks like a patient: if one has several cases, name it as 'group', or they leak into the test")
    if columns.split:
        # A study needs the name itself: a column that is called so cannot stay unmapped.
        mark = "" if columns.split == "split" else "# "
        lines += [f"{mark}split: {_quoted(columns.split)}  # a ready split; without it `drifa data split` makes one"]
        check.append(f"the column {columns.split!r} holds a split; whether it keeps patients whole, `drifa data audit` says")
    if columns.kind:
        lines += [f"path: {_quoted(columns.paths[0])}", f"modality: {_quoted(columns.kind)}"]
    lines += ["modalities:"]
    key = "value" if columns.kind else "path"
    for one, value in kinds.items():
        channels = 3 if inside else _channels(columns.root, first[one])
        lines += [f"  {one}: {{{key}: {_quoted(value)}, channels: {channels}}}"]
    lines += ["tasks:"]
    for column, values in columns.labels.items():
        lines += _task(column, values, table)
        guessed.append(f"the task {_slug(column)!r} is told by {column!r}: {_listed(values)}")
    if not columns.labels:
        lines += ["  label: {column: COLUMN}"]
        check.append("no column looks like a label; name one in 'tasks'")
    for column, values in columns.further.items():
        lines += ["  # another column with few values:", *(f"  # {line[2:]}" for line in _task(column, values, table))]
    check.append("an input that already tells the answer (a date, a device, a column of the report) belongs into no modality")
    return columns.values, "\n".join([*lines, ""]), guessed, check, {}


def _whole(path: Path) -> Path:
    """What names all parts of a table that lies in several files, ``train-00000-of-00003.parquet``; other paths as they are."""
    name = re.sub(r"-\d+-of-(\d+)(\.(?:parquet|pq))$", r"-*-of-\1\2", path.name)
    return path if name == path.name or path.name.endswith(("-of-1.parquet", "-of-00001.parquet")) else path.with_name(name)


def _from_folders(name: str, folder: Path, table: Path) -> _Guess:
    """From folders by class, written as a table."""
    study, group = prepare_folders(folder), ""
    try:
        grouped = prepare_folders(folder, group=_PATIENT)
        counts = (grouped.table["group"].nunique(), grouped.table["subject"].nunique())
        if 2 < counts[0] < counts[1]:
            study, group = grouped, "patient"
    except DrifaError:
        pass  # not every name has a patient in it
    guessed = [f"folders by class: {_listed(study.tasks['label'].classes)}; modalities: {_listed(list(study.modalities))}"]
    check = ["the classes are the folders' names; correct them, or drop those that are none"]
    lines = [*_head(name, table, folder), "subject: case"]
    if group:
        lines += ["group: patient  # what a split must not cut"]
        example = study.table["group"].iloc[0]
        guessed.append(f"group is what file names hold of a patient, such as {example!r}")
        check.append("whether these are patients")
    else:
        lines += ["# group: COLUMN  # what a split must not cut: add a column with the patient to the table"]
        check.append("file names tell no patient: if one has several images, add a column and name it as 'group'")
    lines += ["modalities:"]
    for one in study.modalities:
        first = study.table.loc[study.table["modality"] == one, "path"].iloc[0]
        lines += [f"  {one}: {{path: {_quoted(f'{one}_file')}, channels: {_channels(folder, first)}}}"]
    rows = _wide(study, bool(group))
    lines += ["tasks:", *_task("label", [value for value, _ in Counter(rows["label"]).most_common()], rows)]
    if "official" in rows:
        check.append("the folders' own split is the column 'official'; `drifa data split --protocol official` uses it")
    return [], "\n".join([*lines, ""]), guessed, check, {table: table_text(rows)}


def _wide(study: Study, grouped: bool) -> pd.DataFrame:
    """One row per subject."""
    first = study.table.drop_duplicates("subject").set_index("subject")
    wide = pd.DataFrame({"case": first.index}, index=first.index)
    if grouped:
        wide["patient"] = first["group"]
    for one in study.modalities:
        own = study.table[study.table["modality"] == one].set_index("subject")["path"]
        wide[f"{one}_file"] = own.reindex(first.index).fillna("")
    for column in ("label", "official"):
        if column in first:
            wide[column] = first[column]
    return wide.reset_index(drop=True)


def _head(name: str, table: Path, root: Path) -> list[str]:
    return [
        "# What the columns of a table mean, guessed by `drifa init`: correct it, then `drifa data prepare table` reads it.",
        "# Every key is described in the page 'Your own data' of the documentation.",
        f"table: {_quoted(str(table.resolve()))}",
        f"root: {_quoted(str(root))}  # what the paths in the table count from",
        f"name: {_quoted(name)}",
    ]


def _task(column: str, values: Sequence[str], table: pd.DataFrame) -> list[str]:
    """The declaration of a task of classes, with how often each comes."""
    counts = Counter(map(plain, table[column]))
    lines = [f"  {_slug(column)}:", f"    column: {_quoted(column)}", "    classes:"]
    for value in sorted(values):
        lines += [f"      {_quoted(value)}: {_quoted(value)}  # {counts[value]} rows"]
    for value in sorted(value for value in counts if plain(value) and is_missing(value) and value not in values):
        lines += [f'      {_quoted(value)}: ""  # {counts[value]} rows: no label']
    return lines


def _config(name: str, values: Sequence[str], segments: bool = False) -> str:
    lines = ["# Settings of a training; `drifa train` takes any of them as KEY=VALUE too.", "data:", f"  study: studies/{name}"]
    lines += ["  image_size: 128  # side of the images, pixels"]
    if values:
        listed = ", ".join(map(_quoted, values))
        lines += [
            "  # columns that are known before the answer is, as one more modality:",
            f"  # tabular: {{table: [{listed}]}}",
        ]
    if not segments:
        lines += [
            "train:",
            "  recipe: standard  # or paper, with 200 epochs",
            "  members: 1  # 5 networks answer better, and cost five",
        ]
    return "\n".join([*lines, ""])


def _channels(root: Path, path: str) -> int:
    """1 where an image is grey, as far as it can be read."""
    file = Path(find_file(root / path.replace("\\", "/"), (*SUFFIXES, *VOLUME_SUFFIXES)))
    if file.name.lower().endswith(VOLUME_SUFFIXES):
        return 1
    try:
        pixels = read_image(file, 3)
    except DrifaError:
        return 3
    return 1 if (pixels == pixels[:, :, :1]).all() else 3


def _slug(text: str) -> str:
    name = re.sub(r"[^\w-]+", "_", text, flags=re.ASCII).strip("_-")
    return f"{name}_label" if name in COLUMNS else name


def _quoted(text: str) -> str:
    """As YAML reads it back, whatever signs it has."""
    return (
        text if re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", text) and not is_missing(text) else json.dumps(text, ensure_ascii=False)
    )


def _listed(names: Iterable[str]) -> str:
    names = list(names)
    return ", ".join(map(repr, names[:8])) + (", …" if len(names) > 8 else "")
