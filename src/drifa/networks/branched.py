"""What all networks of branches share: checked inputs, stages that run on the rows they belong to, dropout, the fusion, and
every way of asking: once, under many dropout draws, over subsets of the modalities, in training.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from drifa.backbones import Branch, EncoderBranch
from drifa.backbones.precision import full_precision
from drifa.errors import DrifaError
from drifa.fusion import Fusion
from drifa.networks.arguments import check_keys, check_subsets
from drifa.networks.begun import Begun, run_subsets
from drifa.networks.dropout import Keys, dropout
from drifa.networks.inputs import (
    Features,
    Inputs,
    Maps,
    check_given,
    check_inputs,
    check_maps,
    check_numbers,
    to_input,
    unknown,
)
from drifa.present import column, keep, run_present

#: Numbers in the widest map of several draws that run as one batch: below it calling costs more than computing.
DRAWN_NUMBERS = 2**20


class BranchedNet(nn.Module):
    """One branch per modality and a fusion between them.

    A kind of network gives ``heads`` and two hooks: :meth:`_begin` and :meth:`_finish`.

    Args:
        branches: Modality name -> branch (``stages``, ``refine``, ``infos``, ``in_channels``), or
            :class:`~drifa.backbones.EncoderBranch`; all with as many stages.
        fusion: What couples them.
        dropout_rate: p of every dropout.
        drop_stages: The stages that end with a dropout.
    """

    heads: nn.ModuleDict

    def __init__(
        self, branches: Mapping[str, nn.Module], fusion: Fusion, dropout_rate: float, drop_stages: Sequence[int]
    ) -> None:
        super().__init__()
        #: The arguments of the factory, and what pretrained files gave; both set by it.
        self.config: dict[str, Any] = {}
        self.loaded: dict[str, str] = {}
        #: Modality -> mean and standard deviation per channel that its images are standardised by; 0.5 and 0.5 for others.
        self.normalisation: Mapping[str, tuple[Sequence[float], Sequence[float]]] = {}
        if not isinstance(dropout_rate, int | float) or not 0 <= dropout_rate < 1:
            raise DrifaError(f"dropout={dropout_rate!r} is not a probability in [0, 1)")
        self.branches = nn.ModuleDict(branches)
        self.fusion = fusion
        self.dropout_rate = dropout_rate
        self.stage_count = len(fusion.spec.ends_level)
        self.drop_stages = drop_stages

    @property
    def modalities(self) -> tuple[str, ...]:
        """Names, in the order of the columns of ``present``."""
        return self.fusion.spec.modalities

    def to_input(self, images: Inputs) -> dict[str, Tensor | Maps]:
        """What the network reads, on its device: bytes are images and are standardised; features and maps pass unchanged."""
        check_given(images, self.modalities[0])
        device = next(self.heads.parameters()).device
        return {
            name: to_input(image.to(device), *self.normalisation.get(name, (0.5, 0.5)))
            if isinstance(image, Tensor)
            else [level.to(device) for level in image]
            for name, image in images.items()
        }

    def forward(self, inputs: Inputs, present: Tensor | None = None, dropout_keys: Tensor | None = None) -> dict[str, Tensor]:
        """Outputs of every task.

        Args:
            inputs: Modality name -> images ``[B, C, H, W]``, or what :meth:`encode` gave for them.
            present: bool ``[B, m]`` or ``None``.
            dropout_keys: int64 ``[B]``; with keys dropout is on, also in evaluation mode, and the masks of each row depend on
                its key alone.

        Raises:
            DrifaError: For an unknown modality, images that do not fit, or a row without any modality.
        """
        begun = self._begin(inputs, present)
        if dropout_keys is not None:
            check_keys(dropout_keys, (begun.rows,), "[B]")
        return self.answers(begun, dropout_keys)

    def sample(self, inputs: Inputs, present: Tensor | None, dropout_keys: Tensor) -> dict[str, Tensor]:
        """Outputs under several dropout draws; what comes before the first dropout is computed once.

        Args:
            inputs: As in :meth:`forward`.
            present: As in :meth:`forward`.
            dropout_keys: int64 ``[T, B]``, one row of keys per draw.

        Returns:
            Task name -> ``[T, B, …]``.

        Examples:
            Three draws for two rows. A row's draw belongs to its key: asked alone, it gives the same answer.

            >>> from drifa import create_model
            >>> tiny = {"layers": [1, 1, 1, 1], "channels": [4, 4, 8, 8]}
            >>> net = create_model(modalities={"photo": 3}, tasks={"lesion": 7}, backbone_args=tiny).eval()
            >>> photo, keys = torch.rand(2, 3, 32, 32), torch.tensor([[1, 2], [3, 4], [5, 6]])
            >>> draws = net.sample({"photo": photo}, None, keys)["lesion"]
            >>> tuple(draws.shape), tuple(draws.softmax(-1).mean(0).shape)
            ((3, 2, 7), (2, 7))
            >>> alone = net.sample({"photo": photo[1:]}, None, keys[:, 1:])["lesion"]
            >>> torch.allclose(alone[:, 0], draws[:, 1], atol=1e-5)
            True
        """
        return self._draws(self.begin_draws(inputs, present), dropout_keys)

    def answer_and_sample(
        self, inputs: Inputs, present: Tensor | None, dropout_keys: Tensor
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """What :meth:`forward` answers without dropout, and what :meth:`sample` does, for less than the two together."""
        begun = self.begin_draws(inputs, present)
        return self.answers(begun, None), self._draws(begun, dropout_keys)

    def over_subsets(self, inputs: Inputs, present: Tensor | None, subsets: Tensor) -> list[dict[str, Tensor] | None]:
        """Outputs for each subset of the modalities; what comes before the first coupling is computed once.

        Args:
            inputs: As in :meth:`forward`.
            present: As in :meth:`forward`.
            subsets: bool ``[S, m]``.

        Returns:
            Per subset, task name -> ``[B, …]``, NaN for a row that has nothing of the subset; ``None`` if no row has.
        """
        begun = self.begin_apart(inputs, present)
        check_subsets(subsets, self.modalities)
        return run_subsets(begun, subsets, lambda part: self.answers(part, None))

    def training_logits(
        self, inputs: Inputs, present: Tensor | None = None
    ) -> tuple[dict[str, list[Tensor]], dict[str, Tensor]]:
        """What the loss is made of in training.

        Args:
            inputs: As in :meth:`forward`.
            present: As in :meth:`forward`.

        Returns:
            Task name -> everything that the loss of the task is taken on (one tensor of outputs; more under deep
            supervision), and the fusion's own loss terms, name -> scalar.
        """
        begun = self._begin(inputs, present)
        outputs, last = self._finish(begun, None, supervised=True)
        with full_precision(next(iter(outputs.values()))[0]):
            return outputs, self.fusion.auxiliary_loss(self._whole(last), begun.present)

    def _begin(self, inputs: Inputs, present: Tensor | None, far: bool = False) -> Begun:
        """Hook: checks the inputs and runs the body of the first stage.

        Args:
            inputs: As in :meth:`forward`.
            present: As in :meth:`forward`.
            far: Nothing that tells the passes apart happens before the last stage's body: a network that can run on to
                there does, which saves the passes most of their work.
        """
        raise NotImplementedError

    def _finish(self, begun: Begun, keys: Keys | None, supervised: bool = False) -> tuple[dict[str, list[Tensor]], Features]:
        """Hook: everything behind what has begun.

        Returns:
            Task name -> its outputs, as a list of one; with ``supervised`` all that its loss is taken on. And the last maps.
        """
        raise NotImplementedError

    def begin_draws(self, inputs: Inputs, present: Tensor | None) -> Begun:
        """What all draws share: the pass up to its first dropout. Inputs and ``present`` as in :meth:`forward`."""
        return self._begin(inputs, present, far=not self.drop_stages)  # then the first dropout stands behind the last stage

    def begin_apart(self, inputs: Inputs, present: Tensor | None) -> Begun:
        """The pass up to where a branch first knows of the others. Inputs and ``present`` as in :meth:`forward`."""
        return self._begin(inputs, present, far=not self.fusion.couples)

    def _draws(self, begun: Begun, dropout_keys: Tensor) -> dict[str, Tensor]:
        """Every draw from where the pass has begun, several at once while their maps are small: task -> ``[T, B, …]``."""
        check_keys(dropout_keys, (-1, begun.rows), "[T, B]")
        widest = max(x.numel() for x in begun.features if x is not None)
        parts = []
        for keys in dropout_keys.split(max(1, DRAWN_NUMBERS // widest)):
            answers = self.answers(begun.repeated(len(keys)), keys.flatten())
            parts.append({task: values.unflatten(0, keys.shape) for task, values in answers.items()})
        return {task: torch.cat([part[task] for part in parts]) for task in self.heads}

    def answers(self, begun: Begun, keys: Keys | None) -> dict[str, Tensor]:
        """Task -> outputs of a pass that has begun, under one draw with keys, or without dropout."""
        return {task: values[0] for task, values in self._finish(begun, keys)[0].items()}

    @property
    def _head_dtype(self) -> torch.dtype:
        return next(self.heads.parameters()).dtype

    def _whole(self, features: Features) -> Features:
        """In the precision of the heads, which stay in 32 bit: a half-precision softmax loses small classes."""
        return [None if x is None else x.to(self._head_dtype) for x in features]

    def _branches(self) -> list[Any]:
        return list(self.branches.values())

    def _encode(self, inputs: Inputs, features: Features, present: Tensor | None) -> tuple[Features, ...]:
        """Per stage the maps of the whole encoders, on the rows that have their modality; nothing without any encoder."""
        maps: list[Maps | None] = []
        for i, (name, branch) in enumerate(zip(self.modalities, self._branches(), strict=True)):
            x, mask = features[i], column(present, i)
            if x is None or not isinstance(branch, EncoderBranch):
                maps.append(None)
            elif isinstance(inputs[name], Tensor):
                maps.append(branch.encode(x, mask))
            else:
                maps.append([keep(given.to(self._head_dtype), mask) for given in inputs[name]])
        if all(own is None for own in maps):
            return ()
        return tuple([None if own is None else own[stage] for own in maps] for stage in range(self.stage_count))

    def _body(self, stage: int, features: Features, present: Tensor | None, levels: Sequence[Features] = ()) -> Features:
        """Runs the stage of every branch on the rows that have its modality; further maps of the fusion pass by."""
        output: Features = []
        for i, branch in enumerate(self._branches()):
            x, mask = features[i], column(present, i)
            level = levels[stage][i] if levels else None
            if x is None:
                output.append(None)
            elif level is None:
                output.append(run_present(branch.stages[stage], x, mask))
            else:
                output.append(branch.join(stage, level, x, mask))
        return [*output, *features[len(output) :]]

    def _tail(self, stage: int, features: Features, present: Tensor | None, keys: Keys | None) -> Features:
        """Dropout, the MFA behind the stage, and the fusion."""
        own, further = features[: len(self.modalities)], features[len(self.modalities) :]
        if stage in self.drop_stages:
            own = self._drop(own, keys, site=stage * len(self.modalities))
        refined = [None if x is None else branch.refine[stage](x) for x, branch in zip(own, self._branches(), strict=True)]
        return self.fusion.after_stage(stage, [*refined, *further], present)

    def _drop(self, features: Sequence[Tensor | None], keys: Keys | None, site: int) -> Features:
        return [
            None if x is None else dropout(x, self.dropout_rate, self.training, keys, site + i) for i, x in enumerate(features)
        ]

    def _check(self, inputs: Inputs, present: Tensor | None) -> tuple[Features, Tensor | None]:
        check_given(inputs, self.modalities[0])
        branches = dict(zip(self.modalities, self._branches(), strict=True))
        channels = {name: branch.in_channels for name, branch in branches.items()}
        first: dict[str, Tensor] = {}
        for name, x in inputs.items():
            if isinstance(x, Tensor):
                first[name] = x
            elif name in branches:
                check_maps(name, x, branches[name])
                first[name], channels[name] = x[0], branches[name].infos[0].channels
            else:
                raise unknown(name, self.modalities)
        features, present = check_inputs(first, present, channels)
        for i, (name, branch) in enumerate(branches.items()):
            image = features[i]
            if image is None or not isinstance(inputs[name], Tensor):
                continue
            check_numbers(name, image, next(branch.parameters()).dtype)
            if isinstance(branch, Branch | EncoderBranch):
                branch.check_size(image.shape[2], image.shape[3], name)
            if isinstance(branch, Branch):
                features[i] = image.contiguous(memory_format=branch.memory_format)
        return features, present
