"""The maps of relevance of some cases, checked, and put on their images."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from drifa.explain import figures
from drifa.explain.asked import Asked, on_device
from drifa.explain.cam import Relevance, cells, ensemble_relevance
from drifa.explain.record import MapRecord, TaskRecord
from drifa.explain.shapley import Shares
from drifa.explain.trust import Removal, randomisation
from drifa.names import file_name
from drifa.networks.fusionnet import FusionNet
from drifa.prediction.given import pixels_from
from drifa.prediction.predictor import Predictor
from drifa.tasks import Classes


class CaseMaps:
    """Maps of some cases that are asked about as one batch; what the checks of several tasks share is computed once.

    Args:
        predictor: The open run; its first member's maps are checked.
        other: The first member with shuffled weights.
        asked: The cases.
        first: Number of the first one: the files are named by it, for two ids may share a file name.
        layer: As in :func:`drifa.explain.cam.relevance`.
        method: Likewise.

    Attributes:
        pictures: Overlays that were drawn, file -> PNG.
    """

    def __init__(
        self, predictor: Predictor, other: FusionNet, asked: Asked, first: int, layer: str | None, method: str
    ) -> None:
        self.predictor, self.other, self.asked, self.first = predictor, other, asked, first
        self.layer, self.method = layer, method
        self.images, self.present = on_device(predictor, asked.batch)
        self.pictures: dict[str, bytes] = {}
        self._removals: dict[str, Removal] = {}
        self._originals: dict[tuple[int, str], np.ndarray] = {}

    def of_task(self, task: str, found: Shares) -> dict[int, TaskRecord]:
        """Row of every case that the task can be answered about -> why it was answered so."""
        rows = np.flatnonzero(np.isfinite(found.everything[:, 0]))
        if not len(rows):
            return {}
        kind, outputs = self.predictor.subject_kinds[task], found.everything[rows].argmax(axis=1)
        maps = self._maps(task, torch.from_numpy(rows), torch.from_numpy(outputs))
        return {
            int(row): TaskRecord(
                kind.classes[output] if isinstance(kind, Classes) else "value",
                float(found.everything[row, output]),
                float(found.none[output]),
                {name: float(found.values[row, i, output]) for i, name in enumerate(found.modalities)},
                {"*".join(pair): float(found.pairs[row, p, output]) for p, pair in enumerate(found.names)},
                {name: each[row] for name, each in maps.items() if row in each},
            )
            for row, output in zip(rows.tolist(), outputs.tolist(), strict=True)
        }

    def _maps(self, task: str, rows: Tensor, outputs: Tensor) -> dict[str, dict[int, MapRecord]]:
        """Modality -> row of every case that has it -> its map of a task."""
        nets, kind = self.predictor.nets, self.predictor.subject_kinds[task]
        rows, outputs = rows.to(self.present.device), outputs.to(self.present.device)
        some = ({name: image[rows] for name, image in self.images.items()}, self.present[rows])
        maps = ensemble_relevance(nets, *some, task, outputs, self.layer, self.method)
        grid = cells(nets[0], *some, self.layer, self.method)
        first = {name: each.members[0] for name, each in maps.items()}
        alike = randomisation(first, self.other, *some, task, outputs, self.layer, self.method)
        found: dict[str, dict[int, MapRecord]] = {}
        for modality, each in maps.items():
            here = self._has(modality)[rows].nonzero().squeeze(1)
            if not len(here):
                continue
            own = Relevance(each.members[:, here])
            checks: dict[str, Tensor] = {}
            if isinstance(kind, Classes):
                among = (self._has(modality).cumsum(0) - 1)[rows[here]]  # their numbers among all that have the modality
                checks = vars(self._removal(modality).faithfulness(task, outputs[here], own.mean, among))
            mean, agreement, disagreement = own.mean.cpu(), own.agreement, own.disagreement.mean(dim=(1, 2))
            found[modality] = {}
            for k, row in enumerate(rows[here].tolist()):
                largest = float(mean[k].max())
                found[modality][row] = MapRecord(
                    self._drawn(row, task, modality, mean[k].numpy()),
                    grid[modality],
                    largest,
                    _number(agreement[k]) if largest else None,
                    float(disagreement[k]),
                    _number(alike[modality][here[k]]),
                    **{name: float(values[k]) for name, values in checks.items()},
                )
        return found

    def _has(self, modality: str) -> Tensor:
        """Which cases have a modality. bool ``[B]``"""
        return self.present[:, self.predictor.nets[0].modalities.index(modality)]

    def _removal(self, modality: str) -> Removal:
        """Of all cases that have the modality."""
        if modality not in self._removals:
            has = self._has(modality)
            images = {name: image[has] for name, image in self.images.items()}
            self._removals[modality] = Removal(self.predictor.nets[0], images, self.present[has], modality)
        return self._removals[modality]

    def _drawn(self, row: int, task: str, modality: str, values: np.ndarray) -> str:
        """Puts a map on its image; the name of the picture."""
        if (row, modality) not in self._originals:
            file, info = self.asked.files[row][modality], self.predictor.run.info.modalities[modality]
            self._originals[row, modality] = pixels_from(file, info)
        name = f"maps/{self.first + row + 1}-{file_name(self.asked.names[row])}-{task}-{modality}.png"
        self.pictures[name] = figures.png(figures.overlay(self._originals[row, modality], values))
        return name


def _number(value: Tensor) -> float | None:
    return float(value) if bool(value.isfinite()) else None
