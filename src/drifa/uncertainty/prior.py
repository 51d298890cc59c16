"""Undoing what class weights and balanced sampling did to the probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Self

import numpy as np
from numpy.typing import ArrayLike
from pydantic import Field, model_validator

from drifa.errors import DrifaError
from drifa.metrics.weighted import Floats
from drifa.uncertainty.records import FLOOR, Names, Record, check_probabilities, normalised, one_each

Share = Annotated[float, Field(gt=0, le=1)]


class PriorCorrection(Record):
    r"""From the class frequencies that training showed to the natural ones: :math:`q_c \propto p_c \pi_c / \pi'_c`.

    A loss with class weights, or balanced sampling, teaches a network that rare classes are common. Correct this first,
    then fit a calibration on what comes out.

    Attributes:
        classes: Names of the C classes.
        trained: :math:`\pi'_c`, frequencies as training weighed them.
        natural: :math:`\pi_c`, frequencies where the network is used.

    References:
        Saerens et al., Adjusting the outputs of a classifier to new a priori probabilities, Neural Computation 2002.
    """

    classes: Names
    trained: tuple[Share, ...]
    natural: tuple[Share, ...]

    @model_validator(mode="after")
    def _fits(self) -> Self:
        one_each(self.classes, trained=self.trained, natural=self.natural)
        for name, shares in (("trained", self.trained), ("natural", self.natural)):
            if abs(sum(shares) - 1) > 1e-6:
                raise ValueError(f"the {name} frequencies sum to {sum(shares):g}, not to 1")
        return self

    @classmethod
    def of_training(cls, counts: ArrayLike, weights: ArrayLike, classes: Sequence[str] | None = None) -> Self:
        """From what training was given; natural are the frequencies of the training images themselves.

        Args:
            counts: Training images of each class. ``[C]``
            weights: Class weights of the loss, or how often an image of the class was drawn relative to others: 1 / counts
                for balanced sampling. ``[C]``
            classes: C names; None = their numbers.

        Raises:
            DrifaError: A count or a weight is not above 0, or there is not one of each per class.
        """
        n, w = np.asarray(counts, dtype=np.float64), np.asarray(weights, dtype=np.float64)
        names = tuple(str(name) for name in (range(n.size) if classes is None else classes))
        for noun, values in (("count", n), ("weight", w)):
            if values.shape != (len(names),):
                raise DrifaError(f"{noun}s of shape {values.shape} do not fit {len(names)} classes: give one per class")
            wrong = np.flatnonzero(~((values > 0) & np.isfinite(values)))
            if wrong.size:
                raise DrifaError(
                    f"the {noun} {values[wrong[0]]:g} of class {names[wrong[0]]!r} is not above 0: a class that training never "
                    "met has no frequency to correct; leave it out"
                )
        weighed = n * w
        return cls(classes=names, trained=tuple((weighed / weighed.sum()).tolist()), natural=tuple((n / n.sum()).tolist()))

    def __call__(self, probabilities: ArrayLike) -> Floats:
        """Corrected probabilities, [N, C] -> [N, C]."""
        p = check_probabilities(probabilities, self.classes)
        return normalised(np.maximum(p, FLOOR) * (np.array(self.natural) / np.array(self.trained)))
