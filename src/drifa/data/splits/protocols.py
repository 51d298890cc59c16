"""How a study can be split, and which settings each way takes: one list for the configuration, the command line and `split`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from drifa.errors import DrifaError, suggest

#: What `split` can do, with one line for `--help` and for error messages.
PROTOCOLS = {
    "strict": "whole groups, stratified by modality pattern and labels",
    "paper": "subjects at random, as published; cuts groups, so its scores are optimistic",
    "official": "the published test set of the column 'official', cleared of groups that training shares with it",
    "kfold": "whole groups, stratified, in k folds: every subject is tested once over the k runs",
    "column": "a column of your own with train, val and test, verified",
    "given": "the split column as it stands, verified",
}
#: What can be done about a class of which there is too little.
SMALL = "join it with another class (classes: {rare: [a, b]} in the mapping of a table), or leave the task out"
#: Settings that belong to some protocols only.
_TAKES = {
    "sizes": ("strict", "paper"),
    "folds": ("kfold",),
    "fold": ("kfold",),
    "column": ("column",),
    "calibration": ("strict", "kfold", "official", "paper"),
}


def check_split_settings(
    protocol: str,
    fractions: Sequence[float],
    seed: int,
    sizes: Sequence[int] | None,
    folds: int | None,
    fold: int | None,
    column: str,
    calibration: float = 0.0,
) -> None:
    """Refuses settings that do not make a split, before any study is read; see :func:`drifa.data.splits.split.split`.

    Raises:
        DrifaError: An unknown protocol, a setting that another protocol takes, a missing one, or an impossible value.
    """
    if protocol not in PROTOCOLS:
        raise DrifaError(f"unknown split protocol {protocol!r}{suggest(protocol, PROTOCOLS)}")
    given: dict[str, Any] = {"sizes": sizes, "folds": folds, "fold": fold, "column": column or None}
    given["calibration"] = calibration or None
    for name, protocols in _TAKES.items():
        if given[name] is not None and protocol not in protocols:
            raise DrifaError(
                f"{name} = {given[name]!r} does not go with the protocol {protocol}; leave it out, or use the protocol "
                f"{' or '.join(protocols)}"
            )
    if len(fractions) != 3 or min(fractions) < 0 or not abs(sum(fractions) - 1) <= 1e-6 or fractions[0] == 0:
        raise DrifaError(
            f"fractions {tuple(fractions)} cannot split a study; give train, val and test that sum to 1: 0.8 0.1 0.1"
        )
    if not 0 <= calibration < 1:
        raise DrifaError(f"calibration = {calibration:g} is no share of training; 0.1 is usual, and 0 cuts nothing off")
    if seed < 0:
        raise DrifaError(f"a split cannot be drawn with the seed {seed}; use 0 or more")
    if sizes is not None and (len(sizes) != 3 or min(sizes) < 0 or sizes[0] == 0):
        raise DrifaError(f"sizes {tuple(sizes)} cannot split a study; give the subjects of train, val and test: 201 35 133")
    if protocol == "kfold":
        if folds is None or fold is None:
            raise DrifaError("the protocol kfold needs folds and fold; give 5 and 0, then 5 and 1, up to 5 and 4")
        if folds < 3:
            raise DrifaError(f"folds = {folds} leaves nothing to train on beside a test and a validation fold; use 3 or more")
        if not 0 <= fold < folds:
            raise DrifaError(f"fold {fold} does not exist; the {folds} folds are numbered from 0 to {folds - 1}")
    if protocol == "column" and not column:
        raise DrifaError("the protocol column needs the name of a column of the study's table that holds train, val and test")
