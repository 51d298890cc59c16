"""A run in two ONNX files: what all dropout draws have in common, and the rest, whose masks its caller draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from drifa.errors import DrifaError
from drifa.export.onnx import save_onnx
from drifa.export.program import PRESENT, Asked, Examples, Members, Runner, check_close, difference, outputs_of, two_rows
from drifa.networks.dropout import Keys, keyed_mask, pass_keys, row_seeds
from drifa.networks.fusionnet import FusionNet

PREFIX, HEAD = "prefix.onnx", "head.onnx"


@dataclass(frozen=True)
class Mask:
    """An input of the second part.

    Attributes:
        site: Number of the place in the network, see :func:`drifa.networks.dropout.keyed_mask`.
        shape: Of one row.
        keep: Probability that an element survives.
    """

    site: int
    shape: tuple[int, ...]
    keep: float

    def of(self, keys: Tensor) -> Tensor:
        """What `drifa` draws for rows with int64 keys ``[B]``."""
        return keyed_mask(keys, self.site, torch.Size(self.shape).numel(), 1 - self.keep).view(-1, *self.shape)


class Prefix(Members):
    """Images and ``present`` -> per member what comes before its first dropout, ``maps_MEMBER_NUMBER``."""

    def forward(self, images: dict[str, Tensor], present: Tensor) -> dict[str, Tensor]:
        found = {}
        for member, net in enumerate(self.members):
            for number, x in enumerate(net.before_dropout(self.inputs(net, images), present)):
                found[f"maps_{member}_{number}"] = x
        return found


class Head(Members):
    """Maps of :class:`Prefix`, bool ``keep_MEMBER_SITE`` with what one dropout draw keeps, and ``present`` -> answers.

    They are those of the draw averaged over the members, not calibrated: that comes behind the mean over the draws.
    """

    def forward(self, maps: dict[str, Tensor], keep: dict[str, Tensor], present: Tensor) -> dict[str, Tensor]:
        outputs = [self.drawn(member, maps, present, _given(member, keep)) for member in range(len(self.members))]
        return self.summary(outputs, present, calibrated=False)

    def drawn(self, member: int, maps: Mapping[str, Tensor], present: Tensor, keys: Keys) -> dict[str, Tensor]:
        """Outputs of one member under one draw."""
        own = [x for name, x in maps.items() if name.startswith(f"maps_{member}_")]
        found: dict[str, Tensor] = self.members[member].after_dropout(own, present, keys)
        return found

    def masks(self, maps: Mapping[str, Tensor], present: Tensor) -> dict[str, Mask]:
        """The masks that it reads, by name."""
        found: dict[str, Mask] = {}
        for member, net in enumerate(self.members):

            def seen(x: Tensor, site: int, member: int = member, keep: float = 1 - net.dropout_rate) -> Tensor:
                found[f"keep_{member}_{site}"] = Mask(site, tuple(x.shape[1:]), keep)
                return torch.ones_like(x, dtype=torch.bool)

            self.drawn(member, maps, present, seen)
        return found


def _given(member: int, keep: Mapping[str, Tensor]) -> Keys:
    return lambda x, site: keep[f"keep_{member}_{site}"]


def check_dropout(nets: Sequence[FusionNet], what: str) -> None:
    """Refuses networks without dropout: each of their draws is the same."""
    if not all(net.dropout_rate for net in nets):
        raise DrifaError(
            f"--draws takes a network with dropout, and {what} was trained with model.dropout=0; train with model.dropout=0.25 "
            f"and model.dropout_at=head, or leave --draws out"
        )


def save_draws(
    members: Members, place: Path, examples: Examples, what: str, opset: int | None = None
) -> tuple[float, dict[str, Any]]:
    """Writes both parts.

    Args:
        members: The networks, with dropout.
        place: The folder.
        examples: On what to compare them with the networks under the masks of `drifa`.
        what: Names the run in errors.
        opset: As in :func:`drifa.export.onnx.save_onnx`.

    Returns:
        The largest difference, see :data:`drifa.export.program.LIMIT`, and what a caller needs to know of maps and masks.

    Raises:
        DrifaError: The exporter refuses, or the parts answer otherwise than the networks.
    """
    prefix, head = (kind(members.members, members.tasks, members.tabular).eval() for kind in (Prefix, Head))
    assert isinstance(head, Head)
    images, present = two_rows(examples)
    with torch.no_grad():
        maps = prefix(images, present)
        masks = head.masks(maps, present)
    keep = {name: torch.ones(2, *mask.shape, dtype=torch.bool) for name, mask in masks.items()}
    first = save_onnx(prefix, (images, present), place / PREFIX, list(maps), what, opset)
    second = save_onnx(head, (maps, keep, present), place / HEAD, outputs_of(head, maps, keep, present), what, opset)
    worst = check_close(compared_draws(first, second, head, masks, examples), what)
    return worst, {
        "parts": [PREFIX, HEAD],
        "maps": {name: {"type": "float32", "shape": ["batch", *x.shape[1:]]} for name, x in maps.items()},
        "masks": {
            name: {"type": "bool", "shape": ["batch", *mask.shape], "keep": mask.keep, "site": mask.site}
            for name, mask in masks.items()
        },
    }


def compared_draws(first: Runner, second: Runner, head: Head, masks: Mapping[str, Mask], examples: Examples) -> float:
    """The largest difference of the parts from the networks, both under the masks of one pass of `drifa`."""
    worst = 0.0
    for images, present in examples.asked():
        keys = pass_keys(row_seeds([str(row) for row in range(len(present))], seed=0), 0)
        given = {name: x for i, (name, x) in enumerate(images.items()) if bool(present[0, i])}
        with torch.inference_mode():
            draws = [net.sample(net.to_input(given), present, keys[None]) for net in head.members]
            expected = head.summary([{task: x[0] for task, x in one.items()} for one in draws], present, calibrated=False)
        maps = first({**{name: x.float() for name, x in images.items()}, PRESENT: present})
        keep = {name: mask.of(keys) for name, mask in masks.items()}
        answers = second({**{name: torch.from_numpy(x) for name, x in maps.items()}, **keep, PRESENT: present})
        for name, values in expected.items():
            asked = head.tasks[name.split("_", 1)[1]]
            assert isinstance(asked, Asked)
            worst = max(worst, difference(answers[name], values.numpy()) / asked.std)
    return worst
