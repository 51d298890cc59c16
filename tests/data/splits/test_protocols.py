"""Settings that make no split are refused before a study is read."""

from __future__ import annotations

from typing import Any

import pytest

from drifa.data.splits.protocols import PROTOCOLS, check_split_settings
from drifa.errors import DrifaError

#: Settings that every protocol can do with.
PLAIN: dict[str, Any] = {
    **{"protocol": "strict", "fractions": (0.8, 0.1, 0.1), "seed": 0},
    **{"sizes": None, "folds": None, "fold": None, "column": "", "calibration": 0.0},
}
#: What a protocol cannot do without.
NEEDED: dict[str, dict[str, Any]] = {"kfold": {"folds": 3, "fold": 2}, "column": {"column": "mine"}}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_protocol_takes_what_it_needs(protocol: str) -> None:
    check_split_settings(**{**PLAIN, "protocol": protocol, **NEEDED.get(protocol, {})})
    if protocol in ("strict", "paper"):
        check_split_settings(**{**PLAIN, "protocol": protocol, "sizes": (2, 0, 1)})


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"folds": 5}, "folds = 5 does not go with the protocol strict; leave it out, or use the protocol kfold"),
        ({"column": "x"}, "column = 'x' does not go with the protocol strict"),
        ({"protocol": "official", "sizes": (1, 1, 1)}, "use the protocol strict or paper"),
        ({"protocol": "kfold"}, "needs folds and fold"),
        ({"protocol": "kfold", "folds": 2, "fold": 0}, "folds = 2 leaves nothing to train on"),
        ({"protocol": "kfold", "folds": 5, "fold": 5}, "fold 5 does not exist; the 5 folds are numbered from 0 to 4"),
        ({"protocol": "column"}, "needs the name of a column"),
        ({"sizes": (1, 2)}, "cannot split a study"),
        ({"sizes": (0, 2, 1)}, "give the subjects of train, val and test"),
        ({"protocol": "strikt"}, r"unknown split protocol 'strikt' \(did you mean 'strict'\?\)"),
        ({"seed": -1}, "seed -1"),
        ({"calibration": 1.0}, "calibration = 1 is no share of training"),
        ({"protocol": "given", "calibration": 0.1}, "calibration = 0.1 does not go with the protocol given"),
        ({"fractions": (float("nan"), 0.5, 0.5)}, "cannot split a study"),
    ],
)
def test_settings_that_do_not_fit_are_named(settings: dict[str, Any], word: str) -> None:
    with pytest.raises(DrifaError, match=word):
        check_split_settings(**{**PLAIN, **settings})
