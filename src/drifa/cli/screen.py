"""What the verbs show on the screen: tables of metrics, progress bars. Heavy imports wait until something is shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from drifa.progress import Progress

#: Metrics of subjects that are printed, of those that a task has.
SHOWN = (
    *("accuracy", "balanced_accuracy", "f1", "auc", "ece", "accuracy_at_80", "accuracy_alone", "partner_flip_rate"),
    *("mae", "rmse", "r2", "pearson", "coverage_90", "mae_at_80", "mae_alone", "partner_std"),
)
SUBSETS_SHOWN = ("accuracy", "balanced_accuracy", "auc", "mae", "r2")
#: Metrics of volumes that are printed, by the first word of their name.
VOLUME_SHOWN = ("dice", "hd95", "missed")


def print_metrics(result: dict[str, Any], where: Path | None = None) -> None:
    """One table per task; beside the evaluation in a folder, a number names its unit."""
    import json

    from rich.console import Console
    from rich.table import Table

    tasks = json.loads((where / "evaluation.json").read_text(encoding="utf-8"))["tasks"] if where is not None else {}
    for task, modes in result.items():
        unit = tasks.get(task, {}).get("unit")
        table = Table(f"{task}, {unit}" if unit else task, *modes, title_justify="left")
        regions = [name for name in next(iter(modes.values())) if name.split("_")[0] in VOLUME_SHOWN]
        for name in regions or SHOWN:
            cells = [_cell(metrics.get(name)) for metrics in modes.values()]
            if any(cells):
                table.add_row(name, *cells)
        Console().print(table)


def print_subsets(where: Path) -> None:
    import json
    import re

    from rich.console import Console
    from rich.table import Column, Table

    found = json.loads((where / "evaluation.json").read_text(encoding="utf-8"))["subsets"]
    for task, subsets in found.items():
        first = next(iter(subsets.values()))
        shown = [name for name in first if name in SUBSETS_SHOWN or re.match("dice(?!_present)", name)]
        table = Table(Column(f"{task}, from", no_wrap=True), *shown)
        for subset, metrics in subsets.items():
            table.add_row(subset, *(_cell(metrics[name]) for name in shown))
        Console().print(table)


def _cell(interval: dict[str, float | None] | None) -> str:
    if interval is None or interval["value"] is None:
        return ""
    if interval["low"] is None or interval["high"] is None:
        return f"{interval['value']:.3f}"
    return f"{interval['value']:.3f}\n{interval['low']:.3f}–{interval['high']:.3f}"


@contextmanager
def progress_bar(quiet: bool) -> Iterator[Progress | None]:
    """A rich progress bar that is shown from the first call on; one line per thing counted."""
    if quiet:
        yield None
        return
    import rich.progress
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(bar_width=20), MofNCompleteColumn(), TimeRemainingColumn())
    tasks: dict[str, Any] = {}
    bar: rich.progress.Progress | None = None

    def advance(done: int, total: int, what: str) -> None:
        nonlocal bar
        if bar is None:
            # Of a console of its own: a training that begins takes whatever stands on the usual one away.
            bar = rich.progress.Progress(*columns, console=Console(), transient=True)
            bar.start()
        if what not in tasks:
            tasks[what] = bar.add_task(what, total=total)
        bar.update(tasks[what], completed=done, total=total)
        if all(task.finished for task in bar.tasks):
            # Stopped between phases, so that it never shares the screen with the training bar.
            bar.stop()
            bar = None
            tasks.clear()

    try:
        yield advance
    finally:
        if bar is not None:
            bar.stop()


def print_trust(told: Mapping[str, Any]) -> None:
    """What a calibration, the content of `calibration.json`, is worth on the test split, one line each."""
    import typer

    for task, found in told["test"].items():
        learned = told["tasks"][task]
        for metric in ("ece", "nll") if "calibration" in found else ():
            change = found["calibration"][metric]
            words = (f"{when} {_span(change[when])}" for when in ("before", "after"))
            typer.echo(f"{task}: {metric.upper()} on test {', '.join(words)}")
        for everyone in found.get("coverage", ())[:1]:
            coverage, size, level = _span(everyone["group_coverage"]), _span(everyone["size"]), learned["sets"]["level"]
            typer.echo(f"{task}: sets at {level:.0%} hold the truth in {coverage} of test cases, with {size} classes")
        for everyone in found.get("abstention", ())[:1]:
            kept, risk, target = _span(everyone["coverage"]), _span(everyone["risk"]), learned["abstention"]["target"]
            typer.echo(f"{task}: at a risk of {target:.0%}, {kept} of test cases are answered, {risk} of these wrongly")
        for note in found["notes"]:
            typer.echo(f"{task}: note: {note}")
    for name, found in told.get("test_subsets", {}).items():
        for task, own in found.items():
            everyone = own.get("abstention", ())[:1]
            told_of = [f"ECE on test {_span(own['calibration']['ece']['after'])}"] if "calibration" in own else []
            told_of += [f"{_span(one['coverage'])} answered, {_span(one['risk'])} of these wrongly" for one in everyone]
            none = ", ".join(note.partition(":")[0] for note in own["notes"]) or "nothing could be judged"
            typer.echo(f"{task}, from {name} alone: {', '.join(told_of) or none}")
    for task, regions in told.get("test_regions", {}).items():
        for region, own in regions.items():
            before, after = (_span(own["nll"][when]) for when in ("before", "after"))
            typer.echo(f"{task}, {region}: NLL of voxels on test before {before}, after {after}")
    for name, found in told["strangers"].items():
        alarms = f", {_span(found['false_alarms'])} on test" if "false_alarms" in found else ""
        typer.echo(f"{name}: strangers are told at {found['rate']:.0%} false alarms{alarms}")
    for note in told["notes"]:
        typer.echo(f"note: {note}")


def _span(interval: Mapping[str, float | None]) -> str:
    if None in interval.values():
        return "–"
    return f"{interval['value']:.3f} [{interval['low']:.3f}, {interval['high']:.3f}]"
