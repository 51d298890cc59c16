"""`drifa data …`: known datasets, raw folders to studies, audit, splits."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from drifa.cli.arguments import Quiet
from drifa.cli.audit import audit
from drifa.cli.places import study_folder, writing
from drifa.data.splits.protocols import PROTOCOLS, SMALL
from drifa.errors import DrifaError, plural

if TYPE_CHECKING:
    from drifa.config import Config
    from drifa.data import Study

data_app = typer.Typer(help="Known datasets, raw folders to studies, audit, splits.", no_args_is_help=True)


@data_app.command("list")
def data_list() -> None:
    """The datasets that `prepare` knows."""
    from rich.console import Console
    from rich.table import Column, Table

    from drifa.data.adapters.prepare import ADAPTERS, OWN

    console = Console()
    # The identifiers are long; in a narrow window they would fold every row. `data download` prints them too.
    wide = console.width >= 150
    table = Table(
        "name", "what", "images in full set", "licence", *([Column("download (Kaggle)", overflow="fold")] if wide else [])
    )
    for name, adapter in ADAPTERS.items():
        table.add_row(
            name, adapter.title, f"{adapter.counts['images']:,}", adapter.licence, *([adapter.kaggle] if wide else [])
        )
    for name, what in OWN.items():
        table.add_row(name, what)
    table.add_row("phantom", "built-in synthetic study; needs no folder")
    console.print(table)
    typer.echo(
        "next: drifa data download NAME --out FOLDER, or, with files at hand, drifa data prepare NAME FOLDER --out STUDY"
    )


@data_app.command()
def download(
    name: Annotated[str, typer.Argument(help="A name of `drifa data list`.")],
    out: Annotated[Path, typer.Option(help="Folder to write; must be new.")],
    accept_licence: Annotated[bool, typer.Option("--accept-licence", help="I have read the licence and accept it.")] = False,
) -> None:
    """Prints a dataset's licence and source and, once you accept them, fetches its copy from Kaggle."""
    from drifa.data.adapters.download import download as fetch
    from drifa.data.adapters.download import find_adapter, terms

    typer.echo(terms(find_adapter(name)))
    typer.echo(f"wrote {fetch(name, out, accept_licence)}\nnext: drifa data prepare {name} {out} --out STUDY")


@data_app.command()
def prepare(
    name: Annotated[str, typer.Argument(help="A name of `drifa data list`: a dataset, `folders`, `table` or `phantom`.")],
    folder: Annotated[
        Path | None, typer.Argument(help="Folder with the raw files; for `table` the mapping's YAML file; none for phantom.")
    ] = None,
    options: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Options of the adapter; the documentation lists them.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Study folder to write; studies/NAME if not told.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the study in that folder, and its split.")] = False,
) -> None:
    """Turns a raw dataset folder into a study (a table and study.yaml; images stay where they are)."""
    from drifa.data.study.subjects import subject_codes, texts_of

    if out is None:
        out = _default_out(name, folder)
        typer.echo(f"no --out: the study goes to {out}")
    if name == "phantom":
        # It has no folder, so that its option stands in the folder's place.
        study = _phantom([str(folder), *(options or ())] if folder else [], out, overwrite)
    else:
        study = _prepared(name, folder, options or [], out, overwrite)
    # A label stands on every row of a subject, and is one all the same.
    codes, ids = subject_codes(study.table)
    typer.echo(f"wrote {out}: {plural(len(study.table), 'image')} of {plural(len(ids), 'subject')}")
    for task in study.tasks.values():
        typer.echo(f"  {task.name}: {task.target.told(texts_of(study.table[task.name], codes, len(ids)).tolist())}")
    _warn_of_small_classes(study)
    if study.notes:
        typer.echo(f"  notes: {study.notes}")
    typer.echo(f"next: drifa data audit {out}")


def _default_out(name: str, folder: Path | None) -> Path:
    """Named after the data: a dataset's own name says what is in it, and that of a way to read data does not."""
    from drifa.data.adapters.prepare import ADAPTERS

    own = folder is not None and name != "phantom" and name not in ADAPTERS
    return Path("studies") / ((folder.resolve().stem if folder is not None and own else "") or name)


