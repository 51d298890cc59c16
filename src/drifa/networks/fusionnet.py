"""FusionNet: one branch per modality, a fusion between them, one head per task."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from drifa.backbones.precision import full_precision
from drifa.errors import DrifaError, suggest
from drifa.fusion import Fusion
from drifa.networks.branched import BranchedNet
from drifa.networks.inputs import Features, run_subsets

DROPOUT_AT = ("blocks", "head")


class FusionNet(BranchedNet):
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
        self, branches: Mapping[str, nn.Module], fusion: Fusion, dropout_rate: float = 0.25, dropout_at: str = "blocks"
    ) -> None:
        if dropout_at not in DROPOUT_AT:
            raise DrifaError(f"dropout_at={dropout_at!r} is not known{suggest(dropout_at, DROPOUT_AT)}")
        stages = len(fusion.spec.ends_level)
        super().__init__(branches, fusion, dropout_rate, range(stages - 2 if dropout_at == "blocks" else 0))
        self.heads = nn.ModuleDict({task: fusion.make_head(task) for task in fusion.spec.tasks})

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

    def over_subsets(
        self, inputs: Mapping[str, Tensor], present: Tensor | None, subsets: Tensor
    ) -> list[dict[str, Tensor] | None]:
        """Logits for each subset of the modalities; what comes before the first coupling is computed once.

        Args:
            inputs: As in :meth:`forward`.
            present: As in :meth:`forward`.
            subsets: bool ``[S, m]``.

        Returns:
            Per subset, task name -> ``[B, classes]``, NaN for a row that has nothing of the subset; ``None`` if no row has.
        """
        features, present = self._check(inputs, present)
        features, stage = self._body(0, features, present), 0
        while not self.fusion.couples and stage + 1 < self.stage_count:
            features = self._body(stage + 1, self._tail(stage, features, present, None), present)
            stage += 1
        return run_subsets(features, present, subsets, lambda some, here: self._from(stage, some, here, None))

    def training_logits(
        self, inputs: Mapping[str, Tensor], present: Tensor | None = None
    ) -> tuple[dict[str, list[Tensor]], dict[str, Tensor]]:
        """What the loss is made of in training.

        Args:
            inputs: As in :meth:`forward`.
            present: As in :meth:`forward`.

        Returns:
            Task name -> everything that the loss of the task is taken on (one tensor of logits; more under deep
            supervision), and the fusion's own loss terms, name -> scalar.
        """
        features, present = self._check(inputs, present)
        features = self._body(0, features, present)
        readout, last = self._readout(0, features, present, None)
        with full_precision(readout):
            logits = {task: self.fusion.supervised(head, readout) for task, head in self.heads.items()}
            return logits, self.fusion.auxiliary_loss(last, present)

    def _from(self, stage: int, features: Features, present: Tensor | None, keys: Tensor | None) -> dict[str, Tensor]:
        """Everything behind the body of ``stage``."""
        readout, _ = self._readout(stage, features, present, keys)
        with full_precision(readout):
            return {task: head(readout) for task, head in self.heads.items()}

    def _readout(self, stage: int, features: Features, present: Tensor | None, keys: Tensor | None) -> tuple[Tensor, Features]:
        """What the heads read, and the last maps that it was read from."""
        features = self._tail(stage, features, present, keys)
        for k in range(stage + 1, self.stage_count):
            features = self._tail(k, self._body(k, features, present), present, keys)
        last = self._drop(features, keys, site=self.stage_count * len(self.modalities))
        last = [None if x is None else x.to(self._head_dtype) for x in last]
        # Heads stay in 32 bit: half-precision softmax loses small classes.
        with full_precision(next(x for x in last if x is not None)):
            return self.fusion.readout(last, present), last

    @property
    def _head_dtype(self) -> torch.dtype:
        return next(self.heads.parameters()).dtype
