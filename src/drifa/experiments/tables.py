"""A comparison as Markdown and as a table."""

from __future__ import annotations

import pandas as pd

from drifa.experiments.comparison import Arm, Comparison, Contrast, Result, SubsetResult
from drifa.experiments.verdict import amount, words_of, written
from drifa.report.words import duration, number

#: What the tables of classes say.
CLASSES = (
    "The share of each class's cases that an arm finds (sensitivity), mean over seeds; with each other arm, the first arm's "
    "minus its own in points, with an interval that is not adjusted for the number of classes: to see where arms differ, not "
    "to conclude that they do."
)


def markdown(found: Comparison) -> str:
    """The verdict first, then what it rests on."""
    first, splits = found.arms[0].name, ", ".join(value[:12] for value in found.splits.values())
    lines = [
        f"# {found.name}: which arm, and is the difference real?",
        "",
        f"**{found.verdict}**",
        "",
        f"Study `{found.study}`, split `{splits}`; seeds "
        f"{', '.join(map(str, found.seeds))}{f', {found.folds} folds' if found.folds else ''}; {found.resamples} resamples of "
        f"whole groups; drifa {found.drifa}. Shares in percent, their differences in points; 95 % intervals in brackets.",
        "",
        *(f"- {note}" for note in found.notes),
        "",
        "## Arms",
        "",
        "| arm | sets | seeds done | parameters | MACs | training of one network | memory |",
        "|---|---|---|---|---|---|---|",
        *(_arm(arm) for arm in found.arms),
    ]
    for task, about in found.tasks.items():
        lines += [
            "",
            f"## {task}: {about.cases} cases of {about.groups} groups",
            "",
            "| metric | arm | mean | interval over | by seed |",
            "|---|---|---|---|---|",
            *(_result(result, found) for result in found.results if result.task == task),
        ]
    lines += [
        "",
        f"## Differences on the same cases: {first} and each other arm",
        "",
        "Holm's adjustment is over all but the primary comparison. The smallest difference that can be shown is that which "
        "this test set would show four times out of five: 2.8 standard errors of the bootstrap.",
        "",
        "| comparison | task | metric | difference | by seed | p | p, Holm | smallest that can be shown |",
        "|---|---|---|---|---|---|---|---|",
        *(_contrast(contrast, found) for contrast in found.contrasts),
    ]
    if found.classes:
        lines += ["", "## Class by class", "", CLASSES, *_classes(found)]
    if found.subsets:
        lines += ["", "## Asked with every subset of the modalities", *_subsets(found)]
    if found.cases:
        lines += ["", "## Cases on which the arms disagree most", "", *_cases(found)]
    unfinished = [job for job in found.jobs if job.state != "finished"]
    if unfinished:
        lines += ["", "## Jobs that are not finished", ""]
        lines += [f"- `{job.name}`: {job.state}{f' ({job.reason})' if job.reason else ''}" for job in unfinished]
    return "\n".join(lines) + "\n"


def table(found: Comparison) -> pd.DataFrame:
    """One row per result and per difference, for a spreadsheet or a script."""
    rows = [
        {
            "what": "arm",
            **{"arm": result.arm, "minus": "", "task": result.task, "metric": result.metric},
            **{"value": result.mean, "low": result.low, "high": result.high, "over": result.over, "seeds": len(result.by_seed)},
        }
        for result in found.results
    ]
    for contrast in found.contrasts:
        rows.append(
            {
                "what": "primary difference" if contrast.primary else "difference",
                **{"arm": contrast.a, "minus": contrast.b, "task": "+".join(contrast.tasks), "metric": contrast.metric},
                **{name: contrast.difference[name] for name in ("value", "low", "high", "se", "p", "detectable")},
                **{"over": "groups", "seeds": len(contrast.seeds), "p_holm": contrast.adjusted, "found": contrast.found},
            }
        )
    return pd.DataFrame(rows)


def _arm(arm: Arm) -> str:
    sets = ", ".join(f"`{setting}`" for setting in arm.sets)
    parameters = f"{arm.parameters:,}" if arm.parameters is not None else "–"
    macs = f"{arm.macs / 1e6:,.1f} M" if arm.macs is not None else "–"
    seconds = duration(arm.seconds) if arm.seconds is not None else "–"
    cells = [arm.name, sets, ", ".join(map(str, arm.seeds)) or "–", parameters, macs, seconds, gigabytes(arm.memory)]
    return f"| {' | '.join(cells)} |"


def gigabytes(memory: int | None) -> str:
    """Bytes as ``1.2 GB``; a dash for None."""
    return "–" if memory is None else f"{memory / 1e9:.1f} GB"


