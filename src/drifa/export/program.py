"""A run as one program: images and what is present in, the answers of the whole ensemble out, for runtimes without drifa."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from drifa.errors import DrifaError
from drifa.links import Link
from drifa.networks.inputs import standardise
from drifa.uncertainty.records import FLOOR

#: Largest difference of a probability (of a number, in standard deviations of the training) from what the run answers itself.
LIMIT = 1e-4
#: Rows of the batches in which the answers are compared.
BATCHES = (1, 3)
PRESENT = "present"

Arrays = dict[str, np.ndarray]
#: Inputs by name -> outputs by name: a program that was read back.
Runner = Callable[[Mapping[str, Tensor]], Arrays]
#: ``softmax(scale * log(p) + shift)``: ``scale`` and ``shift``, one number per class.
Step = tuple[tuple[float, ...], tuple[float, ...]]


class Task(Protocol):
    """What a program asks its networks for, see :class:`Asked`."""

    def answer(self, outputs: Tensor) -> Tensor: ...

    def summary(self, task: str, answers: Tensor, present: Tensor, calibrated: bool = True) -> dict[str, Tensor]: ...

    def off(self, task: str, answers: np.ndarray, whole: bool, got: Arrays) -> float: ...


@dataclass(frozen=True)
class Asked:
    """A task of a program that answers about subjects.

    Attributes:
        link: What the outputs of its heads mean.
        expected: The run's own summary of answers ``[M, B, k]`` of M members for rows with all modalities (True) or not:
            name of an output -> ``[B, …]``.
        steps: How probabilities are calibrated, one step after the other; empty for not at all.
        mean: Of a number's training split.
        std: Likewise.
    """

    link: Link
    expected: Callable[[np.ndarray, bool], Arrays]
    steps: tuple[Step, ...] = ()
    mean: float = 0.0
    std: float = 1.0

    def answer(self, outputs: Tensor) -> Tensor:
        """Outputs of the head of one member -> its answers."""
        return self.link.answer(outputs)

    def summary(self, task: str, answers: Tensor, present: Tensor, calibrated: bool = True) -> dict[str, Tensor]:
        """Outputs by name.

        Args:
            task: Its name.
            answers: Of the members. ``[M, B, k]``
            present: bool ``[B, m]``; rows that lack a modality are not calibrated, for nothing was learned of such.
            calibrated: False leaves all rows as they are.
        """
        if self.link.name == "softmax":
            p = q = answers.mean(0)
            steps = self.steps if calibrated else ()
            for scale, shift in steps:
                q = (q.clamp_min(FLOOR).log() * q.new_tensor(scale) + q.new_tensor(shift)).softmax(dim=1)
            found = {f"probabilities_{task}": torch.where(present.all(dim=1, keepdim=True), q, p)}
            return {**found, f"raw_{task}": p} if steps else {f"probabilities_{task}": p}
        values = answers[..., 0]
        found = {f"value_{task}": values.mean(0) * self.std + self.mean}
        if self.link.name == "gaussian":
            variance = answers[..., 1].mean(0) + values.var(0, unbiased=False)
            found[f"std_{task}"] = variance.sqrt() * self.std
        return found

    def off(self, task: str, answers: np.ndarray, whole: bool, got: Arrays) -> float:
        """The largest difference of a program from its run, see :data:`LIMIT`.

        Args:
            task: Its name.
            answers: Of the run's members. ``[M, B, k]``
            whole: Whether the rows have all modalities.
            got: What the program gave.
        """
        return max(difference(got[name], values) / self.std for name, values in self.expected(answers, whole).items())


class Members(nn.Module):
    """The networks of a run.

    Args:
        nets: The members, in evaluation mode.
        tasks: By name.
        tabular: Modalities that are columns of a table.
    """

    def __init__(self, nets: Sequence[Any], tasks: Mapping[str, Task], tabular: Collection[str] = ()) -> None:
        super().__init__()
        self.nets = nn.ModuleList(nets)
        self.tasks, self.tabular = dict(tasks), frozenset(tabular)

    @property
    def members(self) -> list[Any]:
        """The networks."""
        return list(self.nets)

    def inputs(self, net: Any, images: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """What a member reads: pixels 0 … 255 standardised, columns as they are."""
        return {
            name: x if name in self.tabular else standardise(x / 255, *net.normalisation.get(name, (0.5, 0.5)))
            for name, x in images.items()
        }

    def summary(self, outputs: Sequence[Mapping[str, Tensor]], present: Tensor, calibrated: bool = True) -> dict[str, Tensor]:
        """Outputs of the program from those of the members."""
        found: dict[str, Tensor] = {}
        for task, asked in self.tasks.items():
            answers = torch.stack([asked.answer(one[task]) for one in outputs])
            found.update(asked.summary(task, answers, present, calibrated))
        return found


class Program(Members):
    """Images and ``present`` -> the answers of the ensemble, dropout off.

    Shape:
        - images: modality -> float32 ``[B, C, H, W]``, pixels 0 … 255, or ``[B, F, 1, 1]`` encoded columns; all of them.
        - present: bool ``[B, m]``; what stands in a slot that it leaves out has no influence.
        - output: ``probabilities_TASK`` ``[B, k]`` (and ``raw_TASK``), or ``value_TASK`` ``[B]`` (and ``std_TASK``).
    """

    def forward(self, images: dict[str, Tensor], present: Tensor) -> dict[str, Tensor]:
        return self.summary([net(self.inputs(net, images), present) for net in self.members], present)


@dataclass(frozen=True)
class Examples:
    """Cases on which a program is compared with its run.

    Attributes:
        images: Modality -> uint8 ``[N, C, H, W]`` or float32 ``[N, F, 1, 1]``.
        real: Whether they are of the run's study; random otherwise.
        any_size: The sides of images are free, and they are asked in a second size too.
    """

    images: Mapping[str, Tensor]
    real: bool
    any_size: bool = False

    def asked(self) -> Iterator[tuple[dict[str, Tensor], Tensor]]:
        """Images of absent modalities being zeros, and ``present``: everything there, and every modality alone."""
        yield from self._asked(self.images)
        if self.any_size:
            yield from self._asked({name: x[:, :, x.shape[2] // 4 :, x.shape[3] // 4 :] for name, x in self.images.items()})

    def _asked(self, images: Mapping[str, Tensor]) -> Iterator[tuple[dict[str, Tensor], Tensor]]:
        names, count = list(images), len(next(iter(images.values())))
        for size in BATCHES:
            rows = torch.arange(size) % count
            for own in (names, *([name] for name in names if len(names) > 1)):
                shown = {name: x[rows] if name in own else torch.zeros_like(x[rows]) for name, x in images.items()}
                yield shown, torch.tensor([[name in own for name in names]] * size)


def two_rows(examples: Examples) -> tuple[dict[str, Tensor], Tensor]:
    """Inputs to follow through the networks; an exporter takes a batch of one for a fixed number."""
    images = {name: x[[0, -1]].float() for name, x in examples.images.items()}
    return images, torch.ones(2, len(images), dtype=torch.bool)


def outputs_of(module: nn.Module, *arguments: Any) -> list[str]:
    """Names of the results."""
    with torch.inference_mode():
        return list(module(*arguments))


def exported(module: nn.Module, arguments: tuple[Any, ...], what: str) -> torch.export.ExportedProgram:
    """A module as a program for any number of rows.

    Args:
        module: In evaluation mode.
        arguments: Tensors, or mappings of tensors, of two rows.
        what: Names it in the error.

    Raises:
        DrifaError: The exporter of PyTorch refuses.
    """
    rows = torch.export.Dim("batch")
    shapes = tuple({name: {0: rows} for name in part} if isinstance(part, dict) else {0: rows} for part in arguments)
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.export.export(module, arguments, dynamic_shapes=shapes)
    except Exception as error:  # the exporter raises many kinds
        raise cannot(what, error) from error


def save_program(program: torch.export.ExportedProgram, path: Path) -> Runner:
    """Writes a program of ``torch.export`` and reads it back."""
    # Through memory: on a full disk PyTorch's own writer of files ends the process.
    whole = io.BytesIO()
    torch.export.save(program, whole)
    path.write_bytes(whole.getbuffer())
    module = torch.export.load(path).module()

    def run(inputs: Mapping[str, Tensor]) -> Arrays:
        images = {name: x for name, x in inputs.items() if name != PRESENT}
        with torch.inference_mode():
            return {name: x.numpy() for name, x in module(images, inputs[PRESENT]).items()}

    return run


def answers_of(members: Members, images: Mapping[str, Tensor], present: Tensor) -> Arrays:
    """What the run's own networks answer, asked as `drifa predict` asks them, without what is absent.

    Args:
        members: The networks.
        images: As in :class:`Examples`.
        present: bool ``[B, m]``, alike in all rows.

    Returns:
        Task -> answers of the members ``[M, B, ...]``.
    """
    given = {name: x for i, (name, x) in enumerate(images.items()) if bool(present[0, i])}
    with torch.inference_mode():
        outputs = [net(net.to_input(given), present) for net in members.members]
    return {
        task: np.stack([asked.answer(one[task]).double().numpy() for one in outputs]) for task, asked in members.tasks.items()
    }


def compared(run: Runner, members: Members, examples: Examples) -> float:
    """The largest difference of a program from its run, see :data:`LIMIT`.

    Args:
        run: The program, read back.
        members: The networks that it was made of.
        examples: On what to compare them.
    """
    worst = 0.0
    for images, present in examples.asked():
        answers = answers_of(members, images, present)
        got = run({**{name: x.float() for name, x in images.items()}, PRESENT: present})
        for task, asked in members.tasks.items():
            worst = max(worst, asked.off(task, answers[task], bool(present.all()), got))
    return worst


def difference(got: np.ndarray, expected: np.ndarray) -> float:
    """The largest absolute one; infinite where there is NaN or another shape."""
    if got.shape != expected.shape:
        return float("inf")
    off = float(np.abs(got.astype(np.float64) - expected).max(initial=0.0))
    return off if np.isfinite(off) else float("inf")


def check_close(worst: float, what: str) -> float:
    """Refuses a program that answers otherwise than its run."""
    if worst <= LIMIT:
        return worst
    raise DrifaError(
        f"{what} answers otherwise than the run: they differ by {worst:.2g} where {LIMIT:g} is allowed, so nothing was "
        f"written; "
        f"update torch and the packages of the extra 'export', or export in the other format"
    )


def random_examples(channels: Mapping[str, int], tabular: Collection[str], size: int, count: int = 3) -> Examples:
    """Noise of the shapes that a run reads, always the same."""
    generator = torch.Generator().manual_seed(0)
    images = {
        name: torch.randn(count, c, 1, 1, generator=generator)
        if name in tabular
        else torch.randint(256, (count, c, size, size), generator=generator, dtype=torch.uint8)
        for name, c in channels.items()
    }
    return Examples(images, real=False)


def cannot(what: str, error: Exception, remedy: str = "") -> DrifaError:
    """What is said where an exporter gives up."""
    lines = [line for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    told = f"{type(error).__name__}: {lines[0].strip()[:300]}"
    return DrifaError(f"{what} cannot be exported ({told}); {remedy or 'ask it with `drifa predict`'}")
