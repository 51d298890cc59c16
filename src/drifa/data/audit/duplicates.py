"""Findings on images that occur twice: how many, under which labels, in which groups and splits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from drifa.data.audit.findings import Finding, Severity, finding
from drifa.data.audit.pairs import Pair
from drifa.data.audit.reading import Facts
from drifa.data.study.study import Study
from drifa.errors import plural

Clusters = list[list[int]]
_FIX = "`drifa data audit STUDY --fix groups` joins their groups, so that no split cuts them"


def exact_clusters(facts: Facts) -> Clusters:
    """Rows with equal pixels, wherever there are two or more."""
    rows: dict[str, list[int]] = {}
    for row, digest in enumerate(facts.digests):
        if digest:
            rows.setdefault(digest, []).append(row)
    return [members for members in rows.values() if len(members) > 1]


def joined_clusters(exact: Clusters, pairs: Sequence[Pair], count: int) -> Clusters:
    """Connected components of exact copies and proven pairs; every join in them was compared pixel by pixel.

    Args:
        exact: From :func:`exact_clusters`.
        pairs: From :func:`drifa.data.audit.pairs.near_duplicates`.
        count: Rows of the table.
    """
    links = [(members[0], other) for members in exact for other in members[1:]]
    return components([*links, *((pair.first, pair.second) for pair in pairs)], count)


def components(links: Sequence[tuple[int, int]], count: int) -> Clusters:
    """Connected components of two or more nodes, each ascending, in the order of their first node."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if not links:
        return []
    one, two = np.array(links).T
    label = connected_components(coo_array((np.ones(len(one)), (one, two)), shape=(count, count)), directed=False)[1]
    members: dict[int, list[int]] = {}
    for node in np.unique(np.concatenate([one, two])).tolist():
        members.setdefault(int(label[node]), []).append(node)
    return sorted(sorted(nodes) for nodes in members.values() if len(nodes) > 1)


def duplicate_findings(study: Study, exact: Clusters, pairs: Sequence[Pair], clusters: Clusters) -> Iterator[Finding]:
    """What the copies mean for this study.

    Args:
        study: The audited study.
        exact: From :func:`exact_clusters`.
        pairs: Proven pairs.
        clusters: From :func:`joined_clusters`.
    """
    same = {row: number for number, members in enumerate(exact) for row in members}
    near = [pair for pair in pairs if same.get(pair.first, -1) != same.get(pair.second, -2)]
    if exact:
        count = sum(len(members) * (len(members) - 1) // 2 for members in exact)
        yield _described(
            study,
            "exact_duplicates",
            exact,
            f"{plural(count, 'pair of images has', 'pairs of images have')} the same pixels",
            {"pairs": count},
        )
    if near:
        with_near = {pair.first for pair in near}
        nearly = [members for members in clusters if with_near & set(members)]
        turned = sum(pair.turned for pair in near)
        text = f"{plural(len(near), 'pair of images shows', 'pairs of images show')} the same picture, or nearly ({turned} "
        text += "of them turned or mirrored)"
        lowest = round(min(pair.whole for pair in near), 3)
        data = {"pairs": len(near), "turned": turned, "lowest_agreement": lowest, "largest_support": _support(nearly, pairs)}
        yield _described(study, "near_duplicates", nearly, text, data)
    yield from _conflicts(study, exact, clusters)
    yield from _across_splits(study, clusters)


def _support(clusters: Clusters, pairs: Sequence[Pair]) -> float:
    """Share of all pairs of the largest cluster that were proven; far below 1 it is a chain whose ends differ."""
    size = max(map(len, clusters))
    largest = set(next(members for members in clusters if len(members) == size))
    proven = sum(pair.first in largest for pair in pairs)
    return round(2 * proven / (len(largest) * (len(largest) - 1)), 3)


def _described(study: Study, rule: str, clusters: Clusters, text: str, data: Mapping[str, Any]) -> Finding:
    crossing = crossing_clusters(study, clusters, "group")
    sizes = sorted((len(members) for members in clusters), reverse=True)
    severity: Severity = "warning" if crossing else "info"
    text += f": {plural(len(clusters), 'picture')}, {plural(sum(sizes), 'image')}, the most frequent {sizes[0]} times; "
    text += f"{plural(len(crossing), 'of the pictures lies', 'of the pictures lie')} in several groups" + (
        ", so that a split may cut them" if crossing else ""
    )
    counts = {"clusters": len(clusters), "images": sum(sizes), "largest": sizes[0], "clusters_across_groups": len(crossing)}
    # Those that a split may cut first: people read the beginning.
    data = {**data, **counts, **_members(study, sorted(clusters, key=lambda members: members not in crossing))}
    remedy = _FIX if crossing else ""
    return finding(severity, rule, text, remedy, _paths(study, crossing or clusters), data)


def crossing_clusters(study: Study, clusters: Clusters, column: str) -> Clusters:
    """Clusters whose images have several values of a column; empty values do not count."""
    texts = study.table[column].to_numpy(dtype=object)
    # Read, not compared as text, in the column of a task: 45 and 45.0 are one number.
    values = study.tasks[column].target.read(texts) if column in study.tasks else texts
    return [members for members in clusters if len({values[row] for row in members if texts[row] != ""}) > 1]


def conflicting_clusters(study: Study, clusters: Clusters) -> dict[str, Clusters]:
    """For each task that the same picture must answer alike, the clusters whose images have different values.

    Only images that the task is answered from count: the label of a subject says nothing of its other images.
    """
    modality = study.table["modality"].to_numpy(dtype=object)
    found = {}
    for task in study.tasks.values():
        if task.target.conflicts:
            judged = [[row for row in members if modality[row] in task.modalities] for members in clusters]
            found[task.name] = crossing_clusters(study, judged, task.name)
    return found


def _conflicts(study: Study, exact: Clusters, clusters: Clusters) -> Iterator[Finding]:
    remedy = "ask whoever labelled them; correct the label, or remove these rows from the study"
    sure, likely = conflicting_clusters(study, exact), conflicting_clusters(study, clusters)
    modality = study.table["modality"]
    for task in sure:
        severity: Severity
        for severity, found, what in (
            ("error", sure[task], "with the same pixels"),
            ("warning", [members for members in likely[task] if members not in sure[task]], "that look the same"),
        ):
            if found:
                names = sorted({str(modality.iloc[row]) for members in found for row in members})
                text = f"{plural(len(found), 'set')} of images of {' and '.join(map(repr, names))} {what}"
                text += f" {'has' if len(found) == 1 else 'have'} different labels of task {task!r}"
                data = {"task": task, "modalities": names, "clusters": len(found), "exact": severity == "error"}
                yield finding(severity, "conflicting_labels", text, remedy, _paths(study, found), data | _members(study, found))


def _across_splits(study: Study, clusters: Clusters) -> Iterator[Finding]:
    cut = crossing_clusters(study, clusters, "split")
    if cut:
        text = f"{plural(len(cut), 'picture lies', 'pictures lie')} in two splits: figures from this split are too good"
        remedy = "join their groups with `--fix groups`, then split again with `drifa data split STUDY`"
        data = {"clusters": len(cut), **_members(study, cut)}
        yield finding("error", "duplicates_across_splits", text, remedy, _paths(study, cut), data)


def _members(study: Study, clusters: Clusters) -> dict[str, list[list[str]]]:
    return {"members": [_paths(study, [members]) for members in clusters]}


def _paths(study: Study, clusters: Clusters) -> list[str]:
    paths = study.table["path"]
    return [str(paths.iloc[row]) for members in clusters for row in members]
