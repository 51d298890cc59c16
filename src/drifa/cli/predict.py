"""`drifa predict`: answers for new images, on the screen and in files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from drifa.cli.arguments import Quiet, Settings, places_of
from drifa.cli.screen import progress_bar
from drifa.errors import LONGEST, DrifaError, on_screen, plural


def predict(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    settings: Settings = None,
    image: Annotated[list[str] | None, typer.Option(help="MODALITY=PATH; once per modality of one subject.")] = None,
    value: Annotated[list[str] | None, typer.Option(help="COLUMN=VALUE; for tabular modalities.")] = None,
    table: Annotated[Path | None, typer.Option(help="CSV or Parquet with subject, modality, path.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the answers as JSON.")] = None,
    csv_file: Annotated[Path | None, typer.Option("--csv", help="Write the answers as CSV.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the masks of a segmentation, or the parts of --engine ray.")
    ] = None,
    partners: Annotated[bool, typer.Option(help="Fill absent unpaired modalities with training images.")] = True,
    strict: Annotated[bool, typer.Option("--strict", help="One case that cannot be answered ends it all.")] = False,
    engine: Annotated[Literal["plain", "ray"], typer.Option(help="ray: a large table, in parts, by many workers.")] = "plain",
    ray_address: Annotated[str | None, typer.Option(help="Of a Ray cluster; by default one is started here.")] = None,
    workers: Annotated[int, typer.Option(min=0, help="With --engine ray; 0 = one per GPU, or per CPU.")] = 0,
    part: Annotated[int, typer.Option(min=0, help="With --engine ray: subjects of a part, one worker's; 0 = 2000.")] = 0,
    quiet: Quiet = False,
) -> None:
    """Predictions with uncertainty for new images; one modality alone is enough. Exit code 3 if some have no answer."""
    from drifa.files import write_csv, write_json
    from drifa.prediction.answers import as_table
    from drifa.prediction.asking import CASE
    from drifa.prediction.cases import Case, cases_from_arguments, cases_from_table
    from drifa.prediction.predict import predict as predict_cases

    if image and table:
        raise DrifaError("give --image or --table, not both")
    if value and table:
        raise DrifaError(f"--value {value[0]!r} goes with --image; in a table each column is a value: add it to {table}")
    if engine == "ray":
        if table is None or out is None or json_file is not None or strict:
            raise DrifaError("--engine ray takes --table FILE and --out FOLDER for the parts, and neither --json nor --strict")
        _predict_parts(run, settings, table, out, csv_file, partners, ray_address, workers, part, quiet)
        return
    if ray_address is not None or workers or part:
        raise DrifaError("--ray-address, --workers and --part go with --engine ray")
    if out is not None and csv_file is not None:
        raise DrifaError(f"--csv {csv_file} is for classes; --out writes masks, and their volumes go to --json FILE")
    cases = cases_from_table(table) if table else cases_from_arguments(image or [], value or []) or [Case(CASE, {})]
    if out is not None:
        _predict_masks(run, settings, cases, out, json_file, strict or not table, quiet)
        return
    with progress_bar(quiet) as progress:
        result = predict_cases(run, cases, partners, places_of(settings), strict or not table, progress)
    answers = as_table(result)
    if json_file is not None:
        write_json(json_file, result.to_json())
        typer.echo(f"wrote {json_file}")
    if csv_file is not None:
        typer.echo(f"wrote {write_csv(csv_file, answers)}")
    if json_file is None and csv_file is None and len(answers) > 20:
        typer.echo(f"{len(answers)} answers, too many to print: keep them with --csv FILE or --json FILE")
    for case in result.cases if len(answers) <= 20 else ():
        for task, answer in case.tasks.items():
            typer.echo(f"{on_screen(case.subject)}  {task}: {answer.words()}  ({case.words()}, {result.mode})")
        for warning in case.warnings:
            typer.echo(f"{on_screen(case.subject)}  warning: {warning.modality}: {warning.text}")
    if result.note:
        typer.echo(f"note: {result.note}")
    _tell_failures(result)


def _tell_failures(result: Any) -> None:
    """Names the cases without an answer, which the exit code tells too."""
    for failure in result.failures:
        typer.echo(f"no answer: {on_screen(failure.words(), LONGEST)}", err=True)
    if result.failures:
        asked = len(result.cases) + len(result.failures)
        typer.echo(f"{len(result.failures)} of {plural(asked, 'subject')} without an answer (exit code 3)", err=True)
        raise typer.Exit(3)


def _predict_parts(
    run: Path,
    settings: list[str] | None,
    table: Path,
    out: Path,
    csv_file: Path | None,
    partners: bool,
    address: str | None,
    workers: int,
    part: int,
    quiet: bool,
) -> None:
    from drifa.files import write_csv
    from drifa.prediction.parts import PART, predict_table

    places = places_of(settings)
    with progress_bar(quiet) as progress:
        answers = predict_table(run, table, out, partners, places, address, workers, part or PART, progress)
    typer.echo(f"wrote {out}")
    if csv_file is not None:
        typer.echo(f"wrote {write_csv(csv_file, answers)}")
    failed = answers[answers["failure"].notna()] if "failure" in answers else answers[:0]
    for reason in failed["failure"] if len(failed) else ():
        typer.echo(f"no answer: {on_screen(reason, LONGEST)}", err=True)
    if len(failed):
        subjects = plural(answers["subject"].nunique(), "subject")
        typer.echo(f"{len(failed)} of {subjects} without an answer (exit code 3)", err=True)
        raise typer.Exit(3)


def _predict_masks(
    run: Path, settings: list[str] | None, cases: list[Any], out: Path, json_file: Path | None, strict: bool, quiet: bool
) -> None:
    from drifa.files import write_json
    from drifa.prediction.answers import RegionsAnswer
    from drifa.prediction.predict import predict_volumes

    with progress_bar(quiet) as progress:
        result = predict_volumes(run, cases, out, strict, progress, places_of(settings))
    if json_file is not None:
        write_json(json_file, result.to_json())
        typer.echo(f"wrote {json_file}")
    for case in result.cases:
        for task, answer in case.tasks.items():
            assert isinstance(answer, RegionsAnswer)
            asked = ", ".join(filter(None, [case.words(), result.mode]))
            typer.echo(f"{on_screen(case.subject)}  {task}: {answer.words()}  ({asked})  wrote {', '.join(answer.files)}")
        for warning in case.warnings:
            typer.echo(f"{on_screen(case.subject)}  warning: {warning.modality}: {warning.text}")
    _tell_failures(result)
