"""From what a head gives to an answer: probabilities, a value, or a value with its variance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from drifa.errors import DrifaError
from drifa.present import count_present, keep, mean_present

#: A log-variance beyond these says nothing more, and its exponential would overflow.
LOG_VARIANCE = (-10.0, 10.0)

Pool = Callable[[Sequence[Tensor], Sequence[Tensor | None]], Tensor]


@dataclass(frozen=True)
class Link:
    """What the outputs of a task's head mean.

    Attributes:
        name: Its key in :data:`LINKS`.
        least: Outputs that it needs.
        most: Outputs that it can have; ``None`` = any number from ``least`` on.
        meaning: What the outputs are, for errors.
        learns_noise: Whether the outputs say how far off they may be. The loss then weighs itself and may be negative.
        answer: Outputs ``[..., k]`` -> the answer in float32.
        pool: Outputs of several parts ``[B, k]``, and for each the rows that it counts in (bool ``[B]`` or ``None`` = all) ->
            outputs ``[B, k]`` whose answer is the mean of the parts' answers. Every row needs one part.
    """

    name: str
    least: int
    most: int | None
    meaning: str
    learns_noise: bool
    answer: Callable[[Tensor], Tensor]
    pool: Pool

    def check(self, task: str, outputs: object) -> None:
        """Refuses a number of outputs that the link cannot read."""
        whole = isinstance(outputs, int) and not isinstance(outputs, bool)
        if whole and self.least <= outputs and (self.most is None or outputs <= self.most):  # type: ignore[operator]
            return
        needed = "exactly" if self.least == self.most else "at least"
        raise DrifaError(
            f"task {task!r} has {outputs!r} outputs; {needed} {self.least} ({self.meaning}) with the link {self.name!r}"
        )


def _softmax(outputs: Tensor) -> Tensor:
    return outputs.float().softmax(dim=-1)


def _value(outputs: Tensor) -> Tensor:
    return outputs.float()


def _mean_and_variance(outputs: Tensor) -> Tensor:
    mean, log_variance = outputs.float().unbind(dim=-1)
    return torch.stack([mean, log_variance.clamp(*LOG_VARIANCE).exp()], dim=-1)


def _pool_softmax(parts: Sequence[Tensor], masks: Sequence[Tensor | None]) -> Tensor:
    """The logarithm of the mean of the softmaxes."""
    answers = [part.log_softmax(dim=1) for part in _kept(parts, masks)]
    counted = [
        answer if mask is None else answer.masked_fill(~mask[:, None], float("-inf"))
        for answer, mask in zip(answers, masks, strict=True)
    ]
    total = torch.stack(counted).logsumexp(dim=0)
    return total - count_present(masks, total).log()


def _pool_gaussian(parts: Sequence[Tensor], masks: Sequence[Tensor | None]) -> Tensor:
    """The mixture's mean, and the logarithm of its variance: the mean of the variances plus the variance of the means."""
    parts = _kept(parts, masks)
    mean = mean_present([part[:, 0] for part in parts], masks)
    spreads = [part[:, 1].clamp(*LOG_VARIANCE).exp() + (part[:, 0] - mean).square() for part in parts]
    return torch.stack([mean, mean_present(spreads, masks).log()], dim=1)


def _kept(parts: Sequence[Tensor], masks: Sequence[Tensor | None]) -> list[Tensor]:
    """Zeros where a part does not count: masking the result alone would let a NaN reach the gradients."""
    return [keep(part, mask) for part, mask in zip(parts, masks, strict=True)]


#: The link of a task that names none.
DEFAULT_LINK = "softmax"
#: Every link by its name.
LINKS: dict[str, Link] = {
    link.name: link
    for link in (
        Link("softmax", 2, None, "one per class", False, _softmax, _pool_softmax),
        Link("identity", 1, 1, "the value", False, _value, mean_present),
        Link("gaussian", 2, 2, "mean and log-variance", True, _mean_and_variance, _pool_gaussian),
    )
}
