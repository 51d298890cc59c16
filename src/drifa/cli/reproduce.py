"""`drifa reproduce`: a table or a figure of the paper, made here, beside what is printed there."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from drifa.cli.arguments import Quiet
from drifa.cli.compare import seeds_from, show_plan, tell_outcome
from drifa.cli.screen import progress_bar
from drifa.errors import DrifaError

if TYPE_CHECKING:
    from drifa.experiments.paper_tables import Setting


def reproduce(
    what: Annotated[str, typer.Argument(help="table1 … table7, figure4, figure5, all of these, or authors.")],
    rest: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[KEY=VALUE]... | RUN | CONFIG [KEY=VALUE]...",
            help="Overrides of the configuration, for all networks; for authors, a run, or a configuration and its overrides; "
            "for figure4, layer=NAME and cases=N.",
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder to write, or to continue; runs/reproduce-WHAT by default.")] = None,
    scale: Annotated[str, typer.Option(help="quick, frozen, standard or paper: sizes, encoder and epochs.")] = "quick",
    protocol: Annotated[
        str, typer.Option(help="strict: whole groups on one side; paper: images at random, as published.")
    ] = "strict",
    data: Annotated[
        Path | None, typer.Option(help="Folder of raw datasets by name: studies that are missing are prepared from it.")
    ] = None,
    studies: Annotated[Path, typer.Option(help="Folder of the studies.")] = Path("studies"),
    seeds: Annotated[str | None, typer.Option(help="How many seeds, or which, such as 0,1,2; 3 by default.")] = None,
    weights: Annotated[Path | None, typer.Option(help="File of pretrained weights of the backbone.")] = None,
    every: Annotated[
        bool, typer.Option("--every", help="Table 5 of all sixteen choices of components, not only the usual eight.")
    ] = False,
    jobs: Annotated[int, typer.Option(help="Networks to train side by side, as processes.", min=1)] = 1,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the jobs and their cost, and train nothing.")] = False,
    quiet: Quiet = False,
) -> None:
    """A table of the paper, made here beside the printed numbers; or the released code's habits, switch by switch (authors).

    authors RUN counts a run as the released code counts; authors CONFIG also trains with its habits in training.
    """
    from drifa.config.reading import checked
    from drifa.experiments.paper_tables import Setting, read_table

    if what == "authors":
        if dry_run or every or data is not None or weights is not None or (scale, protocol) != ("quick", "strict"):
            raise DrifaError("authors takes a run, or a configuration with KEY=VALUE, --seeds, --jobs and --out, and no more")
        _authors(rest or [], seeds, out, jobs, quiet)
        return
    if what in ("figure4", "figure5"):
        _figure(what, rest or [], out, quiet)
        return
    if weights is not None and not weights.is_file():
        raise DrifaError(f"--weights {weights} is no file; give that of the backbone's weights")
    told = {
        **{"scale": scale, "protocol": protocol, "studies": str(studies), "seeds": seeds_from(seeds) or []},
        **{"weights": str(weights or ""), "every": every, "overrides": rest or []},
    }
    if every and what != "all" and not read_table(what).more:
        raise DrifaError(f"{what} has no further rows; --every is for table5, and for all")
    setting, folder = checked(Setting, told, "reproduce"), out or Path("runs") / f"reproduce-{what}"
    if what == "all":
        failed = _all(setting, folder, data, dry_run, quiet, jobs)
    else:
        failed = _table(what, setting, folder, data, dry_run, quiet, jobs)
    if failed:
        typer.echo(f"{failed} jobs failed (exit code 3); the same command tries them again", err=True)
        raise typer.Exit(3)


def _all(setting: Setting, folder: Path, data: Path | None, dry_run: bool, quiet: bool, jobs: int) -> int:
    """Makes all tables and figures that a scale has, each below the folder; one that cannot be made does not end the others."""
    from drifa.experiments.paper_tables import TABLES, tables_at

    names = tables_at(setting.scale)
    places = [folder / name for name in names]
    setting.overrides.insert(0, f"data.cache={json.dumps(str((folder / 'cache').resolve()))}")
    failed = 0
    works: list[Callable[[], int | None]] = [
        partial(_table, name, setting, place, data, dry_run, quiet, jobs, places)
        for name, place in zip(names, places, strict=True)
    ]
    works += [] if dry_run else [partial(_figure, name, [], folder / "table1", quiet) for name in ("figure5", "figure4")]
    for work in works:
        try:
            failed += work() or 0
        except DrifaError as error:
            failed += 1
            typer.echo(f"error: {error}", err=True)
    missing = [name for name in TABLES if name not in names]
    if missing:
        typer.echo(f"left out, as there is no scale {setting.scale!r} of theirs: {', '.join(missing)}")
    return failed


def _table(
    name: str,
    setting: Setting,
    folder: Path,
    data: Path | None,
    dry_run: bool,
    quiet: bool,
    jobs: int,
    others: Sequence[Path] = (),
) -> int:
    """Makes a table, or shows what it would take; returns how many of its jobs failed."""
    from drifa.experiments.paper_tables import plan_part, read_table
    from drifa.experiments.reproduce import prepare_missing, reproduce, run_config

    table = read_table(name)
    if data is not None and not dry_run:
        prepare_missing(name, setting, data, lambda study: typer.echo(f"wrote {study}"))
    if dry_run:
        for part in table.parts:
            typer.echo(f"{name}, {part}: {table.title}")
            if table.modes:
                config = run_config(table, part, setting)
                typer.echo(f"one run of {config.train.members} members, asked in the modes {', '.join(table.modes)}")
                typer.echo("nothing was trained or written; leave --dry-run away to begin")
            else:
                show_plan(plan_part(name, part, setting), folder / part, jobs)
        return 0
    with progress_bar(quiet) as progress:
        result, outcomes = reproduce(name, setting, folder, tell_outcome, progress, quiet or jobs > 1, jobs, others)
    for verdict in result.verdicts.values():
        typer.echo(verdict)
    typer.echo(f"wrote {folder}/{name}.md, {name}.csv and {name}.json")
    return sum(outcome.state == "failed" for outcome in outcomes)


def _figure(name: str, words: list[str], out: Path | None, quiet: bool) -> None:
    from drifa.experiments.paper_figures import draw_figure

    if out is None:
        raise DrifaError(f"{name} is drawn of networks that are trained: drifa reproduce {name} --out runs/reproduce-table1")
    given = dict(word.partition("=")[::2] for word in words)
    for key in given:
        if name != "figure4" or key not in ("layer", "cases"):
            raise DrifaError(f"{name} takes no {key!r}; figure4 takes layer=NAME and cases=N, and figure5 nothing")
    cases = given.get("cases", "4")
    if not cases.isdecimal() or int(cases) < 1:
        raise DrifaError(f"cases={cases} draws nothing; give 1 or more")
    with progress_bar(quiet) as progress:
        page, patients = draw_figure(name, out, int(cases), given.get("layer"), progress)
    typer.echo(f"wrote {page} and {name}.json")
    if patients:
        warning = f"{page} holds images of patients: pass it on only to those who may see them"
        typer.secho(warning, fg=typer.colors.RED)


def _authors(words: list[str], seeds: str | None, out: Path | None, jobs: int, quiet: bool) -> None:
    from drifa.experiments.authors import authors, markdown
    from drifa.experiments.authors_training import authors_training

    if not words:
        raise DrifaError("authors counts a run, or trains by a configuration: drifa reproduce authors RUN, or CONFIG")
    if not Path(words[0]).is_file():
        if len(words) > 1 or seeds or out or jobs > 1:
            raise DrifaError(
                f"{words[0]} is no configuration, so nothing is trained; a run is counted by: drifa reproduce authors RUN"
            )
        with progress_bar(quiet) as progress:
            found = authors(words[0], progress)
        typer.echo(markdown(found))
        typer.echo(f"wrote {words[0]}/authors.md and authors.json")
        return
    folder = out or Path("runs/reproduce-authors")
    with progress_bar(quiet) as progress:
        text, outcomes = authors_training(
            words[0], folder, seeds_from(seeds) or [0, 1, 2], words[1:], tell_outcome, progress, quiet or jobs > 1, jobs
        )
    typer.echo(text)
    typer.echo(f"wrote {folder}/authors.md and authors.json")
    if any(outcome.state == "failed" for outcome in outcomes):
        raise typer.Exit(3)