def _warn_of_small_classes(study: Study) -> None:
    """Names classes that training would refuse, or that no split can put on every side."""
    subjects = study.subjects()
    for task in study.tasks.values():
        counted = (
            task.target.counted(subjects.targets[task.name], subjects.known_of(task.name))
            if task.target.reads == "subject" and task.target.names
            else {}
        )
        for name, has in counted.items():
            groups = len(set(subjects.group[has].tolist()))
            if (subjects.split != "").any() and not (has & (subjects.split == "train")).any():
                typer.echo(f"  warning: {name} of task {task.name} has no subject in train, so training refuses it; {SMALL}")
            elif groups < 3:
                number = plural(groups, "group")
                typer.echo(f"  warning: {name} of task {task.name} has {number}, too few for train, val and test; {SMALL}")


def _phantom(words: list[str], out: Path, overwrite: bool) -> Study:
    from drifa.data import make_phantom
    from drifa.data.adapters.prepare import check_new, stale_in

    if words not in ([], ["numbers=yes"]):
        raise DrifaError(f"phantom is built in and takes no {words[0]!r}: drifa data prepare phantom [numbers=yes] --out {out}")
    check_new(out, overwrite)
    for path in stale_in(out):
        path.unlink(missing_ok=True)
    return make_phantom(out, numbers=bool(words))


def _prepared(name: str, folder: Path | None, options: list[str], out: Path, overwrite: bool) -> Study:
    from drifa.data import prepare as prepare_study
    from drifa.data.adapters.prepare import check_known

    settings: dict[str, str] = {}
    for word in options:
        key, equals, value = word.partition("=")
        if not equals or key in settings:
            fault = "comes twice" if equals else "is not of the form key=value"
            raise DrifaError(f"option {word!r} of prepare {name} {fault}; write each as key=value, once")
        settings[key] = value
    if folder is None:
        check_known(name)
        what = "the mapping's YAML file" if name == "table" else "the folder with its raw files"
        raise DrifaError(f"prepare {name} needs {what}: drifa data prepare {name} FOLDER --out {out}")
    return prepare_study(name, folder, out, settings, overwrite)


data_app.command()(audit)


@data_app.command()
def preview(
    study: Annotated[Path, typer.Argument(help="Study folder.")],
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="[CONFIG] [KEY=VALUE]...", help="YAML, then overrides, as for `drifa train`.")
    ] = None,
    *,
    out: Annotated[Path, typer.Option(help="HTML file to write. It holds images of the study.")],
    per_class: Annotated[int, typer.Option(help="Subjects per class.")] = 4,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the choice of subjects and of the augmentation.")] = 0,
    quiet: Quiet = False,
) -> None:
    """Training images by class as a network will see them, raw and augmented, on one page to look at before training."""
    from drifa.cli.screen import progress_bar
    from drifa.data import Study
    from drifa.preview import write_preview
    from drifa.report.study import is_phantom

    study_folder(study, "preview")
    config = _preview_config(study, arguments or [])
    with progress_bar(quiet) as progress:
        page, groups = write_preview(config, out, per_class, seed, progress)
    for group in groups:
        typer.echo(f"  {group.task}: {group.title}: {len(group.shown)} of {group.count} training subjects")
    whose = "synthetic images" if is_phantom(Study.load(study)) else "images of patients"
    typer.echo(f"wrote {page}, which holds {whose}\nnext: open it in a browser")


def _preview_config(study: Path, words: list[str]) -> Config:
    """The configuration of a training on a study; without a file, the defaults."""
    from drifa.config import apply_override, load_config, make_config

    given = next((word for word in words if word.partition("=")[0] == "data.study"), None)
    if given is not None:
        raise DrifaError(f"{given!r} names a second study; `drifa data preview STUDY` has it in the first place")
    if words and "=" not in words[0]:
        config = load_config(words[0], words[1:])
        config.data.study = str(study)
        return config
    raw: dict[str, Any] = {"data": {"study": str(study)}}
    for word in words:
        apply_override(raw, word)
    return make_config(raw, "the overrides")


