"""Split receipts: what a split did, in numbers that can be checked, and the file that repeats it.

`split.csv` (subject, group, split) repeats the split; `split_receipt.json` proves what it is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from drifa.data.study.checks import CALIBRATION, OFFICIAL_COLUMN, SPLIT_VALUES, UNUSED
from drifa.data.study.schema import SPLIT_PROTOCOLS
from drifa.data.study.study import SPLITS, Study
from drifa.data.study.subjects import Subjects, subject_codes
from drifa.errors import DrifaError, plural, suggest
from drifa.files import read_json, write_json, write_text
from drifa.names import ids_of, plain
from drifa.text_tables import read_table, table_text
from drifa.version import __version__

RECEIPT_VERSION = 2
#: Format 1 knew fewer protocols and nothing set aside; all that it says still holds.
READABLE = (1, 2)
SPLIT_FILE, RECEIPT_FILE = "split.csv", "split_receipt.json"
#: How a split was asked for; None where its protocol does not take the setting.
SETTINGS = ("seed", "fractions", "sizes", "folds", "fold", "column")


def make_receipt(study: Study, protocol: str, settings: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Counts what a split did.

    Args:
        study: A study whose split column is complete.
        protocol: How the split was made.
        settings: Those of ``seed``, ``fractions``, ``sizes``, ``folds``, ``fold``, ``column`` and ``calibration`` that made it.

    Returns:
        Plain JSON values: ``drifa_split`` (format), ``drifa_version``, ``study``, ``protocol`` and its settings (None where it
        takes none; ``calibration`` only where it cut something off); ``group_meaning`` as the study tells it; ``note``, a
        sentence where wanted sizes were not met or the published split had no val, else empty; ``subjects`` and ``groups`` per
        split; ``unused``, the subjects set aside; ``groups_in_two_splits`` (0 proves disjointness);
        ``subjects_sharing_a_group_with_train`` for the others; ``counts`` as split -> task -> class -> {subjects, groups}, with
        ``mask`` or ``number`` for the class of a task that has none; ``classes_missing`` as "class of task in split";
        ``sha256`` over the sorted lines ``subject,split``.
    """
    subjects = study.subjects()
    group = pd.factorize(subjects.group)[0]
    sides = (*SPLITS, CALIBRATION) if (subjects.split == CALIBRATION).any() else SPLITS
    member = {name: subjects.split == name for name in sides}
    touched = {name: np.isin(np.arange(group.max() + 1), group[member[name]]) for name in sides}
    note = _val_note(study, protocol)
    counts: dict[str, Any] = {name: {} for name in sides}
    for column, task in enumerate(study.tasks.values()):
        holds = task.target.counted(subjects.targets[task.name], subjects.known[:, column])
        for name in sides:
            chosen = {label: member[name] & has for label, has in holds.items()}
            counts[name][task.name] = {
                label: {"subjects": int(here.sum()), "groups": len(np.unique(group[here]))} for label, here in chosen.items()
            }
    told = {key: (settings or {}).get(key) for key in SETTINGS}
    if settings and "calibration" in settings:
        told["calibration"] = settings["calibration"]
    found = {name: int(member[name].sum()) for name in sides}
    cut_off = found.get(CALIBRATION, 0)
    return {
        "drifa_split": RECEIPT_VERSION,
        "drifa_version": __version__,
        "study": study.name,
        "protocol": protocol,
        **told,
        "group_meaning": study.group_meaning,
        "note": _size_note(told["sizes"], [found["train"] + cut_off, found["val"], found["test"]]) or note,
        "subjects": found,
        "groups": {name: int(touched[name].sum()) for name in SPLITS},
        "unused": int((subjects.split == UNUSED).sum()),
        "groups_in_two_splits": int((np.sum(list(touched.values()), axis=0) > 1).sum()),
        "subjects_sharing_a_group_with_train": {
            name: int((member[name] & touched["train"][group]).sum()) for name in sides[1:]
        },
        "counts": counts,
        "classes_missing": [
            f"{label} of {task} in {name}"
            for name in sides
            if member[name].any()
            for task, labels in counts[name].items()
            for label, count in labels.items()
            if not count["subjects"]
        ],
        "sha256": _digest(subjects.ids, subjects.split),
    }


def _size_note(wanted: Sequence[int] | None, found: Sequence[int]) -> str:
    if wanted is None or list(wanted) == list(found):
        return ""
    return f"wanted {', '.join(map(str, wanted))} subjects; whole groups allowed {', '.join(map(str, found))}"


def _val_note(study: Study, protocol: str) -> str:
    published = set(study.table[OFFICIAL_COLUMN]) if protocol == "official" else {"val"}
    return "" if "val" in published else "the published split has no val; this one was cut from its train"


def verify_split(study: Study) -> None:
    """Checks that every subject has a split and, unless the study says ``split_protocol: paper``, that no group is cut.

    Raises:
        DrifaError: The split column has gaps, or a group is in two splits.
    """
    subjects = study.subjects()
    empty = np.flatnonzero(subjects.split == "")
    if len(empty):
        raise DrifaError(
            f"{len(empty)} of {len(subjects)} subjects of study {study.name!r} have no split, such as "
            f"{str(subjects.ids[empty[0]])!r}; fill the column, or split the study with `drifa data split`"
        )
    if study.split_protocol != "paper":
        _refuse_cut_groups(subjects, subjects.split, f"study {study.name!r}")


