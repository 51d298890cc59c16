"""`drifa calibrate`: when a run can be trusted."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from drifa.cli.arguments import Quiet, Settings, places_of
from drifa.cli.screen import print_trust, progress_bar


def calibrate(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    settings: Settings = None,
    method: Annotated[str, typer.Option(help="temperature, vector or isotonic.")] = "temperature",
    level: Annotated[float, typer.Option(help="Promised probability that a prediction set holds the truth.")] = 0.9,
    score: Annotated[str, typer.Option(help="Of the sets: lac, aps or raps.")] = "lac",
    risk: Annotated[float, typer.Option(help="Largest share of wrong answers among those given; the rest is referred.")] = 0.1,
    confidence: Annotated[float, typer.Option(help="Probability that the risk is kept.")] = 0.9,
    false_alarms: Annotated[float, typer.Option(help="Share of usual images that may be called strangers.")] = 0.05,
    strangers: Annotated[bool, typer.Option(help="Learn to tell images unlike those of training.")] = True,
    subsets: Annotated[
        bool, typer.Option("--subsets", help="Learn also of every subset of the modalities, for cases that lack some.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """When a run can be trusted, learned beside training: probabilities, sets of classes, abstention, strangers."""
    from drifa.evaluation.calibrate import calibrate as calibrate_run

    with progress_bar(quiet) as progress:
        path, told = calibrate_run(
            *(run, method, level, score, risk, confidence),
            false_alarms if strangers else None,
            progress,
            places_of(settings),
            subsets=subsets,
        )
    print_trust(told)
    part = "validation" if told["source"] == "val" else told["source"]
    typer.echo(f"wrote {path}, learned on the {part} split; `drifa predict {run}` applies it")
