"""Audits the prepared studies below a folder and counts what splits cut, before and after `--fix groups`.

python results/audit/measure.py STUDIES results/audit/results.json
"""

from __future__ import annotations

import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import drifa
from drifa.data import Study, split
from drifa.data.audit.duplicates import conflicting_clusters, crossing_clusters, exact_clusters, joined_clusters
from drifa.data.audit.examine import examine
from drifa.data.audit.fix import join_groups
from drifa.data.audit.pairs import study_pairs
from drifa.data.audit.reading import read_study
from drifa.errors import DrifaError
from drifa.files import write_json

NAMES = ("ham10000", "sipakmed", "nickparvar", "iqothnccd", "brats")


def measure(study: Study) -> dict[str, Any]:
    """The numbers of one dataset."""
    begin = time.perf_counter()
    facts = read_study(study)
    read = time.perf_counter() - begin
    pairs = study_pairs(study, facts.thumbnails, facts.digests)
    compared = time.perf_counter() - begin - read
    result = examine(study, facts, pairs)
    seconds = time.perf_counter() - begin
    exact = exact_clusters(facts)
    clusters = joined_clusters(exact, pairs, len(study.table))
    digest = facts.digests
    near = [pair for pair in pairs if digest[pair.first] != digest[pair.second]]
    fixed, joined = join_groups(study, clusters)
    lesions = study.table["group"].to_numpy(dtype=object)
    return {
        "images": len(study.table),
        "groups": int(study.table["group"].nunique()),
        "exact": {
            "pairs": sum(len(members) * (len(members) - 1) // 2 for members in exact),
            "clusters": len(exact),
            "conflicting_labels": {task: len(found) for task, found in conflicting_clusters(study, exact).items()},
        },
        "near": {
            "pairs": len(near),
            "turned": sum(pair.turned for pair in near),
            "pairs_within_one_group": sum(bool(lesions[pair.first] == lesions[pair.second]) for pair in near),
        },
        "clusters": {
            "count": len(clusters),
            "images": sum(map(len, clusters)),
            "largest": max(map(len, clusters), default=0),
            "largest_support": [one.data["largest_support"] for one in result.findings if one.rule == "near_duplicates"],
            "across_groups": len(crossing_clusters(study, clusters, "group")),
            "conflicting_labels": {task: len(found) for task, found in conflicting_clusters(study, clusters).items()},
        },
        "clusters_in_two_splits": {
            "paper": cut(study, "paper", clusters),
            "strict": cut(study, "strict", clusters),
            "strict_after_fix": cut(fixed, "strict", clusters),
        },
        "exact_clusters_in_two_splits": {
            "paper": cut(study, "paper", exact),
            "strict": cut(study, "strict", exact),
            "strict_after_fix": cut(fixed, "strict", exact),
        },
        "groups_joined": joined,
        "groups_after_fix": int(fixed.table["group"].nunique()),
        "largest_group_after_fix": int(fixed.table["group"].value_counts().iloc[0]),
        "wrong_modality": [one.count for one in result.findings if one.rule == "wrong_modality"],
        "blank": sum(one.count for one in result.findings if one.rule == "blank"),
        "unreadable": sum(one.count for one in result.findings if one.rule == "unreadable"),
        "grids_differ": sum(one.data["subjects"] for one in result.findings if one.rule == "grids_differ"),
        "shortcuts": [one.data for one in result.findings if one.rule == "shortcut"],
        "counts": result.to_json()["counts"],
        "seconds": {"reading": round(read, 1), "comparing": round(compared, 1), "all": round(seconds, 1)},
    }


def cut(study: Study, protocol: str, clusters: list[list[int]]) -> int | None:
    """Clusters with images in two splits; None where the study is too small to be split."""
    try:
        return len(crossing_clusters(split(study, protocol=protocol, seed=0)[0], clusters, "split"))
    except DrifaError:
        return None


def main() -> None:
    studies, target = map(Path, sys.argv[1:])
    found: dict[str, Any] = {}
    for name in NAMES:
        if (studies / name).is_dir():
            found[name] = measure(Study.load(studies / name))
            print(name, found[name]["seconds"], flush=True)
    write_json(
        target,
        {
            "date": datetime.now(tz=UTC).isoformat(timespec="seconds"),
            "command": "sh results/audit/run.sh",
            "drifa": drifa.__version__,
            "device": f"{os.cpu_count()} CPU cores, no GPU",
            "seed": 0,
            "studies": found,
        },
    )


if __name__ == "__main__":
    main()
