"""drifa compare: an experiment from its file to its comparison."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from drifa.errors import DrifaError
from drifa.experiments.comparison import Comparison
from drifa.experiments.jobs import Outcome, begin
from drifa.experiments.judge import compare
from drifa.experiments.launch import Tell, run_jobs
from drifa.experiments.page import page
from drifa.experiments.plan import Plan
from drifa.experiments.tables import markdown, table
from drifa.files import write_csv, write_json, write_text
from drifa.progress import Progress


def run_experiment(
    plan: Plan,
    folder: str | Path,
    side_by_side: int = 1,
    tell: Tell | None = None,
    progress: Progress | None = None,
    quiet: bool = False,
    others: Sequence[Path] = (),
) -> tuple[list[Outcome], Comparison]:
    """Does what is left of an experiment, and writes what all of its finished jobs say, also where it is interrupted.

    Args:
        plan: From :func:`drifa.experiments.plan.make_plan`.
        folder: Of the experiment; new, or begun by the same one.
        side_by_side: How many jobs at a time.
        tell: Called whenever a job has ended.
        progress: As in :func:`drifa.training.train.train`.
        quiet: No progress bars.
        others: Folders of other experiments, whose networks are taken where they are the same.

    Returns:
        How each job ended that was not finished before, and the comparison.

    Raises:
        DrifaError: The folder is another's, or no job is finished.
    """
    folder = Path(folder)
    if side_by_side < 1:
        raise DrifaError(f"--jobs {side_by_side} does no job; give 1 or more")
    begin(plan, folder)
    outcomes: list[Outcome] = []

    def keep(outcome: Outcome, done: int, total: int, left: float | None) -> None:
        outcomes.append(outcome)
        if tell:
            tell(outcome, done, total, left)

    try:
        run_jobs(plan, folder, side_by_side, keep, progress, quiet, others)
    except KeyboardInterrupt:
        if any(outcome.state == "done" for outcome in outcomes):
            write_comparison(compare(plan, folder, outcomes), folder)
        raise
    found = compare(plan, folder, outcomes)
    write_comparison(found, folder)
    return outcomes, found


def write_comparison(found: Comparison, folder: Path) -> Sequence[Path]:
    """Writes `comparison.json`, `comparison.md`, `comparison.csv` and `comparison.html`."""
    return [
        write_json(folder / "comparison.json", found.to_json()),
        write_text(folder / "comparison.md", markdown(found)),
        write_csv(folder / "comparison.csv", table(found)),
        write_text(folder / "comparison.html", page(found)),
    ]
