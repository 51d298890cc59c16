"""What an experiment will cost, before it begins."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from drifa.experiments.jobs import finished
from drifa.experiments.plan import Plan
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
        seconds: What those will take; None where no job of the arm is done.
    """

    arm: str
    parameters: int
    macs: int | None
    left: int
    seconds: float | None


def costs(plan: Plan, folder: Path) -> list[Cost]:
    """Of every arm; nothing is computed, and the weights of pretrained networks are not read.

    Args:
        plan: The experiment.
        folder: Where it is or will be; what is done there tells how long a job takes.

    Raises:
        DrifaError: A network cannot be built, or a job in the folder had other settings.
    """
    found = []
    for arm in plan.told:
        jobs = [job for job in plan.jobs if job.arm == arm]
        records = [record for job in jobs if (record := finished(folder, job)) is not None]
        config, study = jobs[0].config.model_copy(deep=True), plan.studies[arm]
        config.model.pretrained, config.train.trunk_lr, config.train.freeze_epochs = False, 1.0, 0
        config.model.freeze = False
        kinds, size = learn_kinds(study, config), config.data.image_size
        with torch.device("meta"):
            net = build_network(config, study, kinds)
        left = len(jobs) - len(records)
        seconds = left * float(np.median([record.seconds for record in records])) if records else None
        found.append(Cost(arm, parameters(net), macs(net, size) if size else None, left, seconds))
    return found
