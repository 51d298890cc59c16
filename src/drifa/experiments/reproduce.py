"""drifa reproduce: a table of the paper, made here, beside what is printed there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

from drifa.config import Config, make_config
from drifa.config.reading import apply_override
from drifa.data import prepare
from drifa.errors import DrifaError
from drifa.evaluation.evaluate import evaluate
from drifa.experiments.comparison import Comparison
from drifa.experiments.consistency import examine
from drifa.experiments.jobs import Outcome
from drifa.experiments.launch import Tell
from drifa.experiments.paper_tables import PaperTable, Setting, base_config, needed_studies, plan_part, read_table
from drifa.experiments.printed import Printed, printed
from drifa.experiments.reproduction import Cell, Note, Reproduction, write_reproduction
from drifa.experiments.run import run_experiment
from drifa.files import read_json
from drifa.progress import Progress
from drifa.runs.run import Run
from drifa.training.train import resume, train


def reproduce(
    name: str,
    setting: Setting,
    out: str | Path,
    tell: Tell | None = None,
    progress: Progress | None = None,
    quiet: bool = False,
    jobs: int = 1,
    others: Sequence[Path] = (),
) -> tuple[Reproduction, list[Outcome]]:
    """Trains what is left of a table, and writes `TABLE.md`, `TABLE.csv` and `TABLE.json` beside the comparison of each part.

    Args:
        name: One of :data:`drifa.experiments.paper_tables.TABLES`.
        setting: Scale, protocol, studies and seeds.
        out: Folder of the table; new, or one to continue.
        tell: Called whenever a job has ended.
        progress: As in :func:`drifa.training.train.train`.
        quiet: No progress bars.
        jobs: How many networks are trained at a time.
        others: Folders of other tables, whose networks are taken where they are the same.

    Returns:
        The table, and how the jobs ended that were not finished before.

    Raises:
        DrifaError: A study is missing, a setting does not fit, or no job of a part is finished.
    """
    table, out = read_table(name), Path(out)
    known = [*(out / part for part in table.parts), *(folder for other in others for folder in sorted(other.glob("*/")))]
    cells: list[Cell] = []
    verdicts: dict[str, str] = {}
    outcomes: list[Outcome] = []
    # All parts are checked before the first is trained.
    plans = {} if table.modes else {part: plan_part(name, part, setting) for part in table.parts}
    for part in table.parts:
        if table.modes:
            folder = out / part
            values = _ask_run(train_run(table, part, setting, folder, progress, quiet), progress)
            cells += _cells(name, table, part, table.modes, values)
            continue
        ended, found = run_experiment(plans[part], out / part, jobs, tell, progress, quiet, known)
        outcomes += ended
        verdicts[part] = found.verdict
        cells += _cells(name, table, part, table.arms_of(part, setting.every), _values(found))
    result = Reproduction(name, table.title, setting.model_dump(), verdicts, cells, notes_of(name))
    write_reproduction(result, out)
    return result, outcomes


def prepare_missing(name: str, setting: Setting, data: str | Path, tell: Callable[[str], None]) -> None:
    """Prepares the studies that a table needs and that are not there, from folders of raw data.

    Args:
        name: Of the table.
        setting: Says where the studies are.
        data: Folder with a folder for each dataset, by the name of its study.
        tell: Called with each study's folder.

    Raises:
        DrifaError: A dataset is not there, or not what it should be.
    """
    for folder in needed_studies(name, setting):
        if not (Path(folder) / "study.yaml").is_file():
            dataset = Path(folder).name
            prepare(dataset.rstrip("0123456789") if dataset.startswith("brats") else dataset, Path(data) / dataset, folder)
            tell(folder)


def run_config(table: PaperTable, part: str, setting: Setting) -> Config:
    """The configuration of a run of several members, whose modes are the rows of a table."""
    raw = deepcopy(base_config(table, part, setting)[0])
    seeds = setting.seeds or [0, 1, 2]
    if seeds != list(range(seeds[0], seeds[0] + len(seeds))):
        raise DrifaError(f"--seeds {','.join(map(str, seeds))}: members of one run have seeds in a row, such as 0,1,2")
    raw["train"] = {**raw.get("train", {}), "members": len(seeds), "seed": seeds[0]}
    for override in setting.overrides:
        apply_override(raw, override)
    return make_config(raw, f"{part} with the overrides")


def train_run(table: PaperTable, part: str, setting: Setting, folder: Path, progress: Progress | None, quiet: bool) -> Run:
    """The run of a part, trained now or before.

    Raises:
        DrifaError: The folder holds a run of other settings.
    """
    config = run_config(table, part, setting)
    if not (folder / "model.json").is_file():
        return train(config, folder, progress, quiet)
    run = Run.open(folder)
    wanted, own = (one.model_dump(mode="json") for one in (config, run.config))
    for one in (wanted, own):
        for key in ("study", "cache"):
            one["data"].pop(key)
    if wanted != own:
        raise DrifaError(f"{folder} was trained under other settings; choose another --out, or delete that folder")
    if all(run.is_trained(number) for number in range(config.train.members)):
        return run
    return resume(folder, None, progress, quiet)


#: ``(row, task, metric)`` -> value, low, high, over.
Values = Mapping[tuple[str, str, str], tuple[float | None, float | None, float | None, str]]


def _ask_run(run: Run, progress: Progress | None) -> Values:
    if read_json(run.folder / "metrics.json") is None:
        evaluate(run.folder, progress=progress)
    metrics = read_json(run.folder / "metrics.json") or {}
    return {
        (mode, task, metric): (value["value"], value["low"], value["high"], "groups")
        for task, modes in metrics.items()
        for mode, own in modes.items()
        for metric, value in own.items()
    }


def _values(found: Comparison) -> Values:
    return {(one.arm, one.task, one.metric): (one.mean, one.low, one.high, one.over) for one in found.results}


def _cells(name: str, table: PaperTable, part: str, rows: Mapping[str, Any], values: Values) -> list[Cell]:
    """The cells of a part: our rows, then what is printed in rows that nobody can assign."""
    by_place = {(cell.dataset, cell.row, cell.metric): cell for cell in printed() if cell.table == name}
    found = []
    for dataset, task in table.parts[part].datasets.items():
        named = {row.printed for row in rows.values()}
        # Rows of the paper belong to the part whose name they begin with, where parts share a dataset.
        shared = sum(dataset in other.datasets for other in table.parts.values()) > 1
        left = dict.fromkeys(
            row for at, row, _ in by_place if at == dataset and row not in named and (not shared or row.startswith(f"{part} "))
        )
        for row, own in [*((row, about.printed) for row, about in rows.items()), *(("", row) for row in left)]:
            for metric in table.metrics:
                value, low, high, over = values.get((row, task, metric), (None, None, None, ""))
                cell = by_place.get((dataset, own, metric))
                if value is None and cell is None:
                    continue
                found.append(_cell(part, dataset, row, metric, own, (value, low, high), over, cell))
    return found


def _cell(
    part: str,
    dataset: str,
    row: str,
    metric: str,
    own: str,
    interval: Sequence[float | None],
    over: str,
    cell: Printed | None,
) -> Cell:
    scale = 1.0 if metric == "nll" else 100.0
    ours, low, high = (None if one is None else scale * one for one in interval)
    difference = ours - cell.value if ours is not None and cell is not None else None
    return Cell(part, dataset, row, metric, own, ours, low, high, over, cell.text if cell else "", difference)


def notes_of(name: str) -> list[Note]:
    """The footnotes of a table: what its numbers cannot be, and where the print itself is in doubt."""
    cells = printed()
    found = [Note(one.dataset, one.rows, one.says) for one in examine(cells) if one.table == name]
    doubts: dict[tuple[str, str], list[str]] = {}
    for cell in cells:
        if cell.table == name and cell.doubt and cell.row not in doubts.setdefault((cell.dataset, cell.doubt), []):
            doubts[cell.dataset, cell.doubt].append(cell.row)
    return [*found, *(Note(dataset, tuple(rows), doubt) for (dataset, doubt), rows in doubts.items())]
