"""Reading a run folder: whatever is there, and a plain None for what is not yet."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from drifa.errors import DrifaError
from drifa.files import digest, read_json, refuse_links_outside
from drifa.metrics.names import METRICS_OF, Kind
from drifa.runs.info import WRITTEN, refuse_packed, upgraded

if TYPE_CHECKING:
    import pandas as pd

    from drifa.data import Study

#: Conditions of the headline numbers, in which every subject is asked once; ``alone`` is a second question without partners.
MAIN_CONDITIONS = ("paired", "partial", "partners")
#: What names a row of ``predictions.parquet``, whatever its task answers.
ROW_COLUMNS = ("subject", "split", "task", "mode", "condition", "member")
#: What the report reads of a row beside that, by kind of task.
CASE_COLUMNS: dict[Kind, tuple[str, ...]] = {
    "classes": (
        *("label", "predicted", "correct", "confidence"),
        *("predictive_entropy", "mutual_information", "flip_rate"),
    ),
    "number": ("truth", "value", "std", "epistemic_std", "aleatoric_std", "partner_std"),
    "regions": (),
}
#: Read where they are there.
FURTHER_COLUMNS = ("group", "probabilities")

#: Columns of ``gates.csv`` that are no numbers.
GATE_TEXTS = ("kind", "block", "modality")

#: Metrics that tell a number from classes where nothing else does.
ONLY_OF_NUMBERS = METRICS_OF["number"].keys() - METRICS_OF["classes"].keys()

#: What an evaluation writes beside its `evaluation.json`.
JUDGED_FILES = ("metrics.json", "predictions.parquet", "volumes.csv")

VOLUME_COLUMNS = ("dice", "sensitivity", "hd95", "truth_ml", "predicted_ml")


@dataclass(frozen=True)
class RunFiles:
    """What the report reads of a run; None stands for a file that is not there.

    Attributes:
        folder: The run folder.
        config: Text of ``config.yaml``.
        model: ``model.json`` as today's format has it, see :class:`drifa.runs.info.RunInfo`; it may lack anything.
        receipt: ``split_receipt.json``.
        environment: ``environment.json``.
        histories: Rows of ``members/N/history.csv`` by member N; empty if there is none.
        gates: Rows of ``members/N/gates.csv`` by member N, as :class:`drifa.networks.gates.Gate` has them, with their epoch;
            empty if there is none.
        members: ``members/N/config.json`` by member N; empty if there is none.
        metrics: ``metrics.json``, task -> mode -> metric -> interval.
        evaluation: ``evaluation.json``.
        predictions: ``predictions.parquet``.
        volumes: ``volumes.csv`` of a segmentation run.
        calibration: ``calibration.json``.
        explanation: ``explain/explain.json``.
        study: Its table and its split, for who reads it; None where it is not there or nobody did.
        no_study: Why it could not be read; empty where it was, or nobody tried.
        unfinished: What is to say of members whose training is not complete; empty where all are, or nobody looked.
    """

    folder: Path
    config: str | None
    model: dict[str, Any] | None
    receipt: dict[str, Any] | None
    environment: dict[str, Any] | None
    histories: dict[int, list[dict[str, float]]]
    gates: dict[int, list[dict[str, Any]]]
    members: dict[int, dict[str, Any]]
    metrics: dict[str, Any] | None
    evaluation: dict[str, Any] | None
    predictions: pd.DataFrame | None
    volumes: pd.DataFrame | None
    calibration: dict[str, Any] | None
    explanation: dict[str, Any] | None
    study: Study | None = None
    no_study: str = ""
    unfinished: str = ""

    @property
    def judged(self) -> dict[str, Any]:
        """What ``evaluation.json`` says of each task; empty before ``drifa evaluate``."""
        return (self.evaluation or {}).get("tasks") or {}

    @property
    def trainings(self) -> dict[int, dict[str, Any]]:
        """What the training of each member told at its end, such as ``notes``; members that told nothing are left out."""
        told = {number: member.get("training") for number, member in self.members.items()}
        return {number: training for number, training in told.items() if isinstance(training, dict)}

    @property
    def kinds(self) -> dict[str, Kind]:
        """Every task and what it answers: those with metrics first, then those only judged, then those only trained."""
        tasks = dict.fromkeys([*(self.metrics or {}), *self.judged, *self._trained])
        return {task: self._kind(task) for task in tasks}

    def expects(self, *kinds: Kind) -> bool:
        """Whether a task of the run answers so; a run that names no task is taken for one of classes."""
        return not set(kinds).isdisjoint(self.kinds.values() or ["classes"])

    @property
    def _trained(self) -> dict[str, Any]:
        return (self.model or {}).get("tasks") or {}

    def _kind(self, task: str) -> Kind:
        told = self.judged.get(task, {}).get("kind")
        if told in CASE_COLUMNS:
            return cast(Kind, told)
        trained = self._trained.get(task, {}).get("kind")
        if trained in CASE_COLUMNS:
            return cast(Kind, trained)
        # Evaluations of format 1 had one kind for all of their tasks, and said it only of segmentation.
        if (self.evaluation or {}).get("kind") == "segmentation":
            return "regions"
        measured = {name for metrics in (self.metrics or {}).get(task, {}).values() for name in metrics}
        return "number" if measured & ONLY_OF_NUMBERS else "classes"


def read_run(folder: str | Path) -> RunFiles:
    """Reads what a run folder holds.

    Raises:
        DrifaError: ``folder`` is not a run, or one of its files cannot be read; the message names it.
    """
    folder = Path(folder)
    config, model = folder / "config.yaml", read_json(folder / "model.json")
    if model is None and not config.is_file():
        refuse_packed(folder)
        what = "has neither config.yaml nor model.json" if folder.is_dir() else "does not exist"
        raise DrifaError(
            f"'{folder}' is not a run folder: it {what}; give the folder that `drifa train CONFIG --out RUN` wrote"
        )
    refuse_links_outside(folder, WRITTEN)
    files = RunFiles(
        folder=folder,
        config=config.read_text(encoding="utf-8", errors="replace") if config.is_file() else None,
        model=None if model is None else upgraded(model),
        receipt=read_json(folder / "split_receipt.json"),
        environment=read_json(folder / "environment.json"),
        histories=_member_rows(folder / "members", "history.csv"),
        gates=_member_rows(folder / "members", "gates.csv", texts=GATE_TEXTS),
        members=_members(folder / "members"),
        metrics=read_json(folder / "metrics.json"),
        evaluation=read_json(folder / "evaluation.json"),
        predictions=None,
        volumes=_volumes(folder / "volumes.csv"),
        calibration=read_json(folder / "calibration.json"),
        explanation=read_json(folder / "explain" / "explain.json"),
    )
    for name, sha256 in ((files.evaluation or {}).get("files") or {}).items():
        if name in JUDGED_FILES and (folder / name).is_file() and digest(folder / name) != sha256:
            raise DrifaError(
                f"{folder / name} is not of the evaluation that {folder / 'evaluation.json'} tells of, which was stopped half-"
                f"way or changed since: run `drifa evaluate {folder}` again"
            )
    # Which columns the answers must have depends on what the tasks answer, which the files above say.
    return replace(files, predictions=_predictions(folder / "predictions.parquet", files))


def evaluation_files(files: RunFiles, names: Iterable[str]) -> list[RunFiles]:
    """The run as each of some evaluations of it, such as ``own-val``, judged it; those that are not there are left out.

    Args:
        files: The run.
        names: Folders in its ``evaluations``.
    """
    folders = [files.folder / "evaluations" / name for name in names]
    return [
        replace(
            files,
            metrics=read_json(folder / "metrics.json"),
            evaluation=read_json(folder / "evaluation.json"),
            predictions=_predictions(folder / "predictions.parquet", files),
            volumes=_volumes(folder / "volumes.csv"),
        )
        for folder in folders
        if folder.is_dir()
    ]


def _member_rows(members: Path, name: str, texts: tuple[str, ...] = ()) -> dict[int, list[dict[str, Any]]]:
    """The rows of a table of each member; all cells are numbers but those of some columns."""
    found: dict[int, list[dict[str, Any]]] = {}
    for path in members.glob(f"*/{name}"):
        if not re.fullmatch("[0-9]{1,4}", path.parent.name) or not path.is_file():
            continue
        try:
            with path.open(newline="", encoding="utf-8") as file:
                rows = [
                    {key: str(text or "") if key in texts else _float(text) for key, text in row.items() if key}
                    for row in csv.DictReader(file)
                ]
        except (ValueError, csv.Error) as error:
            raise DrifaError(f"'{path}' is not a whole table ({error}): delete it, and resume or train again") from error
        if rows:
            found[int(path.parent.name)] = rows
    return dict(sorted(found.items()))


def _members(members: Path) -> dict[int, dict[str, Any]]:
    found = {}
    for path in members.glob("*/config.json"):
        if re.fullmatch("[0-9]{1,4}", path.parent.name):
            found[int(path.parent.name)] = read_json(path) or {}
    return dict(sorted(found.items()))


def _float(text: Any) -> float:
    """A cell of such a table; one that is blank (no validation that epoch) or half-written is not a number."""
    try:
        return float(text)
    except (TypeError, ValueError):
        return float("nan")


def _volumes(path: Path) -> pd.DataFrame | None:
    if not path.is_file():
        return None
    import pandas as pd

    texts = {"subject": str, "group": str, "task": str, "mode": str, "subset": str, "region": str}
    try:
        table = pd.read_csv(path, dtype=texts, keep_default_na=False, na_values={name: [""] for name in VOLUME_COLUMNS})
    except ValueError as error:
        raise DrifaError(f"'{path}' is not a whole table ({error}): run `drifa evaluate RUN` again") from error
    missing = [name for name in (*texts, *VOLUME_COLUMNS) if name not in table]
    if missing:
        raise DrifaError(f"'{path}' has no column {missing[0]!r}: run `drifa evaluate RUN` again")
    return table


def _predictions(path: Path, files: RunFiles) -> pd.DataFrame | None:
    if not path.is_file():
        return None
    import pandas as pd
    import pyarrow
    import pyarrow.parquet

    # A run of numbers alone has no columns of classes, and the other way round.
    columns = [*ROW_COLUMNS, *(name for kind, names in CASE_COLUMNS.items() if files.expects(kind) for name in names)]
    try:
        there = pyarrow.parquet.read_schema(path).names
        missing = [name for name in columns if name not in there]
        if missing:
            raise DrifaError(f"'{path}' has no column {missing[0]!r}: run `drifa evaluate RUN` again")
        return pd.read_parquet(path, columns=[*columns, *(name for name in FURTHER_COLUMNS if name in there)])
    except (pyarrow.ArrowException, OSError, ValueError, TypeError) as error:
        raise DrifaError(f"'{path}' is not a whole parquet file ({error}): run `drifa evaluate RUN` again") from error
