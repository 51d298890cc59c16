"""One job: train a network, or continue it where it stopped, judge it on the test split, and say last that it is done."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from drifa.config.reading import checked
from drifa.errors import DrifaError, short
from drifa.evaluation.evaluate import evaluate
from drifa.experiments.plan import Job, Plan, job_key
from drifa.files import locked, read_json, write_json
from drifa.networks.folder import read_config
from drifa.progress import Progress
from drifa.runs.memory import forget_peak, peak
from drifa.runs.run import Run, choose_device
from drifa.training.train import resume, train
from drifa.version import __version__

FORMAT = 1
RECORD, HEADER = "job.json", "experiment.json"
_CLAIMED = "claimed"


@dataclass(frozen=True)
class JobRecord:
    """What a finished job says of itself; written last, so that it tells that all the rest is there.

    Attributes:
        name, arm, seed, fold, key, split: As in :class:`drifa.experiments.plan.Job`.
        parameters: Weights of the network.
        macs: Multiply-accumulates of one subject; None where they cannot be counted.
        seconds: Of training.
        memory: The most that the process held while it trained, bytes: on a GPU of its memory, else resident, with the mapped
            cache and what the process held before; None where the system does not say.
    """

    name: str
    arm: str
    seed: int
    fold: int | None
    key: str
    split: str
    parameters: int
    macs: int | None
    seconds: float
    memory: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain data; the format number comes first."""
        return {"drifa_job": FORMAT, "drifa": __version__, **asdict(self)}

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """The record in a file; None where there is none."""
        value = read_json(path, "delete it, and run the command again")
        if value is None:
            return None
        if value.get("drifa_job") != FORMAT:
            raise DrifaError(
                f"{path} has job format {value.get('drifa_job')!r}, this drifa reads {FORMAT}; choose another --out"
            )
        return checked(cls, {name: value[name] for name in cls.__dataclass_fields__ if name in value}, str(path))


@dataclass(frozen=True)
class Outcome:
    """How a job ended: ``done`` now, ``finished`` before, ``claimed`` by another process, or ``failed`` for a reason.

    Attributes:
        name: Of the job.
        state: One of these.
        reason: Why it failed.
        seconds: That a job took which is ``done``, its test too.
    """

    name: str
    state: str
    reason: str = ""
    seconds: float = field(default=0.0, compare=False)


def run_folder(folder: Path, name: str) -> Path:
    """Where the run of a job stands in the folder of its experiment."""
    return folder / "jobs" / name


def begin(plan: Plan, folder: Path) -> None:
    """Makes the folder of an experiment, or checks that what is in it belongs to this one.

    Raises:
        DrifaError: It is no experiment's, another version or split made it, or a job in it had other settings.
    """
    splits = {str(job.fold): job.split for job in plan.jobs if job.arm == plan.jobs[0].arm}
    path = folder / HEADER
    known = read_json(path)
    if known is None:
        if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
            raise DrifaError(
                f"{folder} exists and is no folder of an experiment; choose a new --out, or move away what is in it"
            )
        write_json(path, {"drifa_experiment": FORMAT, "drifa": __version__, "study": plan.study, "splits": splits})
        return
    if known.get("drifa_experiment") != FORMAT or known.get("drifa") != __version__:
        raise DrifaError(
            f"{folder} was begun with drifa {short(known.get('drifa'))}, and this is {__version__}: networks of two versions "
            f"are not compared; continue it with that version, or choose another --out"
        )
    if known.get("splits") != splits:
        raise DrifaError(
            f"{folder} was begun on another split of {short(known.get('study'))} ({_brief(known.get('splits'))}, now "
            f"{_brief(splits)}): choose another --out, or give the data settings that it was begun with"
        )
    for job in plan.jobs:
        finished(folder, job)


def _brief(splits: Any) -> str:
    return ", ".join(str(value)[:8] for value in splits.values()) if isinstance(splits, dict) else "none told"


