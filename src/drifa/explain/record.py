"""The content of `explain.json`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from drifa.explain.embedding import Neighbour
from drifa.networks.gates import Gate
from drifa.report.relevance import doubts, too_coarse

FORMAT = 1


@dataclass(frozen=True)
class MapRecord:
    """One map of relevance, the mean of the members', and why to believe it or not.

    Attributes:
        file: The overlay, relative to `explain.json`.
        cells: Rows and columns of the grid that the map was stretched from.
        largest: The most of the map, in [0, 1]; 0 for an empty one.
        agreement: Mean correlation between the members' maps; None for one member, or an empty map.
        disagreement: Standard deviation over the members, mean over the pixels.
        randomisation: Correlation of the first member's map with that of its shuffled copy; near 0 is good. None where one
            of the two has the same relevance everywhere.
        deletion: Area under the probability of the class as its pixels go; None for numbers.
        insertion: As its pixels come; None for numbers.
        random: Either of random maps; the map's deletion should be below, its insertion above.
    """

    file: str
    cells: tuple[int, int]
    largest: float
    agreement: float | None
    disagreement: float
    randomisation: float | None
    deletion: float | None = None
    insertion: float | None = None
    random: float | None = None


@dataclass(frozen=True)
class TaskRecord:
    """Why one answer was given.

    Attributes:
        output: The class explained; ``value`` for a number.
        answer: Its probability, or the number, from all that the case has; the members' mean, dropout off.
        none: The same from nothing: the training prior.
        shares: What each modality adds; they sum to ``answer - none``.
        pairs: Interactions, as ``photo*ultrasound``.
        maps: Modality -> its map.
    """

    output: str
    answer: float
    none: float
    shares: Mapping[str, float]
    pairs: Mapping[str, float]
    maps: Mapping[str, MapRecord]


@dataclass(frozen=True)
class CaseRecord:
    """One case: its images, its answers, and the training cases that the networks see as most alike."""

    subject: str
    images: Mapping[str, str]
    tasks: Mapping[str, TaskRecord]
    neighbours: tuple[Neighbour, ...]


@dataclass(frozen=True)
class EmbeddingRecord:
    """The readout's space by the classes of one task.

    Attributes:
        cases: How many are drawn.
        silhouette: From -1 to 1; None where it is not defined.
        knn_accuracy: Of the nearest training cases' votes; None where nobody votes.
        neighbours: How many vote.
        form: Of the drawings beside the PCA: ``tsne`` or ``umap``; ``pca`` where there are none.
        perplexity: Of t-SNE.
        n_neighbors: Of UMAP.
        seed: Of both; None for the PCA.
        files: The PCA and the form by class, the form by right and wrong answers, and the places as CSV.
    """

    cases: int
    silhouette: float | None
    knn_accuracy: float | None
    neighbours: int
    form: str
    perplexity: float | None
    n_neighbors: int | None
    seed: int | None
    files: tuple[str, ...]


@dataclass(frozen=True)
class ModalityRecord:
    """The readout's space by what the network sees of a case: one modality alone, or all that the case has.

    Attributes:
        cases: How many are drawn, each with a point per modality that it has, and one of all where it has several.
        points: What is seen -> its points.
        silhouette: Of the points of one modality alone, by modality: near 1 they lie apart, near 0 they share a space.
        alike: Of the nearest such points of each, the share that is of its own modality.
        by_chance: The same, were the modalities shuffled.
        neighbours: How many are nearest.
        form: Of the drawings beside the PCA: ``tsne`` or ``umap``; ``pca`` where there are none.
        perplexity: Of t-SNE.
        n_neighbors: Of UMAP.
        seed: Of both; None for the PCA.
        files: The PCA and the form, and the places as CSV.
    """

    cases: int
    points: Mapping[str, int]
    silhouette: float | None
    alike: float
    by_chance: float
    neighbours: int
    form: str
    perplexity: float | None
    n_neighbors: int | None
    seed: int | None
    files: tuple[str, ...]


@dataclass(frozen=True)
class Explanation:
    """All that `drifa explain` found.

    Attributes:
        run: Its folder.
        members: How many networks.
        method: Of the maps.
        layer: Stage whose maps were read; None for occlusion.
        cases: Those explained one by one.
        cohort: Task -> modality or pair -> mean share with its interval over groups: of the true class's probability, or the
            absolute share in a number. Empty for a single case.
        cohort_cases: Test cases behind ``cohort``, ``gates`` and ``embedding``.
        gates: Of the first member; empty for a fusion that has none.
        embedding: Task of classes -> its record.
        by_modality: The same space by what is seen; None where a single modality is, and for a single case.
        patients: Whether the overlays may show somebody: False where all are of the phantom.
    """

    run: str
    members: int
    method: str
    layer: str | None
    cases: tuple[CaseRecord, ...]
    cohort: Mapping[str, Mapping[str, Mapping[str, float | None]]]
    cohort_cases: int
    gates: tuple[Gate, ...]
    embedding: Mapping[str, EmbeddingRecord]
    by_modality: ModalityRecord | None
    patients: bool

    def told(self) -> list[str]:
        """Every answer with what its modalities add, and what to know of the maps, in sentences."""
        shares = [
            f"{case.subject}  {name}: {one.output}  {one.answer:.3f} = {one.none:.3f} (prior), "
            + ", ".join(f"{modality} {share:+.3f}" for modality, share in one.shares.items())
            for case in self.cases
            for name, one in case.tasks.items()
        ]
        return shares + self._told_of_maps()

    def _told_of_maps(self) -> list[str]:
        """How many maps failed a check, and whether they are too coarse for places."""
        maps = [one for case in self.cases for task in case.tasks.values() for one in task.maps.values()]
        if not maps:
            return []
        failed = sum(bool(doubts(asdict(one))) for one in maps)
        told = [f"{failed} of {len(maps)} maps failed a check and should not be read; `drifa report` says which and why"]
        least = min((one.cells for one in maps), key=min)
        if too_coarse(least):
            where = f"layer {self.layer}" if self.layer else self.method
            told.append(
                f"maps of {where} have {least[0]} x {least[1]} cells here, which say nothing of places: "
                "--layer NAME reads an earlier stage, with more"
            )
        return told

    def to_json(self) -> dict[str, Any]:
        """Plain data; the format number comes first."""
        return {"drifa_explanation": FORMAT, **asdict(self)}
