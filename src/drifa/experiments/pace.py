"""How long jobs take: those that are left, by those that are done; a network of which none is done, by one step of it."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch

from drifa.config import Config
from drifa.data import EpochPairing, Study
from drifa.networks.complexity import blank_images
from drifa.runs.encoded import changing, frozen_encoders
from drifa.runs.run import choose_device, use_threads

#: Rows of the step that is timed, where a batch has as many; further ones take as long again.
ROWS = 8


class Pace:
    """Learns from each job that is done.

    Args:
        side_by_side: How many jobs run at a time.
    """

    def __init__(self, side_by_side: int = 1) -> None:
        self.side_by_side = side_by_side
        self._took: dict[str, list[float]] = {}

    def add(self, arm: str, seconds: float) -> None:
        """One more job of an arm is done."""
        self._took.setdefault(arm, []).append(seconds)

    def left(self, arms: Iterable[str]) -> float | None:
        """Seconds that jobs of these arms take, one name per job; None before any job is done.

        A job takes what others of its arm took in the median; of an arm without any, the mean over the other arms.
        """
        each = {arm: float(np.median(seconds)) for arm, seconds in self._took.items()}
        if not each:
            return None
        other = sum(each.values()) / len(each)
        return sum(each.get(arm, other) for arm in arms) / self.side_by_side


def guess_seconds(config: Config, study: Study, net: Any) -> float:
    """About what the training of a network takes here: one step of it on drawn numbers, for as many rows as it will see.

    The reading of images, their first decoding and the test are left out.

    Args:
        config: The resolved configuration.
        study: With its split; of images.
        net: From :func:`drifa.training.job.build_network`, on the CPU; it is moved to where it would learn, and its gradients
            and statistics are no longer those of a new one.
    """
    subjects, device, threads = study.subjects(), choose_device(config), torch.get_num_threads()
    pairing = EpochPairing(subjects, subjects.in_split("train"), 0, balanced=config.train.sampling == "balanced")
    learned, validated = len(pairing.epoch(0)), len(subjects.in_split("val"))
    use_threads(config)
    net.train().to(device)
    rows = min(ROWS, config.train.batch_size)
    blank = blank_images(net, config.data.image_size, rows, device)
    images: dict[str, Any] = {name: torch.randn_like(image) for name, image in blank.items()}
    for name in frozen_encoders(net) if config.data.maps_gb else ():
        if not changing(config, name):
            with torch.no_grad():
                images[name] = net.encode(name, images[name])
    _step(net, images)  # first uses of memory and kernels are slow
    began = time.perf_counter()
    _step(net, images)
    seconds = (time.perf_counter() - began) / rows
    torch.set_num_threads(threads)
    # A pass without gradients is about a third of a step.
    return config.train.epochs * seconds * (learned + validated / 3)


def _step(net: Any, images: dict[str, Any]) -> None:
    outputs, auxiliary = net.training_logits(images)
    found = [*(value for values in outputs.values() for value in values), *auxiliary.values()]
    sum(value.float().square().mean() for value in found).backward()
    if found[0].device.type == "cuda":
        torch.cuda.synchronize()