def _result(result: Result, found: Comparison) -> str:
    style = words_of(result.metric, found.tasks[result.task].kind).style  # type: ignore[arg-type]
    mean, low, high = (written(value, style, sign=False) for value in (result.mean, result.low, result.high))
    each = ", ".join(written(value, style, sign=False) for value in result.by_seed.values())
    return f"| {result.metric} | {result.arm} | {mean} [{low}, {high}] | {result.over} | {each} |"


def _subsets(found: Comparison) -> list[str]:
    lines = []
    for task in found.tasks:
        names, rows = subset_rows(found, task)
        lines += ["", f"| {task} | arm | {' | '.join(names)} |", "|---" * (len(names) + 2) + "|"]
        lines += [f"| {metric} | {arm} | {' | '.join(cells)} |" for metric, arm, cells in rows]
    return lines


def subset_rows(found: Comparison, task: str) -> tuple[list[str], list[tuple[str, str, list[str]]]]:
    """The subsets of a task, and per metric and arm the mean of each with its interval, where there is one."""
    own = [one for one in found.subsets if one.task == task]
    names, arms = list(dict.fromkeys(one.subset for one in own)), dict.fromkeys(one.arm for one in own)
    told = {(one.metric, one.arm, one.subset): _subset(one, found.tasks[task].kind) for one in own}
    pairs = [(metric, arm) for metric in dict.fromkeys(one.metric for one in own) for arm in arms]
    return names, [(metric, arm, [told.get((metric, arm, name), "–") for name in names]) for metric, arm in pairs]


def _subset(one: SubsetResult, kind: str) -> str:
    style = words_of(one.metric, kind).style  # type: ignore[arg-type]
    mean, low, high = (written(value, style, sign=False) for value in (one.mean, one.low, one.high))
    return mean if one.low is None else f"{mean} [{low}, {high}]"


def _classes(found: Comparison) -> list[str]:
    lines = []
    for task in found.tasks:
        arms, rows = class_rows(found, task)
        if rows:
            lines += ["", f"| {task} | cases | {' | '.join(arms)} |", "|---" * (len(arms) + 2) + "|"]
        for name, cases, cells in rows:
            told = (value if not apart else f"{value} ({apart})" for value, apart in cells)
            lines.append(f"| {_cell(name)} | {cases} | {' | '.join(told)} |")
    return lines


def class_rows(found: Comparison, task: str) -> tuple[list[str], list[tuple[str, int, list[tuple[str, str]]]]]:
    """The arms, and of every class its cases and per arm the share that it finds with the first arm's difference to it."""
    own = {(one.name, one.arm): one for one in found.classes if one.task == task}
    arms = list(dict.fromkeys(arm for _, arm in own))
    rows = []
    for name in dict.fromkeys(name for name, _ in own):
        cells = []
        for arm in arms:
            one = own[name, arm]
            value, low, high = (written((one.difference or {}).get(key), "share") for key in ("value", "low", "high"))
            apart = f"{value} [{low}, {high}]" if one.difference else ""
            cells.append((written(one.value, "share", sign=False), apart))
        rows.append((name, own[name, arms[0]].cases, cells))
    return arms, rows


def _contrast(contrast: Contrast, found: Comparison) -> str:
    about, own = found.tasks[contrast.tasks[0]], contrast.difference
    style = words_of(contrast.metric, about.kind).style  # type: ignore[arg-type]
    value, low, high = (written(own[name], style) for name in ("value", "low", "high"))
    each = ", ".join(written(one, style) for one in contrast.by_seed.values())
    adjusted = "primary" if contrast.primary else number(contrast.adjusted)
    least = amount(own["detectable"], style, about.unit, sign=False)
    told = f"{value} [{low}, {high}]"
    cells = [
        f"{contrast.a} - {contrast.b}",
        " + ".join(contrast.tasks),
        contrast.metric,
        told,
        each,
        number(own["p"]),
        adjusted,
        least,
    ]
    return f"| {' | '.join(cells)} |"


def _cases(found: Comparison) -> list[str]:
    names = [arm.name for arm in found.arms]
    lines = [f"| task | case | truth | {' | '.join(names)} |", "|---|---|---|" + "---|" * len(names)]
    for case in found.cases:
        answers = " | ".join(_cell(case.answers.get(name, "–")) for name in names)
        lines.append(f"| {case.task} | {_cell(case.subject)} | {_cell(case.truth)} | {answers} |")
    return lines


def _cell(text: str) -> str:
    """Text from a user's table, which must not end a cell."""
    return text.replace("|", "\\|").replace("\n", " ")
