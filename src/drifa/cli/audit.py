"""`drifa data audit`: leakage and defects of a study, what matters first."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from drifa.cli.arguments import Quiet
from drifa.cli.places import check_page, study_folder, writing
from drifa.errors import DrifaError, plural

if TYPE_CHECKING:
    from drifa.data import Study
    from drifa.data.audit import Audit


def audit(
    study: Annotated[Path, typer.Argument(help="Study folder.")],
    json_file: Annotated[Path | None, typer.Option("--json", help="Also write the findings to this file.")] = None,
    html: Annotated[Path | None, typer.Option(help="Also write the findings as a page.")] = None,
    images: Annotated[bool, typer.Option("--images", help="Small pictures on the page, which then shows patients.")] = False,
    fix: Annotated[str | None, typer.Option(help="groups: put images that show the same into one group, and save.")] = None,
    run: Annotated[Path | None, typer.Option(help="Also rank the labels that this run, an evaluated one, contradicts.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Show the notes in full, too.")] = False,
    raise_on: Annotated[Literal["error", "warning"], typer.Option(help="Exit code 1 from this severity on.")] = "error",
    quiet: Quiet = False,
) -> None:
    """Duplicates, leakage, shortcuts, odd and damaged images. Exit code 1 if a finding is an error."""
    from drifa.cli.findings import print_findings, print_suspects
    from drifa.cli.screen import progress_bar
    from drifa.data import Study
    from drifa.data.audit import audit as audit_study
    from drifa.data.audit import audit_and_fix
    from drifa.data.audit.receipts import receipt_findings
    from drifa.evaluation.suspects import check_run, suspects_of_run
    from drifa.report.audit_page import check_pictures, write_audit_page

    if fix not in (None, "groups"):
        raise DrifaError(f"--fix {fix} is unknown; --fix groups is what can be mended without you")
    if images and html is None:
        raise DrifaError("--images puts pictures on a page; name it with --html, such as --html audit.html")
    folder = study_folder(study, "audit")
    loaded = Study.load(study)
    if run is not None:
        check_run(run, loaded)
    if html is not None:
        check_page(html, "--html")
        check_pictures(loaded, images)
    with progress_bar(quiet) as progress:
        if fix is None:
            result, fixed, joined = audit_study(loaded, progress), loaded, 0
        else:
            result, fixed, joined = audit_and_fix(loaded, progress)
    result = replace(result, findings=(*result.findings, *receipt_findings(fixed, folder, result.clusters)))
    if run is not None:
        result = replace(result, findings=(*result.findings, *suspects_of_run(run, fixed, result.clusters)))
    print_findings(result, everything)
    print_suspects(result)
    if joined:
        _save_fixed(loaded, fixed, joined, folder)
    elif fix is not None:
        typer.echo("joined 0 groups into others; nothing to mend")
    _save_audit(result, [folder / "audit.json", *([json_file] if json_file else [])])
    if html is not None:
        with writing(html):
            write_audit_page(result, fixed, html, images)
        typer.echo(f"wrote {html}" + (", which holds pictures of the study's images" if images else ""))
    cut = any(one.data.get("clusters_across_groups") for one in result.findings)
    if cut:
        typer.echo(f"next: drifa data audit {study} --fix groups")
    elif result.ok:
        typer.echo(f"next: drifa data split {study}")
    else:
        typer.echo(f"next: mend what the errors name, then drifa data audit {study}")
    if result.reaches(raise_on):
        raise typer.Exit(1)


def _save_fixed(loaded: Study, fixed: Study, joined: int, folder: Path) -> None:
    from drifa.data.splits.receipts import RECEIPT_FILE, SPLIT_FILE

    cut = (loaded.table["split"] != "").any() and (fixed.table["split"] == "").all()
    stale = [folder / name for name in (SPLIT_FILE, RECEIPT_FILE) if cut and (folder / name).is_file()]
    with writing(folder / "study.yaml"):
        fixed.save(folder, stale)
    typer.echo(f"joined {plural(joined, 'group')} into others; wrote {folder}")
    if cut:
        removed = f"; removed {' and '.join(path.name for path in stale)}" if stale else ""
        typer.echo(f"the split cut a joined group and was emptied{removed}")


def _save_audit(result: Audit, targets: list[Path]) -> None:
    written, errors = [], []
    for target in targets:
        try:
            with writing(target):
                if os.path.isdir(target):
                    raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
                result.save(target)
            written.append(str(target))
        except DrifaError as error:
            errors.append(str(error))
    if written:
        typer.echo(f"wrote {', '.join(written)}")
    if errors:
        raise DrifaError("; ".join(errors))
