"""FusionNet: one branch per modality, a fusion between them, one head per task."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from torch import Tensor, nn

from drifa.attention.pooling import global_mean
from drifa.backbones import Branch, EncoderBranch
from drifa.backbones.precision import full_precision
from drifa.errors import DrifaError, suggest
from drifa.fusion import Fusion
from drifa.networks.begun import Begun
from drifa.networks.branched import BranchedNet
from drifa.networks.dropout import Keys
from drifa.networks.inputs import Features, Inputs, unknown

DROPOUT_AT = ("blocks", "head")


class FusionNet(BranchedNet):
    """Answers about a subject from any number of image modalities. Build it with :func:`drifa.create_model`.

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
        - inputs: modality name -> ``[B, C, H, W]``, or the maps of :meth:`encode`; a missing name is a modality that no
          row has.
        - present: bool ``[B, m]``, columns in the order of ``modalities``; ``None`` = every given modality in every row.
        - output: task name -> its outputs ``[B, k]``, such as logits of k classes.

    Examples:
        >>> import torch
        >>> from drifa import create_model
        >>> tiny = {"layers": [1, 1, 1, 1], "channels": [4, 4, 8, 8]}
        >>> net = create_model(modalities={"photo": 3, "scan": 1}, tasks={"lesion": 7}, backbone_args=tiny)
        >>> net.modalities
        ('photo', 'scan')
        >>> present = torch.tensor([[True, True], [True, False]])  # the second row has no scan: what stands there is not read
        >>> tuple(net({"photo": torch.rand(2, 3, 32, 32), "scan": torch.rand(2, 1, 48, 48)}, present)["lesion"].shape)
        (2, 7)
    """

    def __init__(
        self, branches: Mapping[str, nn.Module], fusion: Fusion, dropout_rate: float = 0.25, dropout_at: str = "blocks"
    ) -> None:
        if dropout_at not in DROPOUT_AT:
            raise DrifaError(f"dropout_at={dropout_at!r} is not known{suggest(dropout_at, DROPOUT_AT)}")
        stages = len(fusion.spec.ends_level)
        super().__init__(branches, fusion, dropout_rate, range(stages - 2 if dropout_at == "blocks" else 0))
        self.heads = nn.ModuleDict({task: fusion.make_head(task) for task in fusion.spec.tasks})

    def freeze(self) -> None:
        """Keeps every backbone as it is, see :meth:`drifa.backbones.Branch.freeze`; attention, fusion and heads learn."""
        for branch in self._branches():
            if isinstance(branch, Branch | EncoderBranch):
                branch.freeze()
        self.config["freeze"] = True

    def encode(self, modality: str, images: Tensor) -> list[Tensor]:
        """The maps of a modality's encoder: given in place of the images, they lead to the same answers.

        Every way of asking takes them: ``net({"photo": net.encode("photo", photo), "scan": scan})``.

        Args:
            modality: Its name.
            images: ``[B, C, H, W]``, as the network reads them.

        Returns:
            Per level ``[B, C_k, H_k, W_k]``.

        Raises:
            DrifaError: For a modality without a whole encoder (``attach="intermediates"``), or images that do not fit.
        """
        if modality not in self.branches:
            raise unknown(modality, self.modalities)
        branch = self.branches[modality]
        if not isinstance(branch, EncoderBranch):
            raise DrifaError(f"modality {modality!r} has no encoder of its own; build the network with attach='intermediates'")
        self._check({modality: images}, None)
        return branch.encode(images)

    def embed(self, inputs: Inputs, present: Tensor | None = None) -> tuple[dict[str, Tensor], Tensor]:
        """Where the network sees its rows.

        Args:
            inputs: As in :meth:`forward`.
            present: As in :meth:`forward`.

        Returns:
            Modality -> mean over the pixels of its last map, behind the fusion, ``[B, C]``, which means nothing in rows that
            lack it; and the readout, which the heads read, ``[B, D]``.
        """
        begun = self._begin(inputs, present)
        last, readout = self._read(begun, None)
        own = zip(self.modalities, last, strict=False)
        return {name: global_mean(x) for name, x in own if x is not None}, readout

    def stage_maps(self, inputs: Inputs, present: Tensor | None = None) -> dict[str, list[Tensor]]:
        """The maps behind every stage, MFA and fusion included.

        Args:
            inputs: As in :meth:`forward`.
            present: As in :meth:`forward`.

        Returns:
            Modality that is there -> a map ``[B, C, H, W]`` per stage, which means nothing in rows that lack it.
        """
        maps: dict[str, list[Tensor]] = {}
        for features in self._tails(self._begin(inputs, present), None):
            for name, x in zip(self.modalities, features, strict=False):
                if x is not None:
                    maps.setdefault(name, []).append(x)
        return maps

    @property
    def last_site(self) -> int:
        """Number of the first place of the dropout in front of the readout, see :func:`drifa.networks.dropout.dropout`."""
        return self.stage_count * len(self.modalities)

    def before_dropout(self, inputs: Inputs, present: Tensor | None = None) -> Features:
        """What all dropout draws have in common.

        Args:
            inputs: As in :meth:`forward`, of all modalities.
            present: As in :meth:`forward`.

        Returns:
            With ``dropout_at="head"`` per modality the last map ``[B, C, H, W]``, further maps of the fusion behind them; else
            per modality the map of the first stage, and behind them what whole encoders gave for the later stages.
        """
        begun = self.begin_draws(inputs, present)
        if not self.drop_stages:
            return self._last(begun, None)
        return [*begun.features, *(x for maps in begun.levels[1:] for x in maps if x is not None)]

    def after_dropout(self, maps: Features, present: Tensor | None, keys: Keys | None) -> dict[str, Tensor]:
        """Outputs of one dropout draw.

        Args:
            maps: Those of :meth:`before_dropout`.
            present: As in :meth:`forward`.
            keys: As in :func:`drifa.networks.dropout.dropout`.
        """
        if not self.drop_stages:
            _, readout = self._readout(self._drop(maps, keys, self.last_site), present)
            with full_precision(readout):
                return {task: head(readout) for task, head in self.heads.items()}
        left = iter(maps)
        first = [next(left) for _ in self.modalities]
        whole = [isinstance(branch, EncoderBranch) for branch in self._branches()]
        later = [[next(left) if own else None for own in whole] for _ in range(1, self.stage_count)] if any(whole) else []
        return self.answers(Begun(0, first, present, levels=(first, *later) if later else ()), keys)

    def _begin(self, inputs: Inputs, present: Tensor | None, far: bool = False) -> Begun:
        features, present = self._check(inputs, present)
        levels = self._encode(inputs, features, present)
        features = self._body(0, features, present, levels)
        last = self.stage_count - 1 if far else 0
        for stage in range(last):
            features = self._body(stage + 1, self._tail(stage, features, present, None), present, levels)
        return Begun(last, features, present, levels=levels)

    def _finish(self, begun: Begun, keys: Keys | None, supervised: bool = False) -> tuple[dict[str, list[Tensor]], Features]:
        last, readout = self._read(begun, keys)
        with full_precision(readout):
            if supervised:
                return {task: self.fusion.supervised(head, readout) for task, head in self.heads.items()}, last
            return {task: [head(readout)] for task, head in self.heads.items()}, last

    def _read(self, begun: Begun, keys: Keys | None) -> tuple[Features, Tensor]:
        """The last maps and the readout."""
        last = self._drop(self._last(begun, keys), keys, site=self.last_site)
        return self._readout(last, begun.present)

    def _last(self, begun: Begun, keys: Keys | None) -> Features:
        """The last maps, in front of their dropout."""
        for features in self._tails(begun, keys):  # one at a time: those behind are let go
            last = features
        return last

    def _tails(self, begun: Begun, keys: Keys | None) -> Iterator[Features]:
        """The maps behind every stage from where the pass has begun."""
        features = self._tail(begun.stage, begun.features, begun.present, keys)
        yield features
        for stage in range(begun.stage + 1, self.stage_count):
            features = self._tail(stage, self._body(stage, features, begun.present, begun.levels), begun.present, keys)
            yield features

    def _readout(self, features: Features, present: Tensor | None) -> tuple[Features, Tensor]:
        last = self._whole(features)
        with full_precision(next(x for x in last if x is not None)):
            return last, self.fusion.readout(last, present)
