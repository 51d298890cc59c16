"""The findings of an audit on the screen: errors and warnings in full, notes folded."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from typing import TYPE_CHECKING

from drifa.errors import plural

if TYPE_CHECKING:
    from drifa.data.audit import Audit, Finding

#: Files, or sets of files that show the same, that a finding names on the screen.
MOST = 3
# Of a set of many.
_OF_A_SET = 4
_STYLES = {"error": "bold red", "warning": "yellow", "info": "dim"}


def print_findings(result: Audit, everything: bool = False) -> None:
    """Prints what an audit found, what matters first.

    Args:
        result: The audit.
        everything: Unfold the notes, which otherwise take one line per rule.
    """
    from rich.console import Console
    from rich.table import Column, Table
    from rich.text import Text

    console = Console()
    shown = [one for one in result.findings if everything or one.severity != "info"]
    folded = [one for one in result.findings if not everything and one.severity == "info"]
    # Text, not markup: names of studies and files may hold square brackets.
    console.print(Text(f"{result.study}: {plural(result.images, 'image')}; {_counts(result)}"))
    if shown:
        # Folded, not cut: two long paths that differ in their ends would look the same.
        table = Table("", "rule", Column("finding", overflow="fold"), show_lines=True)
        for one in shown:
            lines = [Text(one.message), *(Text(line, style="dim") for line in files_of(one))]
            if one.remedy:
                lines.append(Text(f"→ {one.remedy}"))
            table.add_row(Text(one.severity, style=_STYLES[one.severity]), one.rule, Text("\n").join(lines))
        console.print(table)
    rules: dict[str, list[Finding]] = {}
    for one in folded:
        rules.setdefault(one.rule, []).append(one)
    for rule, found in rules.items():
        times = f" ({len(found)})" if len(found) > 1 else ""
        line = Text.assemble((f"info {rule}{times}: ", "dim"), found[0].message)
        console.print(line, no_wrap=True, overflow="ellipsis")
    if folded:
        console.print(Text("--all shows these notes in full", style="dim"))


def print_suspects(result: Audit) -> None:
    """The labels that a run contradicts, one table per task, the least believed first."""
    from rich.console import Console
    from rich.table import Column, Table
    from rich.text import Text

    for one in result.findings:
        suspects = one.data.get("suspects") if one.rule == "suspected_label" else None
        if suspects:
            whom = Column(Text(f"task {one.data['task']}: looks wrong"), overflow="fold")
            table = Table(whom, "labelled", "believed by", "looks like", "by")
            for row in suspects:
                names = ", ".join(row["subjects"][:MOST]) + (", …" if len(row["subjects"]) > MOST else "")
                figures = (f"{row[key]:.2f}" for key in ("self_confidence", "confidence"))
                table.add_row(Text(names), Text(row["label"]), next(figures), Text(row["suggested"]), next(figures))
            console = Console()
            console.print(table)
            if one.data["doubt"]:
                console.print(Text(f"task {one.data['task']}: {one.data['doubt']}", style="yellow"))


def _counts(result: Audit) -> str:
    counts = {name: sum(one.severity == name for one in result.findings) for name in ("error", "warning")}
    return ", ".join(plural(count, name) for name, count in counts.items())


def files_of(one: Finding) -> list[str]:
    """The first files of a finding in lines, their common folder named once; what shows the same stands on one line."""
    sets = one.data.get("members")
    if sets:
        more = [f"… ({len(sets)} sets)"] if len(sets) > MOST else []
        folder = common_folder([path for members in sets[:MOST] for path in members[:_OF_A_SET]])
        shown = []
        for members in sets[:MOST]:
            names = [path[len(folder) :] for path in members[:_OF_A_SET]]
            shown.append(" = ".join(names) + (f" = … ({len(members)} images)" if len(members) > _OF_A_SET else ""))
        return [*([f"in {folder}"] if folder else []), *shown, *more]
    files = one.files[:MOST]
    if not files:
        return []
    folder = common_folder(files)
    rest = f", … ({one.count} files)" if one.count > MOST else ""
    return [(f"in {folder}: " if folder else "") + ", ".join(path[len(folder) :] for path in files) + rest]


def common_folder(paths: Sequence[str]) -> str:
    """The folder that all paths lie in, with its slash; "" where there is none, or one path only."""
    if len(paths) < 2:
        return ""
    common = posixpath.commonprefix([path[: path.rfind("/") + 1] for path in paths])
    return common[: common.rfind("/") + 1]
