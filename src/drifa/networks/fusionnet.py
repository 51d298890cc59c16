"""FusionNet: one branch per modality, a fusion between them, one head per task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from drifa.backbones import Branch
from drifa.errors import DrifaError, suggest
from drifa.fusion import Fusion
from drifa.networks.dropout import dropout

DROPOUT_AT = ("blocks", "head")
Features = list[Tensor | None]


class FusionNet(nn.Module):
    """Classification from any number of image modalities. Build it with :func:`drifa.create_model`.

    For stage k of K: every branch runs on the rows that have its modality; dropout (stages 1 … K-2 with
    ``dropout_at="blocks"``); the branch's MFA; the fusion. Then dropout on the last maps, readout, heads: Algorithm 1 as
    the released code has it.

    Args:
        branches: Modality name -> branch; all with the same number of stages.
        fusion: What couples them.
        dropout_rate: p of every dropout.
        dropout_at: ``"blocks"`` (the paper: after all blocks but the last two, and before the readout) or ``"head"``
            (before the readout only).

    Shape:
        - inputs: modality name -> ``[B, C, H, W]``; a missing name is a modality that no row has.
        - present: bool ``[B, m]``, columns in the order of ``modalities``; ``None`` = every given modality in every row.
        - output: task name -> logits ``[B, classes]``.
    """

    def __init__(
        self, branches: Mapping[str, Branch], fusion: Fusion, dropout_rate: float = 0.25, dropout_at: str = "blocks"
    ) -> None:
        super().__init__()
        #: The arguments of create_model, and what pretrained files gave; both set by the factory.
        self.config: dict[str, Any] = {}
        self.loaded: dict[str, str] = {}
        if dropout_at not in DROPOUT_AT:
            raise DrifaError(f"dropout_at={dropout_at!r} is not known{suggest(dropout_at, DROPOUT_AT)}")
        if not 0 <= dropout_rate < 1:
            raise DrifaError(f"dropout={dropout_rate} is not a probability in [0, 1)")
        self.branches = nn.ModuleDict(branches)
        self.fusion = fusion
        self.heads = nn.ModuleDict({task: fusion.make_head(task) for task in fusion.spec.tasks})
        self.dropout_rate = dropout_rate
        self.stage_count = len(fusion.spec.ends_level)
        self.drop_stages = range(self.stage_count - 2 if dropout_at == "blocks" else 0)

    @property
    def modalities(self) -> tuple[str, ...]:
        """Names, in the order of the columns of ``present``."""
        return self.fusion.spec.modalities

    def forward(
        self, inputs: Mapping[str, Tensor], present: Tensor | None = None, dropout_keys: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Logits of every task.

        Args:
            inputs: Modality name -> images ``[B, C, H, W]``.
            present: bool ``[B, m]`` or ``None``.
            dropout_keys: int64 ``[B]``; with keys dropout is on, also in evaluation mode, and the masks of each row
                depend on its key alone.

        Raises:
            DrifaError: For an unknown modality, images that do not fit, or a row without any modality.
        """
        features, present = self._check(inputs, present)
        features = self._body(0, features, present)
        return self._from(0, features, present, dropout_keys)

    def sample(self, inputs: Mapping[str, Tensor], present: Tensor | None, dropout_keys: Tensor) -> dict[str, Tensor]:
        """Logits under several dropout draws; what comes before the first dropout is computed once.

        Args:
            inputs: As in :meth:`forward`.
            present: As in :meth:`forward`.
            dropout_keys: int64 ``[T, B]``, one row of keys per draw.

        Returns:
            Task name -> ``[T, B, classes]``.
        """
        features, present = self._check(inputs, present)
        features = self._body(0, features, present)
        stage = 0
        if not self.drop_stages:  # the first dropout stands behind the last stage
            while stage + 1 < self.stage_count:
                features = self._body(stage + 1, self._tail(stage, features, present, None), present)
                stage += 1
        draws = [self._from(stage, features, present, keys) for keys in dropout_keys]
        return {task: torch.stack([draw[task] for draw in draws]) for task in self.heads}

    def _from(self, stage: int, features: Features, present: Tensor | None, keys: Tensor | None) -> dict[str, Tensor]:
        """Everything behind the body of ``stage``."""
        features = self._tail(stage, features, present, keys)
        for k in range(stage + 1, self.stage_count):
            features = self._tail(k, self._body(k, features, present), present, keys)
        count = len(self.modalities)
        last = self._drop(features, keys, site=self.stage_count * count)
        device = next(x.device.type for x in last if x is not None)
        with torch.autocast(device, enabled=False):  # heads stay in 32 bit: half-precision softmax loses small classes
            readout = self.fusion.readout([None if x is None else x.to(self._head_dtype) for x in last], present)
            return {task: head(readout) for task, head in self.heads.items()}

    def _branches(self) -> list[Branch]:
        return cast(list[Branch], list(self.branches.values()))

    @property
    def _head_dtype(self) -> torch.dtype:
        return next(self.heads.parameters()).dtype

    def _body(self, stage: int, features: Features, present: Tensor | None) -> Features:
        """Runs the stage of every branch on the rows that have its modality."""
        output: Features = []
        for i, branch in enumerate(self._branches()):
            x, module = features[i], branch.stages[stage]
            if x is None or present is None or bool(present[:, i].all()):
                output.append(None if x is None else module(x))
                continue
            rows = present[:, i].nonzero().squeeze(1)
            if self.training and len(rows) == 1:
                # BatchNorm has nothing to learn from one row, and fails on it at 1x1 maps: use its running statistics.
                y = module.eval()(x[rows])
                module.train()
            else:
                y = module(x[rows])
            output.append(y.new_zeros(x.shape[0], *y.shape[1:]).index_copy(0, rows, y))
        return output

    def _tail(self, stage: int, features: Features, present: Tensor | None, keys: Tensor | None) -> Features:
        """Dropout, the MFA behind the block, and the fusion."""
        if stage in self.drop_stages:
            features = self._drop(features, keys, site=stage * len(self.modalities))
        refined = [None if x is None else branch.refine[stage](x) for x, branch in zip(features, self._branches(), strict=True)]
        return self.fusion.after_stage(stage, refined, present)

    def _drop(self, features: Sequence[Tensor | None], keys: Tensor | None, site: int) -> Features:
        return [
            None if x is None else dropout(x, self.dropout_rate, self.training, keys, site + i) for i, x in enumerate(features)
        ]

    def _check(self, inputs: Mapping[str, Tensor], present: Tensor | None) -> tuple[Features, Tensor | None]:
        """Inputs in the order of the modalities; a modality that no row has becomes ``None``."""
        for name in inputs:
            if name not in self.modalities:
                raise DrifaError(f"modality {name!r} is not one of this network{suggest(name, self.modalities)}")
        given = [name for name in self.modalities if name in inputs]
        if not given:
            raise DrifaError(f"no modality was given; at least one of {', '.join(self.modalities)} is needed")
        batch = inputs[given[0]].shape[0]
        for name in given:
            x, channels = inputs[name], cast(Branch, self.branches[name]).in_channels
            if x.ndim != 4 or x.shape[0] != batch or x.shape[1] != channels:
                raise DrifaError(f"modality {name!r} has shape {tuple(x.shape)}; [{batch}, {channels}, H, W] is needed")
        if present is None:
            if len(given) == len(self.modalities):
                return [inputs[name] for name in self.modalities], None
            present = torch.tensor([name in inputs for name in self.modalities], device=inputs[given[0]].device)
            present = present.expand(batch, -1)
        elif present.dtype != torch.bool or tuple(present.shape) != (batch, len(self.modalities)):
            raise DrifaError(
                f"present must be bool [{batch}, {len(self.modalities)}] (columns: {', '.join(self.modalities)}), "
                f"not {present.dtype} {tuple(present.shape)}"
            )
        features: Features = []
        for i, name in enumerate(self.modalities):
            some = bool(present[:, i].any())
            if some and name not in inputs:
                raise DrifaError(f"present says that rows have modality {name!r}, and no images of it were given")
            features.append(inputs[name] if some else None)
        if not bool(present.any(dim=1).all()):
            row = int((~present.any(dim=1)).nonzero()[0])
            raise DrifaError(f"row {row} of the batch has no modality at all; leave such rows out")
        return features, None if bool(present.all()) else present
