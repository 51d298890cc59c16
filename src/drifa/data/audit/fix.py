"""Joining groups, so that no split cuts a picture that the study holds twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from drifa.data.audit.duplicates import components
from drifa.data.study.study import Study


def join_groups(study: Study, clusters: Sequence[Sequence[int]]) -> tuple[Study, int]:
    """Puts the images of a cluster, with all that their groups hold already, into one group.

    The joined group has the name that sorts first among those it joins; so the result does not depend on the order of rows,
    and doing it twice changes nothing. All other columns stay, but for one: if a group would now lie in two splits, the split
    column is emptied, all of it, for a split with holes is none. A ``paper`` split stays: it cuts groups on purpose.

    Args:
        study: Any study; it is not changed.
        clusters: Row numbers of images that belong together.

    Returns:
        ``(study, joined)``: how many groups became part of another.
    """
    number, names = pd.factorize(study.table["group"], sort=True)
    links = [(int(number[members[0]]), int(number[row])) for members in clusters for row in members[1:]]
    parts = components([link for link in links if link[0] != link[1]], len(names))
    if not parts:
        return study, 0
    # Numbers are in the order of names, so that the first of a part is its smallest name.
    owner = {member: part[0] for part in parts for member in part}
    table = study.table.copy()
    table["group"] = [names[owner.get(int(code), int(code))] for code in number]
    split_protocol = study.split_protocol
    if split_protocol != "paper" and table[["group", "split"]].drop_duplicates()["group"].duplicated().any():
        table["split"], split_protocol = "", ""
    return replace(study, table=table, split_protocol=split_protocol), len(owner) - len(parts)
