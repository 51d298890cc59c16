"""`drifa compare`: which arm of an experiment, and is the difference real?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from drifa.cli.arguments import Quiet
from drifa.cli.screen import progress_bar
from drifa.errors import DrifaError, plural

if TYPE_CHECKING:
    from drifa.experiments.jobs import Outcome
    from drifa.experiments.plan import Plan


def compare(
    arguments: Annotated[
        list[str], typer.Argument(metavar="EXPERIMENT|CONFIG [KEY=VALUE]...", help="YAML, then overrides for all arms.")
    ],
    out: Annotated[Path, typer.Option(help="Folder of the experiment; new, or one to continue.")],
    fusions: Annotated[str | None, typer.Option(help="For a CONFIG: what to compare, such as drifa,concat.")] = None,
    seeds: Annotated[
        str | None, typer.Option(help="For a CONFIG: how many seeds, or which, such as 0,1,2; 3 by default.")
    ] = None,
    folds: Annotated[
        int | None, typer.Option(help="For a CONFIG: folds of a cross-validation, judged together.", min=3, max=1000)
    ] = None,
    jobs: Annotated[int, typer.Option(help="Networks to train side by side, as processes.", min=1)] = 1,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the jobs and their cost, and train nothing.")] = False,
    quiet: Quiet = False,
) -> None:
    """Trains and judges all arms of an experiment on the same cases; continues where it stopped. Exit code 3 if one failed."""
    from drifa.experiments.experiment import read_experiment
    from drifa.experiments.plan import make_plan
    from drifa.experiments.run import run_experiment

    named = None if fusions is None else [name.strip() for name in fusions.split(",") if name.strip()]
    plan = make_plan(read_experiment(arguments[0], arguments[1:], named, seeds_from(seeds), folds))
    if dry_run:
        show_plan(plan, out, jobs)
        return
    with progress_bar(quiet) as progress:
        outcomes, found = run_experiment(plan, out, jobs, tell_outcome, progress, quiet or jobs > 1)
    failed = [outcome for outcome in outcomes if outcome.state == "failed"]
    elsewhere = [outcome for outcome in outcomes if outcome.state == "claimed"]
    if elsewhere:
        typer.echo(
            f"{len(elsewhere)} of {plural(len(plan.jobs), 'job')} with another process: run this again when it has ended"
        )
    typer.echo(f"\n{found.verdict}\n\nwrote {out}/comparison.html, comparison.md, comparison.json and comparison.csv")
    if failed:
        typer.echo(
            f"{len(failed)} of {plural(len(plan.jobs), 'job')} failed (exit code 3); the same command tries them again",
            err=True,
        )
        raise typer.Exit(3)


def seeds_from(text: str | None) -> list[int] | None:
    """The value of ``--seeds``: a number of them, or a list."""
    if text is None:
        return None
    try:
        numbers = [int(part) for part in text.split(",")]
    except ValueError:
        raise DrifaError(
            f"--seeds {text!r} is neither a number of seeds, such as 3, nor a list of them, such as 0,1,2"
        ) from None
    if "," not in text and numbers[0] < 1:
        raise DrifaError(f"--seeds {text} trains nothing; give how many seeds, 1 or more, or a list of them, such as 0,1,2")
    return numbers if "," in text else list(range(numbers[0]))


def tell_outcome(outcome: Outcome, done: int, total: int, left: float | None) -> None:
    """Prints how a job ended, and how long the others will take."""
    from drifa.report.words import duration

    reason = f": {outcome.reason}" if outcome.reason else ""
    rest = f", about {duration(left)} left" if left else ""
    typer.echo(f"[{done}/{total}] {outcome.name} {outcome.state}{reason}{rest}", err=outcome.state == "failed")


def show_plan(plan: Plan, out: Path, side_by_side: int = 1) -> None:
    """Prints the arms of an experiment with their cost, its jobs and its primary comparison."""
    from rich.console import Console
    from rich.table import Table

    from drifa.experiments.cost import costs
    from drifa.report.words import duration

    told = costs(plan, out, side_by_side)
    shown = Table("arm", "sets", "parameters", "MACs", "jobs left", "time left")
    for cost in told:
        macs = f"{cost.macs / 1e6:,.1f} M" if cost.macs is not None else "–"
        time = duration(cost.seconds) if cost.seconds is not None else "not known before one is done"
        time = f"about {time}" if cost.guessed and cost.seconds else time
        shown.add_row(cost.arm, ", ".join(plan.told[cost.arm]), f"{cost.parameters:,}", macs, str(cost.left), time)
    Console().print(shown)
    known = [cost.seconds for cost in told if cost.seconds is not None]
    if len(known) == len(told):
        typer.echo(
            f"all of it: about {duration(sum(known) / side_by_side)}{f' with --jobs {side_by_side}' * (side_by_side > 1)}"
        )
    if any(cost.guessed and cost.seconds is not None for cost in told):
        typer.echo("about: one step of the network was timed here, on drawn numbers; reading images and the test come on top")
    typer.echo(f"jobs: {' '.join(job.name for job in plan.jobs)}")
    own = plan.primary
    typer.echo(f"primary: {own.a} - {own.b}, {own.metric} of {' and '.join(own.tasks)}, on split {plan.jobs[0].split[:12]}")
    typer.echo("nothing was trained or written; leave --dry-run away to begin")