def finished(folder: Path, job: Job) -> JobRecord | None:
    """The record of a job that is done; None for one that is not, or that has not been asked all that it should be.

    Raises:
        DrifaError: The job was done under other settings.
    """
    record = JobRecord.read(run_folder(folder, job.name) / RECORD)
    if record is not None and record.key != job.key:
        raise _other_settings(folder, job)
    if record is not None and job.subsets and not (_evaluation(folder, job) or {}).get("subsets"):
        return None
    return record


def _evaluation(folder: Path, job: Job) -> dict[str, Any] | None:
    return read_json(run_folder(folder, job.name) / "evaluation.json")


def _other_settings(folder: Path, job: Job) -> DrifaError:
    return DrifaError(
        f"{run_folder(folder, job.name)} was trained under other settings than the experiment has now; choose another --out, "
        f"or delete that folder"
    )


def run_job(
    job: Job, folder: Path, progress: Progress | None = None, quiet: bool = False, others: Sequence[Path] = ()
) -> Outcome:
    """Does a job that nobody else is doing; a mistake in it becomes its outcome.

    Args:
        job: Which.
        folder: Of the experiment.
        progress: As in :func:`drifa.training.train.train`.
        quiet: No progress bars.
        others: Folders of other experiments; where one of them has trained the same network, it is copied.
    """
    began = time.monotonic()
    with ExitStack() as claim:
        try:
            # Beside the run, whose own lock its training takes.
            claim.enter_context(locked(folder / "claims" / job.name, _CLAIMED))
        except DrifaError as error:
            if str(error) != _CLAIMED:
                raise
            return Outcome(job.name, "claimed")
        try:
            if finished(folder, job) is not None:
                return Outcome(job.name, "finished")
            if not _take_over(job, folder, others) or finished(folder, job) is None:
                _do(job, folder, progress, quiet)
        except DrifaError as error:
            return Outcome(job.name, "failed", str(error))
        except Exception as error:  # out of memory, a broken driver: the reason of this job, not the end of the others
            return Outcome(job.name, "failed", f"{type(error).__name__}: {short(error)}")
    return Outcome(job.name, "done", seconds=time.monotonic() - began)


def _take_over(job: Job, folder: Path, others: Sequence[Path]) -> bool:
    """Copies the run of the same network; as deep below its experiment's folder, so that its way to the study stays right."""
    place = run_folder(folder, job.name)
    if place.exists():
        return False
    for path in sorted(path for other in others if other != folder for path in other.glob(f"jobs/*/{RECORD}")):
        record = JobRecord.read(path)
        if record is None or record.key != job.key:
            continue
        copy = place.with_name(f".{place.name}.copy")  # renamed when whole, so that a kill leaves no half of a run
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(path.parent, copy, ignore=shutil.ignore_patterns(RECORD))
        copy.rename(place)
        own = {name: getattr(job, name) for name in ("name", "arm", "seed", "fold", "split")}
        write_json(place / RECORD, replace(record, **own).to_json())
        return True
    return False


def _do(job: Job, folder: Path, progress: Progress | None, quiet: bool) -> None:
    place = run_folder(folder, job.name)
    device = choose_device(job.config)
    watched = forget_peak(device)
    if (place / "model.json").is_file():
        _check_begun(job, folder, place)
        run = Run.open(place)
        if run.is_trained(0):
            watched = False
        else:
            run = resume(place, None, progress, quiet)
    else:
        run = train(job.config, place, progress, quiet)
    memory = peak(device) if watched else None
    evaluate(place, progress=progress, subsets=job.subsets)
    seconds = read_config(run.member(0))["training"]["seconds"]
    record = JobRecord(
        *(job.name, job.arm, job.seed, job.fold, job.key, job.split),
        parameters=run.info.parameters,
        macs=run.info.macs,
        seconds=float(seconds),
        memory=memory,
    )
    write_json(place / RECORD, record.to_json())


def _check_begun(job: Job, folder: Path, place: Path) -> None:
    receipt = (read_json(place / "split_receipt.json") or {}).get("sha256")
    version = (read_json(place / "environment.json") or {}).get("drifa")
    if job_key(Run.open(place).config, str(receipt), str(version)) != job.key:
        raise _other_settings(folder, job)
