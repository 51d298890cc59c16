"""What an experiment will cost, before it begins."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from drifa.experiments.jobs import finished
from drifa.experiments.launch import placed
from drifa.experiments.pace import guess_seconds
from drifa.experiments.plan import Plan
from drifa.networks import FusionNet
from drifa.networks.complexity import macs, parameters
from drifa.tasks import learn_kinds
from drifa.training.job import build_network


@dataclass(frozen=True)
class Cost:
    """Of one arm.

    Attributes:
        arm: Its name.
        parameters: Weights of one network that learn.
        macs: Multiply-accumulates of one subject; None where they cannot be counted.
        left: Jobs that are not done.
        seconds: What those will take, one after the other; None where that is not known.
        guessed: Whether that comes from one step of the network, as no job of the arm is done.
    """

    arm: str
    parameters: int
    macs: int | None
    left: int
    seconds: float | None
    guessed: bool = False


def costs(plan: Plan, folder: Path, side_by_side: int = 1) -> list[Cost]:
    """Of every arm; nothing is trained, and the weights of pretrained networks are not read.

    Args:
        plan: The experiment.
        folder: Where it is or will be; what is done there tells how long a job takes. Of other arms one step is timed, with one
            CPU thread where several jobs run at a time.
        side_by_side: How many jobs will run at a time.

    Raises:
        DrifaError: A network cannot be built, or a job in the folder had other settings.
    """
    found = []
    for arm in plan.told:
        jobs = [job for job in plan.jobs if job.arm == arm]
        records = [record for job in jobs if (record := finished(folder, job)) is not None]
        config, study = placed(jobs[0], folder, side_by_side > 1).config, plan.studies[arm]
        frozen = config.model.freeze
        config.model.pretrained, config.train.trunk_lr, config.train.freeze_epochs = False, 1.0, 0
        config.model.freeze = False
        kinds, size = learn_kinds(study, config), config.data.image_size
        with torch.device("meta"):
            net = build_network(config, study, kinds)
        left, each = len(jobs) - len(records), None
        if records:
            each = float(np.median([record.seconds for record in records]))
        elif study.reads() != "pixels":  # slices of volumes are counted when they are read
            real = build_network(config, study, kinds)
            if frozen and isinstance(real, FusionNet):
                real.freeze()
            each = guess_seconds(config, study, real)
        seconds = None if each is None else left * each
        found.append(Cost(arm, parameters(net), macs(net, size) if size else None, left, seconds, not records))
    return found
