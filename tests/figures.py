"""The figures of `python -m tests.hostile`: what was tried, what became of it, on what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from drifa.files import write_json, write_text
from drifa.runs.run import environment


def write_figures(out: Path, inputs: Sequence[Any], points: Sequence[Any]) -> None:
    """Writes `README.md` and `results.json`.

    Args:
        out: The folder.
        inputs: Outcomes of hostile inputs, see :class:`tests.hostile.Outcome`.
        points: Outcomes of kill points and pairs, see :class:`tests.kills.Point`.
    """
    faults = [asdict(one) for one in (*inputs, *points) if one.fault]
    doors = Counter((one.name.partition(":")[0], one.answer) for one in inputs)
    verbs = Counter((one.verb, one.how) for one in points)
    told = {
        "environment": environment(),
        "inputs": {"tried": len(inputs), **Counter(one.answer for one in inputs)},
        "slowest_processor_seconds": max(one.seconds for one in inputs),
        "peak_mib": max(one.peak for one in inputs),
        "points": Counter(one.how for one in points),
        "faults": faults,
        "by_file": _nested(doors),
        "by_verb": _nested(verbs),
    }
    write_json(out / "results.json", told)
    write_text(out / "README.md", _page(told))
    print(f"{len(inputs)} inputs, {len(points)} points, {len(faults)} faults")


def _nested(counts: Counter[tuple[str, str]]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for (first, second), count in counts.items():
        found.setdefault(first, {})[second] = count
    return found


def _page(told: dict[str, Any]) -> str:
    where, inputs, points = told["environment"], told["inputs"], told["points"]
    faults = [f"* {one.get('name') or one['verb']}: {one['fault']}" for one in told["faults"]]
    return "\n".join(
        [
            "# What hostile files, kills and second processes do",
            "",
            "Made by `python -m tests.hostile results/reliability`. Everything is drawn from a seed; the studies and the run",
            "are phantoms. `results.json` has each fault with its name.",
            "",
            f"- Date {where['date']}, drifa {where['drifa']}, torch {where['torch']}, Python {where['python']},",
            f"  {where['system']}, {where['cpu_threads']} CPU thread(s), GPU: {where['gpu']}.",
            f"- {inputs['tried']} hostile inputs: {inputs.get('answered', 0)} answered, {inputs.get('refused', 0)} refused in",
            f"  one sentence, {inputs.get('failed', 0)} failed. The slowest took {told['slowest_processor_seconds']} processor",
            f"  seconds; the process never had more than {told['peak_mib']} MiB.",
            f"- {points.get('killed', 0)} kill points: the command, or its documented continuation, is run again and must",
            "  leave what an undisturbed run leaves, to the byte but for dates and seconds.",
            f"- {points.get('twice', 0)} pairs: one process stops at a file operation, a second one runs to its end, the",
            "  first goes on; each ends or is refused, and what is left is the same.",
            f"- {len(faults)} faults.",
            *faults,
            "",
            "| file | answered | refused | failed |",
            "|---|---|---|---|",
            *(_row(name, row, ("answered", "refused", "failed")) for name, row in told["by_file"].items()),
            "",
            "| verb | kill points | pairs |",
            "|---|---|---|",
            *(_row(name, row, ("killed", "twice")) for name, row in told["by_verb"].items()),
            "",
        ]
    )


def _row(name: str, row: dict[str, int], keys: Iterable[str]) -> str:
    return f"| `{name}` | {' | '.join(str(row.get(key, 0)) for key in keys)} |"
