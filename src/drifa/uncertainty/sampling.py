"""Monte-Carlo dropout and ensembles for any classifier, in memory that does not grow with the passes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from drifa.errors import DrifaError, suggest
from drifa.networks.branched import BranchedNet
from drifa.networks.dropout import keyed_mask, pass_keys, row_seeds
from drifa.networks.undisturbed import undisturbed
from drifa.uncertainty.summary import Summary, entropy

#: Dropout of single numbers, and of whole channels.
ELEMENTS, CHANNELS = (nn.Dropout,), (nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)
_WITHOUT = (
    "{} has no dropout{}, so that every pass gives the same answer; ask it with passes=0, and train several networks to see "
    "how far they disagree"
)
_NO_MODULE = " module among its parts (one that forward calls as a function is none: make it an nn.Dropout)"
#: The largest share of its capital that the test of a row bets.
BOLDEST = 0.95
#: Squares of imagined draws that win nothing.
SHRINK = 0.25


@dataclass(frozen=True)
class Sampled(Summary):
    r"""The mean over all draws of N rows, and what the draws say of it.

    Of maps everything but ``passes`` has the axes of the pixels behind: probabilities ``[N, C, H, W]``, the others
    ``[N, H, W]``, and likewise with a depth.

    Attributes:
        expected_entropy: :math:`\overline{H[p]}`, nats: the part of the uncertainty that no draw resolves. ``[N]``
        variance: Over the draws, summed over the classes; None for a single draw, which says nothing of it. ``[N]``
        margin: The largest mean probability minus the second. ``[N]``
        passes: Network passes behind each row. int64 ``[N]``

    References:
        Gal, Uncertainty in deep learning, 2016, section 3.3 (entropies, variance); Settles, Active learning, 2009 (margin).
    """

    expected_entropy: np.ndarray
    variance: np.ndarray | None
    margin: np.ndarray
    passes: np.ndarray


def sample(
    models: nn.Module | Sequence[nn.Module],
    inputs: Any,
    passes: int = 20,
    present: Tensor | None = None,
    names: Sequence[str] | None = None,
    seed: int = 0,
    settle: float | None = None,
    tasks: Sequence[str] | None = None,
) -> dict[str, Sampled]:
    r"""Answers of one classifier or several under dropout, of rows or of every pixel of maps.

    Only dropout is switched on: BatchNorm stays with its running statistics. Afterwards every part is in the mode it was in,
    also after an error. The mask of a row depends on its name, the seed, the network's place and the number of the pass, so
    that batches and their order change nothing. Of a network of this package what stands before its first dropout is computed
    once; of any other, ``nn.Dropout`` and its forms by channel are found wherever they stand, each with rows in front;
    dropout that a ``forward`` calls as a function stays off.

    With ``settle`` a row is asked no further once its class is settled: a draw is the mean over all models, one pass each; the
    first names a class, and the others bet against the hypothesis that all ``passes`` draws together would not name it. For the
    draws :math:`d_i` of :math:`p_a - \max_{b \ne a} p_b`, the capital :math:`\prod_i 1 + \lambda_i (d_i - m_i)` with
    :math:`m_i = -\sum_{j<i} d_j / (T - i + 1)`, the mean that the hypothesis leaves to the draws to come, exceeds
    :math:`1 / \alpha` with a probability of at most :math:`\alpha`, whenever one looks.

    Args:
        models: Networks that give logits of exclusive classes, ``[N, C]``, ``[N, C, H, W]`` or ``[N, C, D, H, W]``, or
            task -> logits. Memory is that of one draw of one network and the sums: it grows with N, C and the pixels alone.
        inputs: What they read: a tensor with N rows, or of a network of this package modality -> images.
        passes: T, of each model; 0 = dropout off, one pass. One draw in all (of one model) has no spread: it is None then, and
            not 0.
        present: As a network of this package takes it. bool ``[N, m]``
        names: Of the rows; their numbers by default.
        seed: Of the masks.
        settle: Confidence :math:`1 - \alpha` with which the class must be that of all passes, for example 0.99; None = all
            passes for every row. Not of maps, whose pixels share their passes.
        tasks: Those that are answered, and that must be settled; None = all.

    Returns:
        Task -> its answers; the task is ``""`` where a model gives one tensor.

    Raises:
        DrifaError: A model has no dropout, or one of another kind, gives regions that may overlap instead of classes, passes
            or settle do not fit, a task is not answered, or answers are not finite.

    References:
        Waudby-Smith and Ramdas, Estimating means of bounded random variables by betting, JRSS B 2024, section 5 (without
        replacement); Gal and Ghahramani, ICML 2016.

    Examples:
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(12, 3), nn.Dropout(0.5), nn.Linear(3, 4))
        >>> x = torch.rand(5, 3, 2, 2)
        >>> whole = sample(model, x, passes=10)[""]
        >>> whole.probabilities.shape, whole.passes.tolist()
        ((5, 4), [10, 10, 10, 10, 10])
        >>> alone = sample(model, x[2:3], passes=10, names=["2"])[""]
        >>> bool(np.allclose(alone.probabilities, whole.probabilities[2:3], atol=1e-6))
        True
    """
    nets = list(models) if isinstance(models, Sequence) else [models]
    _check(nets, passes, settle)
    with torch.inference_mode(), undisturbed(*nets):
        asked = [_Own(net, inputs, present) if isinstance(net, BranchedNet) else _Any(net, inputs, present) for net in nets]
        count = asked[0].rows
        own = [str(row) for row in range(count)] if names is None else list(names)
        if len(own) != count:
            raise DrifaError(f"{len(own)} names do not fit {count} rows; give one per row")
        seeds, rows = row_seeds(own, seed), torch.arange(count)
        moments: dict[str, _Moments] = {}
        for turn in range(max(passes, 1)):
            for number, asker in enumerate(asked):
                keys = pass_keys(seeds[rows] + 0x51ED * number, turn) if passes else None
                answers = asker.draw(rows, keys)
                for task in answers if tasks is None else tasks:
                    if task not in answers:
                        raise DrifaError(f"task {task!r} is not answered{suggest(task, answers)}")
                    p = _probabilities(task, answers[task], settle)
                    if task not in moments:
                        moments[task] = _Moments((count, *p.shape[1:]), max(passes, 1))
                    moments[task].add(rows.numpy(), p)
            for one in moments.values():
                one.end_turn(rows.numpy(), len(nets))
            if settle is not None:
                still = np.any([one.open(rows.numpy(), settle) for one in moments.values()], axis=0)
                rows = rows[torch.from_numpy(still)]
                if not len(rows):
                    break
    return {task: one.summary() for task, one in moments.items()}


def _check(nets: Sequence[nn.Module], passes: int, settle: float | None) -> None:
    if not nets or not all(isinstance(net, nn.Module) for net in nets):
        raise DrifaError("sample needs a torch module or several; give at least one")
    if not isinstance(passes, int) or isinstance(passes, bool) or passes < 0:
        raise DrifaError(f"passes={passes!r} is no number of passes; give 0 (dropout off) or more, 20 is usual")
    if settle is not None and not 0 < settle < 1:
        raise DrifaError(f"settle={settle!r} is no confidence between 0 and 1; 0.99 is usual, None asks every row as often")
    for net in nets:
        if isinstance(net, BranchedNet) and net.config.get("output") == "regions":
            raise DrifaError(
                f"a {type(net).__name__} of output='regions' gives one sigmoid per region, and regions may overlap; sample "
                f"needs exclusive classes: train with output='classes', or average region_probabilities of net.sample"
            )


def _probabilities(task: str, logits: Tensor, settle: float | None) -> np.ndarray:
    shape = list(logits.shape)
    if logits.ndim not in (2, 4, 5):
        raise DrifaError(f"answers of the shape {shape} are no logits; give [N, C], or of maps [N, C, H, W] or [N, C, D, H, W]")
    if logits.ndim > 2 and shape[1] == 1:
        raise DrifaError(f"maps {shape} have a single class, which is certain; of a sigmoid give two: zeros and its logits")
    if logits.ndim > 2 and settle is not None:
        raise DrifaError(
            f"settle={settle!r} is for whole rows, and the pixels of maps {shape} share their passes; leave it out"
        )
    p = logits.double().softmax(1).cpu().numpy()
    lost = np.flatnonzero(~np.isfinite(p).reshape(len(p), -1).all(axis=1))
    if len(lost):
        raise DrifaError(f"the answer{f' to {task!r}' if task else ''} of row {lost[0]} is not finite; look at its input")
    return p


class _Own:
    """A network of this package, which knows what comes before its dropout."""

    def __init__(self, net: BranchedNet, inputs: Any, present: Tensor | None) -> None:
        self.net = net
        self.begun = net.begin_draws(net.to_input(inputs), present)
        self.rows = self.begun.rows
        here = torch.ones(self.rows, len(net.modalities), dtype=torch.bool) if present is None else present
        self.present = here.to(next(net.parameters()).device)

    def draw(self, rows: Tensor, keys: Tensor | None) -> dict[str, Tensor]:
        device = self.present.device
        if keys is not None and not self.net.dropout_rate:
            raise DrifaError(_WITHOUT.format(type(self.net).__name__, ""))
        chosen = rows.to(device)
        begun = self.begun if len(rows) == self.rows else self.begun.of_rows(chosen, self.present[chosen])
        return self.net.answers(begun, None if keys is None else keys.to(device))


class _Any:
    """Any module: it is run whole, and its dropouts are answered by masks of the rows."""

    def __init__(self, net: nn.Module, inputs: Any, present: Tensor | None) -> None:
        self.net = net
        self.places = [module for module in net.modules() if isinstance(module, nn.modules.dropout._DropoutNd)]
        odd = [type(place).__name__ for place in self.places if not isinstance(place, (*ELEMENTS, *CHANNELS))]
        if odd:
            raise DrifaError(f"{odd[0]} is a dropout that sample does not know; nn.Dropout and its forms by channel are known")
        if not isinstance(inputs, Tensor) or present is not None:
            raise DrifaError("a module that is none of this package's is asked with one tensor [N, …], and without present")
        self.x, self.rows = inputs, len(inputs)

    def draw(self, rows: Tensor, keys: Tensor | None) -> dict[str, Tensor]:
        if keys is not None and not any(place.p > 0 for place in self.places):
            raise DrifaError(_WITHOUT.format(type(self.net).__name__, "" if self.places else _NO_MODULE))
        with _masked(self.places, keys):
            answers = self.net(self.x[rows])
        return dict(answers) if isinstance(answers, Mapping) else {"": answers}


@contextmanager
def _masked(places: Sequence[nn.Module], keys: Tensor | None) -> Iterator[None]:
    """The dropouts answer with masks of the keys of their rows, in the order of their calls."""
    calls = iter(range(2**20))

    def answer(module: Any, given: tuple[Tensor, ...], _: Tensor) -> Tensor:
        x = given[0]
        assert keys is not None
        if not module.p:
            return x
        if x.shape[0] % len(keys):
            raise DrifaError(
                f"{type(module).__name__} reads a tensor of shape {list(x.shape)}, which has not {len(keys)} rows in front; "
                f"sample cannot tell whose numbers they are"
            )
        own = keys.to(x.device)
        if isinstance(module, CHANNELS):
            mask = keyed_mask(own, next(calls), x.shape[1] * (x.shape[0] // len(keys)), module.p)
            mask = mask.view(*x.shape[:2], *[1] * (x.ndim - 2))
        else:
            mask = keyed_mask(own, next(calls), x.numel() // len(keys), module.p).view(x.shape)
        return torch.where(mask, x / (1 - module.p), 0)

    hooks = [place.register_forward_hook(answer) for place in places] if keys is not None else []
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


class _Moments:
    """Sums over the draws of all rows of one task, and, of whole rows, the tests of their classes."""

    def __init__(self, shape: tuple[int, ...], rounds: int) -> None:
        rows = shape[0]
        self.rounds = rounds
        self.total = np.zeros(shape)
        self.squares = np.zeros(shape)
        self.entropies = np.zeros((rows, *shape[2:]))
        self.draws = np.zeros(rows, dtype=np.int64)
        self.turn = np.zeros(shape) if len(shape) == 2 else None
        self.turns = np.zeros(rows, dtype=np.int64)
        self.named = np.zeros(rows, dtype=np.int64)
        self.capital = np.ones(rows)
        self.gaps = np.zeros((2, rows))  # sums of d and d²

    def add(self, rows: np.ndarray, p: np.ndarray) -> None:
        """Adds one draw of one network."""
        self.total[rows] += p
        self.squares[rows] += p**2
        self.entropies[rows] += _entropy(p)
        self.draws[rows] += 1
        if self.turn is not None:
            self.turn[rows] += p

    def end_turn(self, rows: np.ndarray, models: int) -> None:
        """After one draw of each network."""
        if self.turn is not None:
            self._bet(rows, self.turn[rows] / models)
            self.turn[rows] = 0
        self.turns[rows] += 1

    def _bet(self, rows: np.ndarray, p: np.ndarray) -> None:
        first = self.turns[rows] == 0
        self.named[rows[first]] = p[first].argmax(axis=1)
        at = np.arange(len(rows)), self.named[rows]
        others = p.copy()
        others[at] = -np.inf
        d = p[at] - (others.max(axis=1) if p.shape[1] > 1 else 0)
        if not first.all():
            # How much is left of 0 for the draws to come, which are at least -1, so that no factor is below 0.
            turn, (total, squares) = self.turns[rows], self.gaps[:, rows]
            null = -total / (self.rounds - turn)
            mean, mean_square = total / turn - null, squares / turn - 2 * null * total / turn + null**2
            # Kelly's bet for the mean so far, shrunk a little: the first draws are few.
            wish = mean * turn / (mean_square * turn + SHRINK)
            bet = np.clip(wish, 0, BOLDEST / np.maximum(1 + null, 1e-3))
            # A null mean below -1 cannot be: whatever comes, the class stays.
            self.capital[rows] = np.where(null <= -1, np.inf, self.capital[rows] * (1 + bet * (d - null)))
        self.gaps[0, rows] += d
        self.gaps[1, rows] += d**2

    def open(self, rows: np.ndarray, settle: float) -> np.ndarray:
        """Which rows are to be asked further."""
        return self.capital[rows] < 1 / (1 - settle)

    def summary(self) -> Sampled:
        inner = (1,) * (self.entropies.ndim - 1)
        draws = self.draws.reshape(-1, *inner)
        p = self.total / draws[:, None]
        spread = np.maximum(self.squares / draws[:, None] - p**2, 0)
        several = bool(self.draws.max() > 1)
        whole, expected = _entropy(p), self.entropies / draws
        best = np.take_along_axis(spread, p.argmax(axis=1, keepdims=True), axis=1)[:, 0]
        ordered = np.sort(p, axis=1)
        return Sampled(
            probabilities=p,
            predictive_entropy=whole,
            mutual_information=np.maximum(whole - expected, 0) if several else None,
            std=np.sqrt(best) if several else None,
            expected_entropy=expected,
            variance=spread.sum(axis=1) if several else None,
            margin=ordered[:, -1] - (ordered[:, -2] if p.shape[1] > 1 else 0),
            passes=self.draws.copy(),
        )


def _entropy(p: np.ndarray) -> np.ndarray:
    """Over the classes: ``[N, C, …]`` -> ``[N, …]``."""
    return entropy(np.moveaxis(p, 1, -1))
