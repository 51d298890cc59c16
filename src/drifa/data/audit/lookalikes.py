"""Findings on ids that look alike and were kept apart: a split takes them for different patients."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from drifa.data.audit.findings import Finding, finding
from drifa.data.study.study import Study
from drifa.errors import plural
from drifa.names import look


def lookalike_findings(study: Study) -> Iterator[Finding]:
    """Groups such as ``007`` and ``7``, and subjects such as ``Pat-1`` and ``pat-1`` that share no modality."""
    subjects = study.subjects()
    groups = _alike(np.unique(subjects.group).tolist())
    if groups:
        yield _finding(study, "group", groups, "may be one patient, whom a split would cut")
    # Two subjects with images of one modality are two; where each has what the other lacks, they may be one that was cut.
    present = dict(zip(subjects.ids.tolist(), subjects.present, strict=True))
    own = [ids for ids in _alike(list(present)) if (np.sum([present[one] for one in ids], axis=0) <= 1).all()]
    if own:
        yield _finding(study, "subject", own, "have no modality in common and may be one, whose images are not paired")


def _alike(names: list[str]) -> list[list[str]]:
    """The names of every look that several have."""
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(look(name), []).append(name)
    return [alike for alike in found.values() if len(alike) > 1]


def _finding(study: Study, column: str, alike: list[list[str]], meaning: str) -> Finding:
    listed = ", ".join(" and ".join(map(repr, names)) for names in alike[:3]) + (", …" if len(alike) > 3 else "")
    sets = plural(len(alike), f"set of {column}s looks alike and was", f"sets of {column}s look alike and were")
    text = f"{sets} kept apart ({listed}); they {meaning}"
    rows = study.table[column].isin([name for names in alike for name in names]) & (study.table["path"] != "")
    remedy = "if they are one, write them alike where the study was made from, and prepare it again"
    paths = [str(path) for path in study.table.loc[rows, "path"]]
    return finding("warning", "lookalike_ids", text, remedy, paths, {"column": column, "sets": alike})
