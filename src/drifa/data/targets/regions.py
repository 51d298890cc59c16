"""Regions of volumes: the masks of a segmentation task, their values, and the regions that these make up."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import pandas as pd

from drifa.data.targets.base import Reads, Target, named, refuse_paths, refuse_repeated
from drifa.errors import DrifaError

if TYPE_CHECKING:
    from drifa.data.reading.volumes import Volume


@dataclass(frozen=True)
class RegionTarget(Target):
    """Regions of each pixel; values are paths of mask files below the study's root.

    Args:
        regions: The mask values (1 to 255; 0 is background) that make up each region; regions may overlap.
    """

    kind: ClassVar[str] = "regions"
    noun: ClassVar[str] = "mask"
    keys: ClassVar[tuple[str, ...]] = ("regions",)
    reads: ClassVar[Reads] = "pixels"
    conflicts: ClassVar[bool] = False

    regions: Mapping[str, tuple[int, ...]]

    @property
    def names(self) -> tuple[str, ...]:
        """The regions."""
        return tuple(self.regions)

    @property
    def mask_values(self) -> tuple[int, ...]:
        """Every value that a mask may hold, ascending; 0 and the values of all regions."""
        return tuple(sorted({0}.union(*self.regions.values())))

    def check(self, task: str) -> None:
        """Refuses a task without regions, and mask values that cannot be."""
        if not self.regions:
            raise DrifaError(f"task {task!r} has no regions; name at least one with its mask values")
        for region, values in self.regions.items():
            wrong = [value for value in values if not 1 <= value <= 255]
            if wrong or not values or len(set(values)) < len(values):
                raise DrifaError(
                    f"region {region!r} of task {task!r} has the mask values {list(values)}; "
                    f"list one or more of 1 to 255, each once (0 is background)"
                )
        refuse_repeated(task, "region", self.names)

    @classmethod
    def parse(cls, spec: Mapping[str, Any], place: str) -> Self:
        """Reads ``regions: {WT: [1, 2, 4], ET: [4]}``."""
        found = {}
        for name, values in named(spec.get("regions"), place, "regions", "NAME: [1, 2]").items():
            numbers = values if isinstance(values, list) else [values]
            if not all(isinstance(number, str) and re.fullmatch(r"[0-9]{1,3}", number) for number in numbers):
                raise DrifaError(f"region {name!r} of {place} holds {values!r}; list its mask values, as in '{name}: [1, 2]'")
            found[name] = tuple(int(number) for number in numbers)
        return cls(found)

    def document(self) -> dict[str, Any]:
        """``regions: {WT: [1, 2, 4], ET: [4]}``."""
        return {"regions": {name: list(values) for name, values in self.regions.items()}}

    @classmethod
    def from_table(
        cls, task: str, spec: Mapping[str, Any], texts: Sequence[str], rows: Sequence[int], place: str
    ) -> tuple[Self, Sequence[str]]:
        """Regions are {name: [mask values]}."""
        return cls({name: tuple(values) for name, values in (spec.get("regions") or {}).items()}), texts

    def check_column(self, task: str, column: pd.Series, place: str) -> None:
        """Refuses paths that leave the study, and a column without any."""
        refuse_paths(column, f"mask path of task {task!r}", place)
        if (column == "").all():
            raise DrifaError(f"task {task!r} has no mask in {place}; leave it out of the tasks, or add its mask paths")

    def read(self, texts: np.ndarray) -> np.ndarray:
        """Paths below the study's root. str [S]"""
        return texts.astype(str)

    def counted(self, values: np.ndarray, known: np.ndarray) -> dict[str, np.ndarray]:
        """Masks, under the one name ``mask``."""
        return {"mask": known}

    def told(self, texts: Sequence[str]) -> str:
        """How many masks, of which regions."""
        return f"{len(set(texts) - {''})} masks with the regions {', '.join(self.names)}"

    def check_training(self, task: str, study: str, split: str, values: np.ndarray, known: np.ndarray) -> None:
        """Training and validation need masks."""
        if not known.any():
            raise DrifaError(f"no subject of the {split} split of {study!r} has a mask of task {task!r}; add some")

    def translated(self, theirs: Target, values: np.ndarray, task: str, study: str) -> np.ndarray:
        """Their masks, whose values they declare themselves; the regions and their order must be the same."""
        self.refuse_other_kind(theirs, task, study)
        if theirs.names != self.names:
            raise DrifaError(
                f"study {study!r} does not have the regions {', '.join(self.names)} of task {task!r}, in this order; declare "
                f"them in its study.yaml"
            )
        return values

    def checked_mask(self, volume: Volume, task: str) -> np.ndarray:
        """The values of a mask that was read as a volume.

        Shape:
            uint8 [X, Y, Z].

        Raises:
            DrifaError: It holds a value that neither is 0 nor belongs to a region.
        """
        # Counting whole numbers is much cheaper than sorting voxels; only a faulty mask needs the sorted list.
        with np.errstate(invalid="ignore"):
            mask = volume.array.astype(np.uint8)
        found = np.flatnonzero(np.bincount(mask.ravel(), minlength=256))
        if np.array_equal(mask, volume.array) and set(found.tolist()) <= set(self.mask_values):
            return mask
        wrong = [float(value) for value in np.unique(volume.array) if value not in self.mask_values]
        listed = ", ".join(f"{value:g}" for value in wrong[:5]) + (", …" if len(wrong) > 5 else "")
        raise DrifaError(
            f"mask {volume.path} has labels outside the study: {listed}; task {task!r} knows "
            f"{', '.join(map(str, self.mask_values))}: add them to a region in study.yaml, or correct the mask"
        )

    def stack(self, mask: np.ndarray) -> np.ndarray:
        """Mask values as regions, in the order of ``names``; regions may overlap.

        Shape:
            uint8 [...] -> bool [R, ...].
        """
        table = np.zeros((len(self.regions), 256), dtype=bool)
        for number, values in enumerate(self.regions.values()):
            table[number, list(values)] = True
        return np.stack([row[mask] for row in table])
