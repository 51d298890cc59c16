"""The processes of a distributed training: which one this is, and whether a launcher started as many as are wanted."""

from __future__ import annotations

import os
import time
from pathlib import Path

from drifa.config import Config
from drifa.errors import DrifaError
from drifa.runs.run import Run

#: How long the others wait for the first process, which decodes every image before it makes the run.
LONGEST_WAIT = 24 * 3600.0
#: Launcher -> the variable by which it is known, and the one that holds the number of processes.
LAUNCHERS = {"torchrun": ("TORCHELASTIC_RUN_ID", "WORLD_SIZE"), "srun": ("SLURM_STEP_ID", "SLURM_NTASKS")}


def process_rank() -> int:
    """Rank among the processes of a distributed training, from the launcher's environment; 0 where there is one only."""
    return max(int(os.environ.get(name) or 0) for name in ("RANK", "SLURM_PROCID", "LOCAL_RANK"))


def process_count(config: Config) -> int:
    """How many processes train together: one per device of every machine."""
    return config.train.devices * config.train.nodes


def check_launch(config: Config) -> None:
    """Refuses a number of processes other than the one that a launcher started: they would wait for each other for ever.

    Args:
        config: The resolved configuration.
    """
    wanted = f"train.devices={config.train.devices} and train.nodes={config.train.nodes}"
    for launcher, (sign, count) in LAUNCHERS.items():
        if os.environ.get(sign):
            started = int(os.environ.get(count) or 1)
            if started == process_count(config):
                return
            raise DrifaError(
                f"{launcher} started {started} process(es), and {wanted} want {process_count(config)}; give train.devices the "
                f"number on each machine and train.nodes that of the machines"
            )
    if config.train.nodes > 1:
        raise DrifaError(f"{wanted}: several machines need a launcher on each; start this with torchrun or srun")


def wait_for(folder: Path, seconds: float = LONGEST_WAIT) -> Run:
    """Opens a run that another process is making.

    Args:
        folder: Its folder.
        seconds: How long, at most.
    """
    deadline = time.monotonic() + seconds
    while not (folder / "model.json").is_file():
        if time.monotonic() > deadline:
            raise DrifaError(f"the first process has not made {folder} within {seconds:.0f} s; see its messages")
        time.sleep(0.2)
    return Run.open(folder)
