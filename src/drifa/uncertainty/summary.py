"""From the answers of many draws to one prediction with its uncertainty (eq. 10)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Summary:
    r"""A prediction for each of N images.

    Attributes:
        probabilities: Mean over the draws, eq. 10 before the argmax. ``[N, C]``
        predictive_entropy: :math:`H[\bar p]`, nats; all uncertainty. ``[N]``
        mutual_information: :math:`H[\bar p] - \overline{H[p]}`, nats; the part on which the draws disagree.
            ``None`` for a single draw. ``[N]``
        std: Standard deviation over the draws of the probability of the predicted class. ``None`` for a single draw. ``[N]``
    """

    probabilities: np.ndarray
    predictive_entropy: np.ndarray
    mutual_information: np.ndarray | None
    std: np.ndarray | None

    @property
    def predicted(self) -> np.ndarray:
        """Index of the predicted class (argmax). ``[N]``"""
        return self.probabilities.argmax(axis=1)


def summarise(draws: np.ndarray) -> Summary:
    """Averages draws and measures how far they disagree.

    Args:
        draws: Probabilities of every draw (pass, member, or member x pass). ``[T, N, C]``

    References:
        Gal and Ghahramani, Dropout as a Bayesian approximation, ICML 2016; Lakshminarayanan et al., Deep ensembles,
        NeurIPS 2017; paper, section 3.3.
    """
    mean = draws.mean(axis=0)
    total = entropy(mean)
    if len(draws) == 1:
        return Summary(mean, total, None, None)
    chosen = draws[:, np.arange(mean.shape[0]), mean.argmax(axis=1)]
    return Summary(mean, total, np.maximum(total - entropy(draws).mean(axis=0), 0), chosen.std(axis=0))


def entropy(probabilities: np.ndarray) -> np.ndarray:
    """Shannon entropy over the last axis, nats."""
    return -(probabilities * np.log(np.maximum(probabilities, 1e-12))).sum(axis=-1)


@dataclass(frozen=True)
class NumberSummary:
    """A number for each of N images, in the unit of the draws.

    Attributes:
        value: Mean over the draws. ``[N]``
        std: All uncertainty, one standard deviation; None where neither part is known. ``[N]``
        epistemic_std: The part on which the draws disagree; None for a single draw. ``[N]``
        aleatoric_std: The part that each draw states itself; None where they state none. ``[N]``
    """

    value: np.ndarray
    std: np.ndarray | None
    epistemic_std: np.ndarray | None
    aleatoric_std: np.ndarray | None


def summarise_numbers(values: np.ndarray, variances: np.ndarray | None = None) -> NumberSummary:
    r"""Averages draws of a number: the mean and variance of the mixture of their distributions.

    .. math::
        \bar\mu = \frac{1}{T}\sum_t \mu_t, \qquad
        \sigma^2 = \underbrace{\frac{1}{T}\sum_t (\mu_t - \bar\mu)^2}_{\text{epistemic}}
        + \underbrace{\frac{1}{T}\sum_t \sigma_t^2}_{\text{aleatoric}}

    Args:
        values: :math:`\mu_t` of every draw. ``[T, N]``
        variances: :math:`\sigma_t^2` of every draw; None where the draws state none. ``[T, N]``

    References:
        Lakshminarayanan et al., Deep ensembles, NeurIPS 2017, section 2.4; Kendall and Gal, NeurIPS 2017.
    """
    epistemic = values.var(axis=0) if len(values) > 1 else None
    aleatoric = variances.mean(axis=0) if variances is not None else None
    parts = [part for part in (epistemic, aleatoric) if part is not None]
    roots = [None if part is None else np.sqrt(part) for part in (epistemic, aleatoric)]
    return NumberSummary(values.mean(axis=0), np.sqrt(np.sum(parts, axis=0)) if parts else None, *roots)