@data_app.command()
def split(
    study: Annotated[Path, typer.Argument(help="Study folder.")],
    protocol: Annotated[
        str, typer.Option(help="; ".join(f"{name}: {what}" for name, what in PROTOCOLS.items()) + ".")
    ] = "strict",
    seed: Annotated[int, typer.Option(help="Seed of the split.")] = 0,
    fractions: Annotated[tuple[float, float, float], typer.Option(help="Shares of train, val and test.")] = (0.8, 0.1, 0.1),
    sizes: Annotated[
        tuple[int, int, int] | None, typer.Option(help="Subjects of train, val and test, for a complete set: 201 35 133.")
    ] = None,
    folds: Annotated[int | None, typer.Option(help="Number of folds (kfold).")] = None,
    fold: Annotated[int | None, typer.Option(help="Which fold is tested, from 0; the next one validates (kfold).")] = None,
    column: Annotated[str, typer.Option(help="Column of the table that holds the split (column).")] = "",
    calibration: Annotated[float, typer.Option(help="Share of train that is cut off for `drifa calibrate` alone.")] = 0.0,
) -> None:
    """Writes the split into the study's table, with a receipt beside it."""
    from drifa.data import Study, write_receipt
    from drifa.data import split as split_study

    folder = study_folder(study, "split")
    loaded = Study.load(study)
    done, receipt = split_study(
        loaded, protocol, fractions, seed, sizes=sizes, folds=folds, fold=fold, column=column, calibration=calibration
    )
    with writing(folder / "study.yaml"):
        done.save(folder)
    with writing(folder / "split.csv"):
        write_receipt(done, receipt, folder)
    for name, groups in receipt["groups"].items():
        typer.echo(f"  {name:5s} {plural(receipt['subjects'][name], 'subject')}, {plural(groups, 'group')}")
    if receipt["unused"]:
        typer.echo(
            f"  set aside: {plural(receipt['unused'], 'subject that shares', 'subjects that share')} a group with what they "
            f"would be judged on"
        )
    if receipt["note"]:
        typer.echo(f"  note: {receipt['note']}")
    _warn_of_gaps(done, receipt)
    meaning = f" ({' / '.join(receipt['group_meaning'].splitlines())})" if receipt["group_meaning"] else ""
    typer.echo(f"groups{meaning} in two splits: {receipt['groups_in_two_splits']}    sha256 {receipt['sha256'][:16]}…")
    typer.echo(f"wrote {folder}/split.csv and {folder}/split_receipt.json")
    if all(receipt["subjects"].values()) and not _untrained(receipt):
        typer.echo("next: drifa train CONFIG data.protocol=given --out RUN")


def _warn_of_gaps(study: Study, receipt: dict[str, Any]) -> None:
    """Names splits without subjects, and classes without a subject in one of the others."""
    by_hand = {
        "column": f"correct the column {receipt['column']!r} of the table",
        "given": "correct the column 'split' of the table, or split with --protocol strict",
        "official": "use --protocol strict",
    }.get(receipt["protocol"])
    if receipt["protocol"] == "given" and _has_published(study):
        by_hand = f"{by_hand} or official, the published split"
    shares = "--sizes" if receipt["sizes"] else "--fractions"
    for name, count in receipt["subjects"].items():
        if not count:
            remedy = by_hand or f"give it a share by {shares}"
            typer.echo(f"  warning: {name} is empty, so training refuses this split; {remedy}")
    again = "try another --seed" + ("" if receipt["protocol"] == "kfold" else f" or other {shares}")
    unseen = _untrained(receipt)
    for missing, told in (
        (unseen, ", so training refuses this split"),
        ([text for text in receipt["classes_missing"] if text not in unseen], ""),
    ):
        if missing:
            listed = ", ".join(missing[:10]) + (f" and {len(missing) - 10} more" if len(missing) > 10 else "")
            typer.echo(f"  warning: no subject for {listed}{told}; {by_hand or again}, collect more groups, {SMALL}")


def _has_published(study: Study) -> bool:
    """Whether the protocol official makes a split of the study, so that it can be advised."""
    from drifa.data import split as split_study

    try:
        split_study(study, "official")
    except DrifaError:
        return False
    return True


def _untrained(receipt: dict[str, Any]) -> list[str]:
    """The classes without a subject in train."""
    return [text for text in receipt["classes_missing"] if text.endswith(" in train")]
