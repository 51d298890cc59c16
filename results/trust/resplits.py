"""Are the promises kept? Sets and abstention of finished runs, learned and judged on 100 halves of their groups.

python results/trust/resplits.py RUN...

Each RUN must have been calibrated by `drifa calibrate`, whose answers to the validation and the test split are pooled here: one
half of the groups, drawn anew each time, learns what `drifa calibrate` learns, the other half judges. Writes resplits.json and
resplits.md beside this file; nothing is trained.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import betabinom

from drifa.files import read_json, write_json, write_text
from drifa.prediction.trust import FILE, Trust, doubt_of, learn_trust
from drifa.runs.run import Run, environment
from drifa.tasks import Classes, kinds_from
from drifa.uncertainty.modes import MODES
from drifa.uncertainty.prior import PriorCorrection
from drifa.uncertainty.records import check_groups, one_per_group

SPLITS, LEVEL, RISKS, CONFIDENCE, BAND = 100, 0.9, (0.05, 0.1, 0.15), 0.9, 0.95


def pooled(run: Run, task: str) -> pd.DataFrame:
    """Answers of the first network to the validation and the test split, in the headline condition."""
    tables = [pd.read_parquet(run.folder / "evaluations" / f"own-{split}" / "predictions.parquet") for split in ("val", "test")]
    mode = max(tables[0]["mode"].unique(), key=MODES.index)
    table = pd.concat(tables, ignore_index=True)
    rows = table[(table["task"] == task) & (table["mode"] == mode) & (table["condition"] != "alone") & table["label"].notna()]
    return rows[rows["member"] == rows["member"].min()].reset_index(drop=True)


def resplit(rows: pd.DataFrame, classes: tuple[str, ...], prior: PriorCorrection | None) -> dict[str, Any]:
    """How often sets and abstention kept their promises."""
    number = {name: place for place, name in enumerate(classes)}
    labels = rows["label"].map(number).to_numpy(dtype=np.int64)
    p, groups = np.stack(list(rows["probabilities"])), rows["group"].to_numpy()
    own, place, size = np.unique(groups, return_inverse=True, return_counts=True)
    weight = 1 / size[place]  # a random image of each group
    coverage, inside = [], 0
    risks: dict[float, list[tuple[float, float, float]]] = {risk: [] for risk in RISKS}
    for seed in range(SPLITS):
        first = np.isin(groups, np.random.default_rng([seed, 7]).permutation(own)[: len(own) // 2])
        # One image of each judging group, for which the promises are made.
        judge = np.flatnonzero(~first)
        judge = judge[one_per_group(check_groups(groups[judge], len(judge)), seed, judge)]
        for risk in RISKS:
            learned = labels[first], p[first], groups[first]
            trust = learn_trust(*learned, classes, prior, level=LEVEL, risk=risk, confidence=CONFIDENCE, seed=seed)
            q = trust(p)
            if risk == RISKS[0] and trust.sets is not None:
                hits = int(trust.sets(q[judge])[np.arange(len(judge)), labels[judge]].sum())
                n = trust.sets.groups[0]
                beside = n + 1 - int(np.ceil((n + 1) * LEVEL))
                low, high = betabinom(len(judge), n + 1 - beside, beside).interval(BAND)
                coverage.append(hits / len(judge))
                inside += low <= hits <= high
            if trust.abstention is not None:
                wrong, kept = q.argmax(axis=1) != labels, trust.abstention(doubt_of(q))
                everyone = float((wrong * kept * weight).sum() / max((kept * weight).sum(), 1e-12))
                judging = float(wrong[judge][kept[judge]].mean()) if kept[judge].any() else 0.0
                risks[risk].append((judging, everyone, float(kept.mean())))
    return {
        "images": len(rows),
        "groups": len(own),
        "accuracy": float((p.argmax(axis=1) == labels).mean()),
        "sets": {"learned": len(coverage), "inside": int(inside), "coverage": float(np.mean(coverage)) if coverage else None},
        "abstention": {
            str(risk): {
                "promised": len(found),
                "above_judging": int(sum(judging > risk for judging, _, _ in found)),
                "above_all": int(sum(everyone > risk for _, everyone, _ in found)),
                "risk": float(np.mean([everyone for _, everyone, _ in found])) if found else None,
                "answered": float(np.mean([answered for _, _, answered in found])) if found else None,
            }
            for risk, found in risks.items()
        },
    }


def judged(folder: str) -> list[dict[str, Any]]:
    """One row for each task of classes."""
    run = Run.open(folder)
    trust, told = Trust.read(run.folder), read_json(run.folder / FILE)
    if trust is None or told is None:
        raise SystemExit(f"{folder} is not calibrated; run `drifa calibrate {folder}`")
    kinds = kinds_from(run.info.tasks)
    return [
        {
            "run": run.folder.name,
            "task": task,
            "calibration": told["test"][task].get("calibration"),
            **resplit(pooled(run, task), tuple(kind.classes), trust.tasks[task].prior),
        }
        for task, kind in kinds.items()
        if isinstance(kind, Classes) and task in trust.tasks
    ]


def tables(rows: list[dict[str, Any]]) -> list[str]:
    """The page."""
    lines = [
        "# Are the promises kept?",
        "",
        "`python results/trust/resplits.py RUN...` on the networks of `results/standard`, calibrated by `drifa calibrate`: one "
        "network each, single pass, unpaired tasks with 8 partners.",
        "",
        "## Calibration: learned on validation, judged on test",
        "",
        "ECE and negative log-likelihood before and after prior correction and temperature, 95 % intervals over groups.",
        "",
        "| run | task | ECE before, % | after, % | after / before | NLL before | after |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        if row["calibration"]:
            ece, nll = row["calibration"]["ece"], row["calibration"]["nll"]
            ratio = ece["after"]["value"] / ece["before"]["value"]
            shown = " | ".join(_shown(ece[when], 100, 1) for when in ("before", "after"))
            also = " | ".join(_shown(nll[when], 1, 3) for when in ("before", "after"))
            lines.append(f"| {row['run']} | {row['task']} | {shown} | {ratio:.2f} | {also} |")
    lines += [
        "",
        f"## Sets at {LEVEL:.0%} and abstention, {SPLITS} halvings of all groups",
        "",
        "Validation and test are pooled and halved by group, anew each time: one half learns what `drifa calibrate` learns, "
        f"the other judges, by one random image of each group. `inside`: halvings whose coverage lay in the {BAND:.0%} "
        "interval of the beta-binomial distribution that split conformal prediction implies for these numbers of groups.",
        "",
        "A bar of abstention promises that a random image of a new group, if it is answered, is answered wrongly with a "
        f"probability of at most the target; this holds with a probability of {CONFIDENCE:.0%} over what it learned from. "
        "`broken`: halvings whose bar has a higher risk over all groups of the pool; `higher when "
        "judged`: on the judging half alone.",
        "",
        "| run | task | images, groups | sets learned | inside | mean coverage |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        sets = row["sets"]
        told = "–" if sets["coverage"] is None else f"{sets['coverage']:.1%}"
        size = f"{row['images']}, {row['groups']}"
        lines.append(f"| {row['run']} | {row['task']} | {size} | {sets['learned']} | {sets['inside']} | {told} |")
    lines += [
        "",
        "| run | task | accuracy, all answered | target risk | bar found | broken | higher when judged | risk | answered |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        for target, found in row["abstention"].items():
            shown = "– | – | – | –"
            if found["promised"]:
                shown = f"{found['above_all']} | {found['above_judging']} | {found['risk']:.1%} | {found['answered']:.1%}"
            head = f"| {row['run']} | {row['task']} | {row['accuracy']:.1%} | {float(target):.0%}"
            lines.append(f"{head} | {found['promised']} | {shown} |")
    return lines


def _shown(interval: dict[str, float], scale: float, digits: int) -> str:
    value, low, high = (f"{scale * interval[name]:.{digits}f}" for name in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"


def main() -> None:
    rows = [row for folder in sys.argv[1:] for row in judged(folder)]
    here = Path(__file__).parent
    write_json(here / "resplits.json", {"rows": rows, "environment": environment()})
    write_text(here / "resplits.md", "\n".join(tables(rows)) + "\n")


if __name__ == "__main__":
    main()