def write_receipt(study: Study, receipt: dict[str, Any], folder: str | Path) -> Path:
    """Writes `split.csv` and `split_receipt.json` into a folder, the receipt last, and returns the folder."""
    folder = Path(folder)
    subjects = study.subjects()
    table = pd.DataFrame({"subject": subjects.ids, "group": subjects.group, "split": subjects.split})
    write_text(folder / SPLIT_FILE, table_text(table))
    write_json(folder / RECEIPT_FILE, receipt)
    return folder


def read_split(folder: str | Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Reads what :func:`write_receipt` wrote.

    Args:
        folder: The folder, or the path of the `split.csv` in it.

    Returns:
        ``(table, receipt)``; the table has the text columns subject, group, split.

    Raises:
        DrifaError: A file is missing or broken, or the table is not the one that the receipt was written for.
    """
    folder = Path(folder)
    table_path = folder / SPLIT_FILE if folder.is_dir() else folder
    receipt_path = table_path.with_name(RECEIPT_FILE)
    for path in (table_path, receipt_path):
        if not path.is_file():
            raise DrifaError(f"{path} is missing; `drifa data split` writes {SPLIT_FILE} and {RECEIPT_FILE} together")
    table = read_table(table_path).reset_index(drop=True)
    receipt = read_json(receipt_path, "split the study again")
    if receipt is None or receipt.get("drifa_split") not in READABLE:
        raise DrifaError(f"{receipt_path} is not a split receipt of format {RECEIPT_VERSION} or older; split the study again")
    for name in ("subject", "group", "split"):
        if name not in table.columns:
            raise DrifaError(f"{table_path} has no column {name!r}{suggest(name, table.columns)}; split the study again")
    if _digest(table["subject"].to_numpy(), table["split"].to_numpy()) != receipt.get("sha256"):
        raise DrifaError(
            f"{table_path} was changed after {RECEIPT_FILE} was written (its sha256 differs); restore it, or split again"
        )
    # What an older version wrote may be spelled in other ways than a study spells it now.
    spelled = {name: ids_of(table[name]) for name in ("subject", "group")} | {"split": [plain(text) for text in table["split"]]}
    return table.assign(**spelled), receipt


def fits_split(study: Study, folder: str | Path) -> bool:
    """Whether a study has the subjects that a saved split was made for, by the sha256 of its receipt.

    Raises:
        DrifaError: As in :func:`read_split`.
    """
    table, receipt = read_split(folder)
    split_of = dict(zip(table["subject"], table["split"], strict=True))
    ids = study.subjects().ids
    return _digest(ids, np.array([split_of.get(name, "") for name in ids.tolist()])) == receipt["sha256"]


def apply_split(study: Study, split_csv: str | Path) -> Study:
    """Repeats a saved split on a study with the same subjects.

    Groups are those that the study holds now: knowledge gained since the split (a duplicate found) is not ignored.

    Args:
        study: Its split column is replaced.
        split_csv: The `split.csv`, or its folder; the receipt lies beside it.

    Raises:
        DrifaError: A subject is missing from the file or unknown to the study, an unknown split value, or, unless the file was
            made by the protocol ``paper``, a group in two splits.
    """
    table, receipt = read_split(split_csv)
    subjects = study.subjects()
    wrong = ~table["split"].isin(SPLIT_VALUES)
    if wrong.any():
        row = int(np.argmax(wrong.to_numpy()))
        value = table["split"].iloc[row]
        raise DrifaError(f"unknown split {value!r} in row {row + 2} of {SPLIT_FILE}{suggest(value, SPLIT_VALUES)}")
    position = pd.Index(table["subject"]).get_indexer_for(subjects.ids) if table["subject"].is_unique else None
    if position is None:
        twice = table["subject"][table["subject"].duplicated()].iloc[0]
        raise DrifaError(f"subject {twice!r} is listed twice in {SPLIT_FILE}; split the study again")
    remedy = "apply it to the study that it was made for, or split this one again"
    missing, unknown = subjects.ids[position < 0], set(table["subject"]) - set(subjects.ids.tolist())
    if len(missing):
        raise DrifaError(
            f"{plural(len(missing), 'subject is', 'subjects are')} not in {SPLIT_FILE}, such as {str(missing[0])!r}; {remedy}"
        )
    if unknown:
        raise DrifaError(
            f"{plural(len(unknown), 'subject')} of {SPLIT_FILE} not in the study, such as {min(unknown)!r}; {remedy}"
        )
    side = table["split"].to_numpy(dtype=object)[position]
    protocol = receipt.get("protocol")
    # A given split says nothing about cuts by itself: the counts in its receipt do.
    cut = protocol == "paper" or (protocol == "given" and receipt.get("groups_in_two_splits", 0) > 0)
    if not cut:
        _refuse_cut_groups(subjects, side, str(split_csv))
    rows = study.table.copy()
    rows["split"] = side[subject_codes(rows)[0]]
    return replace(study, table=rows, split_protocol="paper" if cut else protocol if protocol in SPLIT_PROTOCOLS else "")


def _refuse_cut_groups(subjects: Subjects, side: np.ndarray, place: str) -> None:
    used = side != UNUSED
    pairs = pd.DataFrame({"group": subjects.group[used], "side": side[used]}).drop_duplicates()
    cut = np.unique(pairs["group"][pairs["group"].duplicated()])
    if len(cut):
        raise DrifaError(
            f"{plural(len(cut), 'group is', 'groups are')} in two splits of {place}, such as {str(cut[0])!r}: test results "
            f"would be optimistic; "
            f"split again with the protocol strict, or choose paper knowingly"
        )


def _digest(ids: np.ndarray, side: np.ndarray) -> str:
    lines = sorted(f"{subject},{name}" for subject, name in zip(ids.tolist(), side.tolist(), strict=True))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
