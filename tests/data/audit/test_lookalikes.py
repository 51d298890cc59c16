"""Ids that look alike and were kept apart are reported; ids that are merely near are not."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from drifa.data.audit.lookalikes import lookalike_findings
from drifa.data.study.study import Study


def _renamed(study: Study, column: str, names: dict[str, str]) -> Study:
    return replace(study, table=study.table.assign(**{column: study.table[column].replace(names)}))


def test_groups_that_look_alike_are_named_together(study: Study) -> None:
    changed = _renamed(study, "group", {"p0": "007", "p1": "7", "p2": "Pat-1", "p3": "pat 1", "p4": "70", "p5": "Pat-10"})
    (one,) = lookalike_findings(changed)
    assert (one.severity, one.rule) == ("warning", "lookalike_ids")
    assert one.data == {"column": "group", "sets": [["007", "7"], ["Pat-1", "pat 1"]]}
    assert one.count == changed.table["group"].isin(["007", "7", "Pat-1", "pat 1"]).sum()


@pytest.mark.parametrize(
    "pairs",
    [
        [["12", "\u0661\u0662"], ["P-1", "P\u20131"], ["\u8fbb", "\u8fbb\U000e0100"]],
        [["A-7", "A7"], ["MK", "\u041c\u041a"]],
    ],
)
def test_groups_of_other_digits_dashes_and_forms_of_letters_are_reported(study: Study, pairs: list[list[str]]) -> None:
    groups = sorted(study.table["group"].unique())
    changed = _renamed(study, "group", dict(zip(groups, [one for pair in pairs for one in pair], strict=False)))
    (one,) = lookalike_findings(changed)
    assert sorted(one.data["sets"]) == sorted(pairs)


def test_subjects_that_look_alike_are_reported_where_they_complete_each_other(study: Study) -> None:
    # s5 has a photo alone; with a scan alone, S5 is its other half. s0 has both, so that S0 is another subject.
    scan = pd.DataFrame(
        {"subject": ["S5", "S0"], "modality": "scan", "path": ["scan/x.png", "scan/y.png"], "group": ["p4", "p0"]}
    )
    table = pd.concat([study.table, scan], ignore_index=True).fillna("")
    (one,) = lookalike_findings(replace(study, table=table))
    assert one.data == {"column": "subject", "sets": [["S5", "s5"]]}


def test_common_ids_do_not_look_alike(study: Study, phantom: Study) -> None:
    assert not list(lookalike_findings(study))
    assert not list(lookalike_findings(phantom))
