"""Findings on the split that a study's folder keeps: whether it is the table's, and what the other folds would lack."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from drifa.data.audit.duplicates import crossing_clusters
from drifa.data.audit.findings import Finding, finding
from drifa.data.splits.receipts import RECEIPT_FILE, SPLIT_FILE, read_split
from drifa.data.splits.split import split
from drifa.data.study.study import Study
from drifa.errors import DrifaError, plural


def receipt_findings(study: Study, folder: Path, clusters: Sequence[Sequence[int]]) -> Iterator[Finding]:
    """What the receipt of a split tells beside the table; nothing without a receipt or a split.

    Args:
        study: The audited study.
        folder: Its folder.
        clusters: Rows that show the same picture.
    """
    if not (folder / RECEIPT_FILE).is_file() or (study.table["split"] == "").all():
        return
    try:
        table, receipt = read_split(folder)
    except DrifaError as error:
        yield finding("warning", "split_receipt", str(error))
        return
    subjects = study.subjects()
    sides = dict(zip(table["subject"], table["split"], strict=True))
    pairs = zip(subjects.ids.tolist(), subjects.split.tolist(), strict=True)
    moved = [name for name, side in pairs if sides.get(name, "") != side]
    moved += sorted(sides.keys() - set(subjects.ids.tolist()))
    if moved:
        text = f"{plural(len(moved), f'subject, {moved[0]!r}, is', f'subjects, such as {moved[0]!r}, are')} in another "
        text += f"split in the table than in {SPLIT_FILE} beside it"
        remedy = "split again with `drifa data split STUDY`, so that the receipt is of the split that is trained on"
        yield finding("warning", "split_receipt", text, remedy, data={"subjects": len(moved)})
    elif receipt.get("protocol") == "kfold":
        yield from _other_folds(study, receipt, clusters)


def _other_folds(study: Study, receipt: dict[str, Any], clusters: Sequence[Sequence[int]]) -> Iterator[Finding]:
    """The fold that the table holds is judged by every other rule."""
    for fold in range(int(receipt["folds"])):
        if fold == receipt["fold"]:
            continue
        settings = {"folds": receipt["folds"], "fold": fold}
        try:
            done, told = split(study, "kfold", seed=receipt["seed"], **settings)
        except DrifaError as error:
            yield finding("warning", "fold", f"fold {fold} cannot be made: {error}", data={"fold": fold})
            continue
        cut = crossing_clusters(done, [list(members) for members in clusters], "split")
        if cut:
            text = f"fold {fold} would put {plural(len(cut), 'picture')} into two splits"
            yield finding("error", "fold", text, "join their groups with `--fix groups`, then split again", data=settings)
        if told["classes_missing"]:
            text = f"fold {fold} would have no subject for {', '.join(told['classes_missing'])}"
            remedy = "use fewer folds, or collect more groups of these classes"
            yield finding("warning", "fold", text, remedy, data={**settings, "classes": told["classes_missing"]})
