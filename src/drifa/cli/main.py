"""The command line: parse, call, print. Heavy imports wait until a verb needs them."""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from drifa.cli.arguments import Judging, Quiet, Settings, judging_of, places_of
from drifa.cli.calibrate import calibrate
from drifa.cli.compare import compare
from drifa.cli.data import data_app
from drifa.cli.doctor import doctor
from drifa.cli.export import export
from drifa.cli.init import init
from drifa.cli.leakage import leakage_cost
from drifa.cli.models import models
from drifa.cli.pack import card, pack
from drifa.cli.predict import predict
from drifa.cli.reproduce import reproduce
from drifa.cli.screen import print_metrics, print_subsets, print_trust, progress_bar
from drifa.cli.serve import serve
from drifa.errors import DrifaError
from drifa.version import __version__


class Interrupted(Exception):
    """Ctrl-C, in a form that reaches :func:`main`: typer ends on a KeyboardInterrupt by itself, without a word."""


# What the parser raises at a wrong word; typer names it nowhere else.
_UsageError: Any = typer.BadParameter.__bases__[0]


@contextmanager
def _brief() -> Iterator[None]:
    """Cuts what the parser says of a wrong word as other mistakes are cut: it repeats the word whole, however long."""
    try:
        yield
    except _UsageError as error:
        error.message = str(DrifaError(error.message))
        raise


class _Verbs(TyperGroup):
    def make_context(self, *words: Any, **more: Any) -> Any:
        with _brief():
            return super().make_context(*words, **more)

    def invoke(self, ctx: Any) -> Any:
        try:
            with _brief():
                return super().invoke(ctx)
        except KeyboardInterrupt as error:
            raise Interrupted from error


app = typer.Typer(
    name="drifa",
    cls=_Verbs,
    help="Multimodal fusion learning on medical images, with uncertainty and honest evaluation. For research use.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.add_typer(data_app, name="data")


def _version(show: bool) -> None:
    if show:
        typer.echo(f"drifa {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    pass


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Run folder to write.")] = Path("runs/demo"),
    quiet: Quiet = False,
) -> None:
    """The main job on the built-in phantom: data, training, evaluation, calibration, report. Five minutes on two cores."""
    from drifa.demo import run_demo

    with progress_bar(quiet) as progress:
        result = run_demo(out, progress, quiet)
    print_metrics(result["metrics"])
    print_trust(result["trust"])
    typer.echo(f"\nstudy    {result['study']}\nrun      {result['run']}\nreport   {result['report']}")
    typer.echo(f"next     drifa predict {result['run']} {result['images']}")


@app.command()
def train(
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="CONFIG [KEY=VALUE]...", help="YAML, then overrides.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Run folder to write; must be new.")] = None,
    resume: Annotated[Path | None, typer.Option(help="Continue this run exactly; takes train.epochs=… and the like.")] = None,
    quiet: Quiet = False,
) -> None:
    """Trains all members of a run, and calibrates it."""
    from drifa.config import load_config, parse_override
    from drifa.evaluation.calibrate import calibrate_trained
    from drifa.training.processes import process_rank
    from drifa.training.train import resume as resume_run
    from drifa.training.train import train as train_run

    words = arguments or []
    with progress_bar(quiet) as progress:
        if resume is not None:
            if out is not None:
                raise DrifaError("--resume continues a run in its own folder; leave --out away")
            overrides: dict[str, Any] = {}
            said: list[str] = []
            for word in words:
                keys, value = parse_override(word)
                if len(keys) == 2 and keys[0] == "train":
                    overrides[keys[1]] = value
                elif keys in (["data", "study"], ["data", "cache"]):
                    said.append(word)
                else:
                    raise DrifaError(f"with --resume only train.…, data.study and data.cache can be given, not {word!r}")
            run = resume_run(resume, overrides, progress, quiet, places_of(said))
        else:
            if not words or out is None:
                raise DrifaError("give a config and a new folder: drifa train CONFIG [key=value …] --out RUN")
            run = train_run(load_config(words[0], words[1:]), out, progress, quiet)
        if process_rank() > 0:
            return
        calibrated, warning = calibrate_trained(run, progress)
    for line in run.info.pretrained:
        typer.echo(line)
    if warning:
        typer.echo(f"warning: {warning}")
    learned = f", {calibrated.name}" if calibrated is not None else ""
    typer.echo(f"wrote {run.folder}: {len(run.trained_members())} trained member(s){learned}")
    typer.echo(f"next: drifa evaluate {run.folder}")


def _told_first(done: int, total: int, what: str) -> None:
    """Without bars, a line before what takes long: how often the networks are asked, and about how many."""
    if done == 0:
        typer.echo(f"{what}: {total}")


