"""A table of the paper as it came out: its records, and the files that they are written to."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from drifa.files import write_csv, write_json, write_text
from drifa.version import __version__

FORMAT = 1


@dataclass(frozen=True)
class Cell:
    """One number of a table, ours and theirs.

    Attributes:
        part, dataset, row, metric: Which.
        printed_row: Its row in the paper; empty where it has none.
        ours: Percent, or nats for ``nll``; None where it was not measured.
        low, high: Its 95 % interval.
        over: What the interval is over: ``seeds`` or ``groups`` of the test set.
        printed: As printed, percent; empty where it is not.
        difference: Ours minus printed, points.
    """

    part: str
    dataset: str
    row: str
    metric: str
    printed_row: str
    ours: float | None
    low: float | None
    high: float | None
    over: str
    printed: str
    difference: float | None


@dataclass(frozen=True)
class Note:
    """What must be known of printed rows.

    Attributes:
        dataset: Of the table; empty for all of it.
        rows: The paper's rows; empty for all.
        says: In a sentence.
    """

    dataset: str
    rows: tuple[str, ...]
    says: str


@dataclass(frozen=True)
class Reproduction:
    """A table as it came out.

    Attributes:
        table, title: Which.
        setting: How it was made.
        verdicts: Part -> the comparison that was decided beforehand, in a sentence.
        cells, notes: The numbers, and the footnotes.
    """

    table: str
    title: str
    setting: dict[str, Any]
    verdicts: dict[str, str]
    cells: list[Cell]
    notes: list[Note]

    def to_json(self) -> dict[str, Any]:
        """Plain data; the format number comes first."""
        return {"drifa_reproduction": FORMAT, "drifa": __version__, **asdict(self)}


def write_reproduction(result: Reproduction, out: Path) -> None:
    """Writes `TABLE.csv`, `TABLE.md` and, last, `TABLE.json`."""
    out.mkdir(parents=True, exist_ok=True)
    write_csv(out / f"{result.table}.csv", pd.DataFrame([asdict(cell) for cell in result.cells]))
    write_text(out / f"{result.table}.md", markdown(result))
    write_json(out / f"{result.table}.json", result.to_json())


def markdown(result: Reproduction) -> str:
    """One table per part and dataset: ours with its interval, the printed number, the difference; then the footnotes."""
    own = result.setting
    changed = f", with `{' '.join(own['overrides'])}`" if own.get("overrides") else ""
    lines = [
        f"# {result.table}: {result.title}",
        "",
        f"Scale `{own['scale']}`, protocol `{own['protocol']}`, seeds {', '.join(map(str, own['seeds'] or [0, 1, 2]))}"
        f"{changed}; drifa {__version__}. Each cell: ours [95 % interval], then the paper's number and ours minus it, in "
        f"percent and points. Their test sets, splits and way of counting differ from ours, so a difference says nothing of "
        f"one cause alone.",
        "",
        *(f"- **{part}**: {verdict}" for part, verdict in result.verdicts.items()),
    ]
    for part, dataset in dict.fromkeys((cell.part, cell.dataset) for cell in result.cells):
        cells = [cell for cell in result.cells if (cell.part, cell.dataset) == (part, dataset)]
        metrics = list(dict.fromkeys(cell.metric for cell in cells))
        lines += ["", f"## {dataset}, {part}", "", f"| row | in the paper | {' | '.join(metrics)} |"]
        lines.append("|---|---|" + "---|" * len(metrics))
        for row, printed_row in dict.fromkeys((cell.row, cell.printed_row) for cell in cells):
            by_metric = {cell.metric: cell for cell in cells if (cell.row, cell.printed_row) == (row, printed_row)}
            marks = [
                f"[{number}]"
                for number, note in enumerate(result.notes, 1)
                if printed_row and note.dataset == dataset and printed_row in note.rows
            ]
            told = " ".join([printed_row or "–", *marks])
            shown = " | ".join(_shown(by_metric.get(metric)) for metric in metrics)
            lines.append(f"| {row or '–'} | {told} | {shown} |")
    if result.notes:
        lines += ["", "## Notes on the printed numbers", ""]
        for number, note in enumerate(result.notes, 1):
            where = ", ".join(filter(None, [note.dataset, *note.rows])) or "the whole table"
            lines.append(f"{number}. {where}: {note.says}.")
    return "\n".join(lines) + "\n"


def _shown(cell: Cell | None) -> str:
    if cell is None:
        return "–"
    digits = 3 if cell.metric == "nll" else 1
    ours = "not measured" if cell.ours is None else f"{cell.ours:.{digits}f}"
    if cell.ours is not None and cell.low is not None and cell.high is not None:
        ours += f" [{cell.low:.{digits}f}, {cell.high:.{digits}f}]"
    if cell.printed:
        ours += f"; {cell.printed}" + (f" ({cell.difference:+.1f})" if cell.difference is not None else "")
    return ours
