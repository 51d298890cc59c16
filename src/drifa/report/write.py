"""Writing RUN/report.html from what the run folder holds."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from drifa.errors import DrifaError, short
from drifa.files import write_text
from drifa.report import about, words
from drifa.report.album import Album
from drifa.report.sections import SECTIONS
from drifa.report.study import with_study
from drifa.runs.files import RunFiles, read_run

if TYPE_CHECKING:
    import jinja2


def write_report(run: Path, images: bool = False, warn: Callable[[str], None] | None = None) -> Path:
    """Writes the HTML report of a run: one file that needs no network, no script and no other file.

    It reads the run folder, its study where that is there, and the audit beside it; it predicts nothing. A part whose files
    are not there yet says which command makes them.
    Names of subjects and classes are escaped: they come from a table that anyone may have written.

    Args:
        run: The run folder, as written by ``drifa train`` and completed by ``drifa evaluate``.
        images: Put small pictures of single cases on the page, which then holds what patients look like. Those of the built-in
            study are there anyhow.
        warn: Called with what the report lacks because the study cannot be read, and why, and with members that are not
            completely trained.

    Returns:
        ``RUN/report.html``.

    Raises:
        DrifaError: ``run`` is not a run folder, or one of its files is damaged, or a picture is not there; the message
            names it.
    """
    run = Path(run)
    files = with_study(read_run(run))
    if files.no_study and warn is not None:
        warn(f"no pictures, subgroups or statements: {files.no_study}")
    if files.unfinished and warn is not None:
        warn(files.unfinished)
    environment = page_environment()
    environment.globals["album"] = Album(files, files.study, images)
    try:
        page = _page(run, files, environment)
    except DrifaError:
        raise
    except Exception as error:  # what a file that somebody changed can cause in a page is any error
        raise DrifaError(
            f"the report of {run} cannot be made: a file in it holds what drifa does not write ({type(error).__name__}: "
            f"{short(error)}); run `drifa evaluate {run}` again, and restore model.json"
        ) from error
    return write_text(run / "report.html", page)


def _page(run: Path, files: RunFiles, environment: jinja2.Environment) -> str:
    sections = _sections(files, environment)
    return environment.get_template("page.jinja").render(
        run_name=run.resolve().name,
        version=metadata.version("drifa"),
        date=datetime.datetime.now(tz=datetime.UTC).strftime("%d %B %Y"),
        study=about.study(files),
        network=about.network(files),
        evaluation=about.evaluation(files),
        sections=sections,
        no_study=files.no_study,
        unfinished=files.unfinished,
    )


def page_environment() -> jinja2.Environment:
    """The templates of this folder; whatever they print is escaped."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"whole": words.whole, "share": words.share, "number": words.number, "capital": words.capital}
    return environment


def _sections(files: RunFiles, environment: jinja2.Environment) -> list[dict[str, Any]]:
    """The sections that have something to say, in order; a template sees its own record and nothing else."""
    shown = []
    for section in SECTIONS:
        record = section.record(files)
        if record is not None:
            body = environment.get_template(section.template).render(record)
            told = {"anchor": section.anchor, "link": section.link, "title": section.title, "checklist": section.checklist}
            shown.append({**told, "body": Markup(body)})
    return shown
