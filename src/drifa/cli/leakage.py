"""`drifa data leakage-cost`: what siblings of test images in training are worth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from drifa.cli.arguments import Quiet
from drifa.cli.compare import seeds_from, tell_outcome
from drifa.cli.screen import progress_bar
from drifa.errors import DrifaError


def leakage_cost(
    study: Annotated[Path, typer.Argument(help="Study folder whose groups hold several subjects.")],
    config: Annotated[Path, typer.Argument(help="Configuration of the networks; its own study is not used.")],
    overrides: Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Overrides.")] = None,
    share: Annotated[str, typer.Option(help="Shares of the test groups with siblings that leak.")] = "0.1,0.5,1",
    seeds: Annotated[str | None, typer.Option(help="How many seeds, or which, such as 0,1,2; 3 by default.")] = None,
    out: Annotated[Path, typer.Option(help="Folder to write, or to continue.")] = Path("runs/leakage"),
    jobs: Annotated[int, typer.Option(help="Networks to train side by side, as processes.", min=1)] = 1,
    quiet: Quiet = False,
) -> None:
    """Trains with and without siblings of test images, on sets of equal size, and tells the points that they add."""
    from drifa.experiments.leakage import leakage_cost as measure

    try:
        shares = [float(part) for part in share.split(",")]
    except ValueError:
        raise DrifaError(f"--share {share!r} is no list of numbers, such as 0.1,0.5,1") from None
    with progress_bar(quiet) as progress:
        numbers, quiet = seeds_from(seeds) or [0, 1, 2], quiet or jobs > 1
        found, outcomes = measure(study, config, shares, out, numbers, overrides or [], tell_outcome, progress, quiet, jobs)
    for one in found:
        value = one.difference["value"]
        if one.metric == "balanced_accuracy" and value is not None:
            typer.echo(f"share {one.share:g}, {one.task}, {one.on} ({one.cases} cases): {100 * value:+.1f} points")
    typer.echo(f"wrote {out}/leakage.md and leakage.json")
    if any(outcome.state == "failed" for outcome in outcomes):
        raise typer.Exit(3)