@app.command()
def evaluate(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    settings: Judging = None,
    study: Annotated[Path | None, typer.Option(help="Judge the run on this other study (external validation).")] = None,
    split: Annotated[str, typer.Option(help="test, val, calibration, train or all.")] = "test",
    json_file: Annotated[Path | None, typer.Option("--json", help="Also write the metrics to this file.")] = None,
    subsets: Annotated[bool, typer.Option("--subsets", help="Also judge every subset of the modalities.")] = False,
    quiet: Quiet = False,
) -> None:
    """Metrics with intervals, calibration and uncertainty; alone and with partners where modalities are unpaired."""
    from drifa.evaluation.calibrate import judge_calibration
    from drifa.evaluation.evaluate import evaluate as evaluate_run
    from drifa.files import write_json

    words, judging = judging_of(settings)
    with progress_bar(quiet) as progress:
        where, result = evaluate_run(
            run,
            study=study,
            split=split,
            progress=progress or _told_first,
            subsets=subsets,
            places=places_of(words),
            settings=judging,
        )
    if json_file is not None:
        write_json(json_file, result)
    print_metrics(result, where)
    if subsets:
        print_subsets(where)
    answers = "volumes.csv, predictions/" if (where / "volumes.csv").is_file() else "predictions.parquet"
    typer.echo(f"wrote {where}/metrics.json, evaluation.json, {answers}" + (f", and {json_file}" if json_file else ""))
    if study is None and split == "test":
        if judge_calibration(run):
            typer.echo(f"wrote {run}/calibration.json: how sets, probabilities and abstention do on the test split")
        typer.echo(f"next: drifa report {run}")
    else:
        typer.echo(f"next: compare with {run}/metrics.json, the test split of the run (drifa evaluate {run})")


app.command()(calibrate)
app.command()(predict)


@app.command()
def explain(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    settings: Settings = None,
    cases: Annotated[int, typer.Option(help="How many test cases get maps, evenly spread.")] = 4,
    subject: Annotated[str | None, typer.Option(help="Explain this subject of the study alone.")] = None,
    image: Annotated[list[str] | None, typer.Option(help="MODALITY=PATH; explain these images alone.")] = None,
    value: Annotated[list[str] | None, typer.Option(help="COLUMN=VALUE; for tabular modalities.")] = None,
    task: Annotated[str | None, typer.Option(help="Explain this task alone.")] = None,
    layer: Annotated[str | None, typer.Option(help="Stage whose maps are read; by default the last of 7 × 7 cells.")] = None,
    method: Annotated[str, typer.Option(help="hirescam, gradcam or occlusion.")] = "hirescam",
    embedding: Annotated[str, typer.Option(help="tsne, pca or umap: how the test split's readouts are drawn.")] = "tsne",
    quiet: Quiet = False,
) -> None:
    """Maps of relevance with their checks, shares of the modalities, gates, cases alike; of volumes, where they are unsure."""
    from drifa.explain.explain import explain as explain_run
    from drifa.prediction.cases import cases_from_arguments

    if subject is not None and (image or value):
        raise DrifaError(f"--subject {subject} is a case of the study; give it or --image, not both")
    own = cases_from_arguments(image or [], value or [])
    with progress_bar(quiet) as progress:
        where, found = explain_run(
            *(run, cases, subject, own[0] if own else None, task, layer, method, embedding, places_of(settings), progress)
        )
    for line in found.told():
        typer.echo(line)
    typer.echo(f"wrote {where}/explain.json and its figures")
    if found.patients:
        typer.secho(
            f"{where} holds images of the cases themselves: pass it on only to those who may see the patients' images",
            fg=typer.colors.RED,
        )


@app.command()
def report(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    images: Annotated[bool, typer.Option("--images", help="Put small pictures of single cases on the page.")] = False,
) -> None:
    """One self-contained HTML file that a clinician and a statistician can both read."""
    from drifa.report import write_report

    path = write_report(run, images, warn=lambda told: typer.secho(told, fg=typer.colors.YELLOW, err=True))
    typer.echo(f"wrote {path}\nnext: open it in a browser")


app.command()(pack)
app.command()(card)
app.command()(export)
app.command()(serve)
app.command()(compare)
app.command()(reproduce)
app.command()(models)
app.command()(init)
app.command()(doctor)
data_app.command("leakage-cost")(leakage_cost)


def main() -> None:
    """Runs the command line; mistakes of the user end in one line and exit code 2."""
    try:
        app()
    except DrifaError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)
    except OSError as error:
        # A folder that may not be written, a full disk, a file that vanished: the user's to mend, as above.
        place = f"{error.filename}: " if error.filename else ""
        room = "make room on its disk, or choose another place"
        remedies = {errno.ENOSPC: room, errno.EDQUOT: room, errno.ENAMETOOLONG: "choose a shorter name"}
        remedy = remedies.get(error.errno or 0, "correct its permissions, or choose another place")
        # As the mistakes above are told: without escape sequences, and cut where a name is endless.
        typer.echo(f"error: {DrifaError(f'{place}{error.strerror or error}; {remedy}')}", err=True)
        sys.exit(2)
    except (Interrupted, KeyboardInterrupt):
        typer.echo(
            "interrupted; files that are complete are kept. A training continues with: drifa train --resume RUN, and an "
            "experiment with the same command",
            err=True,
        )
        sys.exit(130)
