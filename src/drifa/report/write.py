"""Writing RUN/report.html from what the run folder holds."""

from __future__ import annotations

import datetime
from importlib import metadata
from pathlib import Path

from drifa.files import write_text
from drifa.report import results, setting, volumes, words
from drifa.report.audit import audits
from drifa.runs.files import read_run


def write_report(run: Path) -> Path:
    """Writes the HTML report of a run: one file that needs no network, no script and no other file.

    It reads the run folder, and the audit beside its studies; it predicts nothing. A part whose files are not there yet says
    which command makes them.
    Names of subjects and classes are escaped: they come from a table that anyone may have written.

    Args:
        run: The run folder, as written by ``drifa train`` and completed by ``drifa evaluate``.

    Returns:
        ``RUN/report.html``.

    Raises:
        DrifaError: ``run`` is not a run folder, or one of its files is damaged; the message names it.
    """
    import jinja2

    run = Path(run)
    files = read_run(run)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"whole": words.whole, "share": words.share, "number": words.number}
    tasks = volumes.task_volumes(files) if files.segments else results.task_results(files)
    page = environment.get_template("segmentation.jinja" if files.segments else "classification.jinja").render(
        run_name=run.resolve().name,
        version=metadata.version("drifa"),
        date=datetime.datetime.now(tz=datetime.UTC).strftime("%d %B %Y"),
        study=setting.study(files),
        network=setting.network(files),
        split=setting.split_tables(files),
        audits=audits(files),
        members=setting.training(files),
        tasks=tasks,
        modes=results.modes(tasks),
        metrics=files.metrics,
        evaluation=results.about(files),
        predictions=files.predictions is not None,
        config=files.config,
        environment=files.environment,
    )
    return write_text(run / "report.html", page)
