"""Answers for tables of any length: part by part on a Ray cluster, each part a file that a restart leaves alone."""

from __future__ import annotations

import logging
import pickle
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from drifa.errors import DrifaError, short
from drifa.export.folder import open_run
from drifa.files import atomic_path, digest, read_json, write_json
from drifa.prediction.answers import as_table
from drifa.prediction.cases import cases_of, check_values, table_of_cases
from drifa.prediction.predictor import Predictor
from drifa.progress import Progress
from drifa.runs.places import Places
from drifa.tasks import kinds_from

#: Subjects of a part: some minutes of work, so that little is lost with a worker and no file is tiny.
PART = 2000
RECEIPT = "parts.json"
#: Files of a run or a model folder that its answers hang on.
ANSWERS = ("model.json", "config.*", "calibration.json", "strangers.npz", "model.safetensors", "members/*/model.safetensors")


class Worker:
    """A run with its networks in memory, which answers parts; one per actor."""

    def __init__(self, run: str, places: Places | None, partners: bool, table: str, folder: str) -> None:
        self.predictor = Predictor.open(run, places=places)
        self.partners, self.table, self.folder = partners, Path(table), Path(folder)

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Writes the answers of parts."""
        for part, rows in zip(batch["part"], batch["rows"], strict=True):
            cases = cases_of(pickle.loads(rows), self.table)
            answers = as_table(self.predictor.predict(cases, self.partners, strict=False))
            with atomic_path(_file(self.folder, int(part))) as temporary:
                answers.to_parquet(temporary, index=False)
        return {"part": batch["part"]}


def predict_table(
    run: str | Path,
    table: str | Path,
    folder: str | Path,
    partners: bool = True,
    places: Places | None = None,
    address: str | None = None,
    workers: int = 0,
    part: int = PART,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Answers all subjects of a table on a Ray cluster; parts that an earlier call has finished are left alone.

    Args:
        run: The run's folder; like all others, every machine of the cluster sees it at this path.
        table: CSV or Parquet, see :func:`drifa.prediction.cases.table_of_cases`.
        folder: Where the parts are written.
        partners: As in :meth:`drifa.prediction.predictor.Predictor.predict`.
        places: Where the study and the cache of the run are, if not where it says.
        address: Of a cluster; None starts one on this machine.
        workers: How many hold the networks; 0 = one per GPU of the cluster, or per CPU where it has none.
        part: Subjects per part.
        progress: Called with (done, total, what) after each part.

    Returns:
        As :func:`drifa.prediction.answers.as_table`, in the order of the table.

    Raises:
        DrifaError: Ray is not installed, table and run do not fit, or the folder holds the parts of another question.
    """
    if find_spec("ray") is None:
        raise DrifaError("--engine ray takes ray, not installed here: pip install 'drifa[ray]'")
    run, table, folder = Path(run).resolve(), Path(table).resolve(), Path(folder).resolve()
    opened, rows = open_run(run, places), table_of_cases(table)
    if not len(rows):
        raise DrifaError(f"table {table} has no row to predict")
    if any(kind.reads == "pixels" for kind in kinds_from(opened.info.tasks).values()):
        raise DrifaError(f"{run} segments volumes, which --engine ray does not; leave it away, and name a folder for the masks")
    check_values(cases_of(rows[:1], table), opened.info.modalities, opened.encoders)
    numbers = pd.factorize(rows["subject"])[0] // part
    count = int(numbers.max()) + 1
    model = {path.relative_to(run).as_posix(): digest(path) for name in ANSWERS for path in sorted(run.glob(name))}
    _claim(folder, {"model": model, "table": digest(table), "part": part, "partners": partners})
    missing = [number for number in range(count) if not _file(folder, number).is_file()]
    if missing:
        own = {number: rows[numbers == number] for number in missing}
        items = [{"part": number, "rows": pickle.dumps(some)} for number, some in own.items()]
        _ask(items, (str(run), places, partners, str(table), str(folder)), address, workers, progress)
    return _joined([pd.read_parquet(_file(folder, number)) for number in range(count)])


def _joined(parts: list[pd.DataFrame]) -> pd.DataFrame:
    """Answers, then failures, as one table has them."""
    columns = list(dict.fromkeys(name for part in parts for name in part))
    # A column of which a part knows nothing has no type there.
    answers = pd.concat([part.dropna(axis=1, how="all") for part in parts], ignore_index=True)
    answers = answers.reindex(columns=sorted(columns, key="failure".__eq__))
    if "failure" not in answers:
        return answers
    failed = answers["failure"].notna()
    return pd.concat([answers[~failed], answers[failed]], ignore_index=True)


def _ask(
    items: list[dict[str, Any]],
    arguments: tuple[Any, ...],
    address: str | None,
    workers: int,
    progress: Progress | None,
) -> None:
    import ray
    import ray.data

    try:
        ray.init(address, include_dashboard=None if address else False, logging_level=logging.ERROR, log_to_driver=False)
    except (ConnectionError, ValueError, RuntimeError) as error:
        place = address or "this machine"
        raise DrifaError(f"no Ray cluster answers at {place} ({short(error)}); correct --ray-address") from None
    try:
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        ray.data.DataContext.get_current().enable_progress_bars = False
        has = ray.cluster_resources()
        gpus = int(has.get("GPU", 0))
        wanted = min(workers or gpus or int(has.get("CPU", 1)), len(items))
        done = ray.data.from_items(items, override_num_blocks=len(items)).map_batches(
            Worker,
            fn_constructor_args=arguments,
            batch_size=1,
            compute=ray.data.ActorPoolStrategy(size=wanted),
            num_cpus=1,
            num_gpus=1 if gpus else 0,
        )
        for number, _ in enumerate(done.iter_rows(), start=1):
            if progress is not None:
                progress(number, len(items), "predicting parts")
    except ray.exceptions.RayError as error:
        cause: BaseException = error
        while not isinstance(cause, DrifaError) and (deeper := getattr(cause, "cause", None) or cause.__cause__):
            cause = deeper
        reason = cause if isinstance(cause, DrifaError) else short(cause)
        raise DrifaError(f"a worker failed ({reason}); finished parts are kept: repeat the command to continue") from None
    finally:
        ray.shutdown()


def _claim(folder: Path, asked: dict[str, Any]) -> None:
    """Refuses a folder that holds the parts of another question."""
    receipt = folder / RECEIPT
    if receipt.is_file():
        if read_json(receipt) != asked:
            raise DrifaError(f"{folder} holds answers of another run, table or setting; choose another --out, or move it away")
    elif folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DrifaError(f"{folder} exists and is not empty; choose another --out, or move away what is in it")
    else:
        write_json(receipt, asked)


def _file(folder: Path, number: int) -> Path:
    return folder / f"part-{number:06d}.parquet"
