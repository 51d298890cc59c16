"""What all networks of branches share: checked inputs, stages that run on the rows they belong to, dropout, the fusion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from drifa.backbones import Branch
from drifa.errors import DrifaError
from drifa.fusion import Fusion
from drifa.networks.dropout import dropout
from drifa.networks.inputs import Features, check_inputs
from drifa.present import column, run_present


class BranchedNet(nn.Module):
    """One branch per modality and a fusion between them.

    Args:
        branches: Modality name -> branch (``stages``, ``refine``, ``infos``, ``in_channels``); all with as many stages.
        fusion: What couples them.
        dropout_rate: p of every dropout.
        drop_stages: The stages that end with a dropout.
    """

    def __init__(
        self, branches: Mapping[str, nn.Module], fusion: Fusion, dropout_rate: float, drop_stages: Sequence[int]
    ) -> None:
        super().__init__()
        #: The arguments of the factory, and what pretrained files gave; both set by it.
        self.config: dict[str, Any] = {}
        self.loaded: dict[str, str] = {}
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

    def _branches(self) -> list[Any]:
        return list(self.branches.values())

    def _body(self, stage: int, features: Features, present: Tensor | None) -> Features:
        """Runs the stage of every branch on the rows that have its modality; further maps of the fusion pass by."""
        output: Features = []
        for i, branch in enumerate(self._branches()):
            x = features[i]
            output.append(None if x is None else run_present(branch.stages[stage], x, column(present, i)))
        return [*output, *features[len(output) :]]

    def _tail(self, stage: int, features: Features, present: Tensor | None, keys: Tensor | None) -> Features:
        """Dropout, the MFA behind the stage, and the fusion."""
        own, further = features[: len(self.modalities)], features[len(self.modalities) :]
        if stage in self.drop_stages:
            own = self._drop(own, keys, site=stage * len(self.modalities))
        refined = [None if x is None else branch.refine[stage](x) for x, branch in zip(own, self._branches(), strict=True)]
        return self.fusion.after_stage(stage, [*refined, *further], present)

    def _drop(self, features: Sequence[Tensor | None], keys: Tensor | None, site: int) -> Features:
        return [
            None if x is None else dropout(x, self.dropout_rate, self.training, keys, site + i) for i, x in enumerate(features)
        ]

    def _check(self, inputs: Mapping[str, Tensor], present: Tensor | None) -> tuple[Features, Tensor | None]:
        channels = {name: branch.in_channels for name, branch in zip(self.modalities, self._branches(), strict=True)}
        features, present = check_inputs(inputs, present, channels)
        for name, x, branch in zip(self.modalities, features, self._branches(), strict=True):
            if x is not None and isinstance(branch, Branch):
                branch.check_size(x.shape[2], x.shape[3], name)
        return features, present
