"""All jobs of an experiment: one after the other here, or several side by side as processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict, replace
from itertools import cycle, islice
from pathlib import Path
from queue import SimpleQueue

import torch

from drifa.config import Config
from drifa.errors import short
from drifa.experiments.jobs import Outcome, finished, run_job
from drifa.experiments.pace import Pace
from drifa.experiments.plan import Job, Plan
from drifa.progress import Progress

#: Tells torch which GPUs it may see.
VISIBLE = "CUDA_VISIBLE_DEVICES"
#: Told of each job: how it ended, how many have, of how many, and how many seconds the others will take, where that is known.
Tell = Callable[[Outcome, int, int, float | None], None]


def placed(job: Job, folder: Path, one_thread: bool = False) -> Job:
    """A job with the cache that all jobs of its experiment share, unless its configuration has one.

    Args:
        job: Any.
        folder: Of the experiment.
        one_thread: Also with one CPU thread, unless its configuration says how many.
    """
    config = job.config.model_copy(deep=True)
    config.data.cache = config.data.cache or str((folder / "cache").resolve())
    if one_thread and not config.train.threads and not _on_gpu(config):
        config.train.threads = 1
    return replace(job, config=config)


def _on_gpu(config: Config) -> bool:
    return config.train.accelerator != "cpu" and torch.cuda.is_available()


def _gpus() -> list[str]:
    """The GPUs that torch finds, by the names that CUDA_VISIBLE_DEVICES has for them."""
    count = torch.cuda.device_count()
    named = os.environ.get(VISIBLE)
    return [name.strip() for name in named.split(",")][:count] if named else [str(number) for number in range(count)]


def run_jobs(
    plan: Plan,
    folder: Path,
    side_by_side: int = 1,
    tell: Tell | None = None,
    progress: Progress | None = None,
    quiet: bool = False,
    others: Sequence[Path] = (),
) -> list[Outcome]:
    """Does all jobs that are not done and that no other process is doing; one that fails does not end the others.

    Args:
        plan: The experiment.
        folder: Its folder, see :func:`drifa.experiments.jobs.begin`.
        side_by_side: How many jobs at a time; more than one run as processes, each with a GPU of its own as far as there are.
        tell: Called whenever a job has ended.
        progress: As in :func:`drifa.training.train.train`, for one at a time.
        quiet: No progress bars.
        others: As in :func:`drifa.experiments.jobs.run_job`.
    """
    outcomes, pace, arms = [], Pace(side_by_side), {job.name: job.arm for job in plan.jobs}
    for job in plan.jobs:
        record = finished(folder, job)
        if record is not None:
            outcomes.append(Outcome(job.name, "finished"))
            pace.add(arms.pop(job.name), record.seconds)
    left = [placed(job, folder, side_by_side > 1) for job in plan.jobs if job.name in arms]
    ended = (
        _processes(left, folder, side_by_side, others)
        if side_by_side > 1
        else (run_job(job, folder, progress, quiet, others) for job in left)
    )
    for outcome in ended:
        outcomes.append(outcome)
        arm = arms.pop(outcome.name)
        if outcome.state == "done":
            pace.add(arm, outcome.seconds)
        if tell:
            tell(outcome, len(outcomes), len(plan.jobs), pace.left(arms.values()))
    return outcomes


def _processes(jobs: list[Job], folder: Path, side_by_side: int, others: Sequence[Path]) -> Iterator[Outcome]:
    running: dict[str, subprocess.Popen[str]] = {}
    free: SimpleQueue[str] = SimpleQueue()
    for name in islice(cycle(_gpus() or [""]), side_by_side):
        free.put(name)

    def work(job: Job) -> Outcome:
        command = [sys.executable, "-m", "drifa.experiments.worker", str(folder), *map(str, others)]
        pipe, gpu = subprocess.PIPE, free.get()
        # A network that wants several GPUs sees them all.
        alone = _on_gpu(job.config) and job.config.train.devices == 1
        env = {**os.environ, VISIBLE: gpu} if alone else None
        try:
            with subprocess.Popen(command, text=True, env=env, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL) as process:
                running[job.name] = process
                said, _ = process.communicate(as_text(job))
        finally:
            free.put(gpu)
        return _understood(job, said, process.returncode)

    with ThreadPoolExecutor(side_by_side) as pool:
        waiting: set[Future[Outcome]] = {pool.submit(work, job) for job in jobs}
        try:
            while waiting:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in list(running.values()):
                process.terminate()
            raise


def _understood(job: Job, said: str, code: int) -> Outcome:
    """The outcome that a worker printed last; of one that could not, how it ended."""
    try:
        return Outcome(**json.loads(said.splitlines()[-1]))
    except (ValueError, IndexError, TypeError):
        killed = f"was ended by signal {-code}, as happens where memory runs out" if code < 0 else f"ended with code {code}"
        return Outcome(job.name, "failed", f"its process {killed} (it last said {short(said[-80:])})")


def as_text(job: Job) -> str:
    """A job as JSON for a worker, see :func:`from_text`."""
    plain = {name: value for name, value in vars(job).items() if name != "config"}
    return json.dumps({**plain, "config": job.config.model_dump(mode="json")})


def from_text(text: str) -> Job:
    """Reads what :func:`as_text` gave."""
    value = json.loads(text)
    return Job(**{**value, "config": Config.model_validate(value["config"])})


def outcome_text(outcome: Outcome) -> str:
    """An outcome as one line of JSON."""
    return json.dumps(asdict(outcome))
