"""Asking a network without a trace: in evaluation mode, and every part in its own mode afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def undisturbed(*nets: nn.Module) -> Iterator[None]:
    """Networks in evaluation mode, every part as it was afterwards, also after an error.

    Args:
        nets: In any mode; parts may differ, such as a frozen branch in a network that trains.
    """
    before = [(part, part.training) for net in nets for part in net.modules()]
    for net in nets:
        net.eval()
    try:
        yield
    finally:
        for part, training in before:
            part.training = training
