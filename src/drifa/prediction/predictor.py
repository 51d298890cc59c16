"""One loaded run: every answer comes from here, whoever asks."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any, overload

import numpy as np
import torch
from torch import Tensor

from drifa.errors import DrifaError
from drifa.export import hub
from drifa.export.folder import open_run
from drifa.networks.arguments import device_of, path_of
from drifa.networks.dropout import row_seeds
from drifa.networks.inputs import Inputs
from drifa.prediction.answering import answer_batch
from drifa.prediction.answers import Answer, Prediction
from drifa.prediction.asking import CASE, Embedding, ask, case_of, embed
from drifa.prediction.cases import (
    Case,
    Sieve,
    check_case,
    check_cases,
    unseen,
)
from drifa.prediction.plausible import implausible
from drifa.prediction.segmenting import Segmentation, segment
from drifa.prediction.sources import PartnerPool, decode_images, resized
from drifa.prediction.strangers import read_strangers
from drifa.prediction.trust import Trust
from drifa.prediction.volumes import answer_volumes
from drifa.progress import Progress
from drifa.runs.places import Places
from drifa.runs.run import Run, choose_device
from drifa.tasks import Regions, SubjectKind, kinds_from
from drifa.uncertainty.draws import Draws, Fetch, draw
from drifa.uncertainty.outliers import OutlierCheck
from drifa.uncertainty.views import make_views


class Predictor:
    """A run with its networks in memory, on a device, in evaluation mode. Open one with :func:`drifa.load`.

    Args:
        run: The run.
        device: Where the networks run; None for the GPU where there is one, unless the run says ``train.accelerator=cpu``.

    Attributes:
        run: The run.
        device: Where the networks are.
        nets: The trained members.
        encoders: How the tabular modalities are encoded.
        kinds: Task -> its kind.
        subject_kinds: Those that answer about a subject.
        regions: Of those that answer about the pixels of a volume: task -> region -> mask values.

    Raises:
        DrifaError: The run has no completely trained member, or there is no such device.

    Examples:
        Two cases for a run that was trained on the phantom, each with one of its two modalities:

        >>> from pathlib import Path
        >>> from drifa.prediction.cases import Case
        >>> predictor = Predictor.open("run", device="cpu")
        >>> photo, ultrasound = Path("phantom/images/photo/S00000.png"), Path("phantom/images/ultrasound/S00001.png")
        >>> prediction = predictor.predict([Case("a", {"photo": photo}), Case("b", {"ultrasound": ultrasound})])
        >>> prediction.mode, [(answer.subject, list(answer.tasks)) for answer in prediction.cases]
        ('ensemble_mc', [('a', ['surface', 'spread']), ('b', ['depth', 'spread'])])
    """

    def __init__(self, run: Run, device: str | torch.device | None = None) -> None:
        self.run = run
        self.device = device_of(device) if device is not None else choose_device(run.config)
        self.nets: list[Any] = [net.to(self.device) for net in run.networks()]
        self.encoders = run.encoders
        self.kinds = kinds_from(run.info.tasks)
        for number, net in zip(run.trained_members(), self.nets, strict=True):
            answers = {task: kind.outputs for task, kind in self.kinds.items()}
            if net.config.get("regions", net.config.get("tasks")) != answers or list(net.config["modalities"]) != list(
                run.info.modalities
            ):
                raise DrifaError(
                    f"member {number} of {run.folder} does not answer the tasks of its model.json from the same modalities; "
                    f"restore the files, or train the run again"
                )
        self.subject_kinds = {task: kind for task, kind in self.kinds.items() if isinstance(kind, SubjectKind)}
        if any(kind.reads == "pixels" for kind in self.kinds.values()) and run.config.evaluate.tta:
            raise DrifaError(
                f"evaluate.tta={run.config.evaluate.tta} is for images; the slices of a volume are seen as they are"
            )
        self.regions = {task: kind.regions for task, kind in self.kinds.items() if isinstance(kind, Regions)}
        self._lock = Lock()
        self._pooled: tuple[PartnerPool | None, str] | None = None

    @classmethod
    def open(cls, folder: str | Path, device: str | torch.device | None = None, places: Places | None = None) -> Predictor:
        """Loads a run or model folder; see :func:`drifa.load`, and for ``places`` :class:`drifa.runs.places.Places`."""
        return cls(open_run(path_of("drifa.load", folder), places), device)

    @classmethod
    def from_pretrained(
        cls, name: str | Path, device: str | torch.device | None = None, revision: str | None = None
    ) -> Predictor:
        """As :func:`drifa.load`, also from the Hugging Face hub, see :func:`drifa.export.hub.fetch`."""
        return cls.open(hub.fetch(name, revision), device)

    def save_pretrained(self, folder: str | Path) -> Path:
        """Writes a model folder, see :func:`drifa.export.folder.pack`."""
        return hub.save(self.run, folder)

    def push_to_hub(self, repository: str, private: bool = True) -> str:
        """Sends a model folder to the Hugging Face hub, see :func:`drifa.export.hub.push`."""
        return hub.push(self.run, repository, private)

    # Both read when they are needed: `drifa calibrate` asks the networks of a run whose files are of another format.
    @cached_property
    def trust(self) -> Trust | None:
        """How probabilities are calibrated and what is promised of them; None for a run that is not calibrated so."""
        run, trust = self.run, Trust.read(self.run.folder)
        if trust is None or trust.fits(self.mode, len(self.nets)):
            return trust
        logging.getLogger("drifa").warning(
            f"{run.folder} was calibrated for {trust.members} network(s) in the mode {trust.mode}, and answers with "
            f"{len(self.nets)} in the mode {self.mode}, not calibrated; run `drifa calibrate {run.folder}`"
        )
        return None

    @cached_property
    def strangers(self) -> dict[str, OutlierCheck]:
        """Modality -> what tells images unlike those of training; empty for a run that has not learned it."""
        return read_strangers(self.run.folder)

    def unchecked(self, modalities: Iterable[str]) -> str:
        """What to know of answers that may say ``sure`` of images of which nobody can tell whether they are of the kind.

        Args:
            modalities: Those of which images are given; tabular ones count as none.

        Returns:
            A sentence; empty where all have their check, and for a run that never says ``sure``.
        """
        names = [name for name in modalities if name not in self.strangers and name not in self.encoders]
        learned = [] if self.trust is None else [self.trust.tasks, *self.trust.subsets.values()]
        if not names or not any(one.abstention for tasks in learned for one in tasks.values()):
            return ""
        return (
            f"nobody checked whether images of {' and '.join(names)} are of the kind that the run was trained on; "
            f"`drifa calibrate {self.run.folder}` learns such a check"
        )

    @property
    def mode(self) -> str:
        """The most thorough mode that the run allows, see :data:`drifa.uncertainty.modes.MODES`."""
        passes, several = self.run.config.evaluate.passes > 0, len(self.nets) > 1
        return ("ensemble_mc" if passes else "ensemble") if several else "mc" if passes else "deterministic"

    def draw(
        self, fetch: Fetch, samples: np.ndarray, names: Sequence[str], progress: Callable[[int], None] | None = None
    ) -> list[dict[str, Draws]]:
        """Member -> task -> draws of some subjects, see :func:`drifa.uncertainty.draws.draw`.

        Args:
            fetch: Reads a batch.
            samples: K samples per subject. ``[N, K, components]``
            names: The subjects' ids, which decide their dropout masks.
            progress: Called with the number of subjects finished by all members.
        """
        settings = self.run.config.evaluate
        seeds = row_seeds(names, settings.seed)
        views = make_views(settings.tta)
        return draw(self.nets, fetch, samples, seeds, settings.passes, settings.batch_size, progress, views)

    @torch.inference_mode()
    def over_subsets(self, images: Inputs, present: Tensor, subsets: Tensor) -> list[list[dict[str, Tensor] | None]]:
        """Member -> subset -> task -> answers, dropout off; see :meth:`drifa.FusionNet.over_subsets`."""

        def answers(net: Any, outputs: dict[str, Tensor] | None) -> dict[str, Tensor] | None:
            return outputs and {task: net.fusion.spec.link(task).answer(values) for task, values in outputs.items()}

        return [
            [answers(net, outputs) for outputs in net.over_subsets(net.to_input(images), present.to(self.device), subsets)]
            for net in self.nets
        ]

    def predict(
        self, cases: Sequence[Case], partners: bool = True, strict: bool = True, progress: Progress | None = None
    ) -> Prediction:
        """Answers every task that the images of a case can answer. Images are read by batch, as they are needed.

        A run of volumes gives the masks with the answers, on the grid of the case's own volumes.

        Args:
            cases: What to predict; see :class:`~drifa.prediction.cases.Case`.
            partners: In a run trained on unpaired modalities, fill the absent ones with K training images and average, as in
                the headline numbers of the evaluation; without the training images, or with False, they stay absent.
            strict: One case that cannot be answered ends it all; else it is told in ``failures``, and the others are answered.
            progress: Called with (done, total, what) after each batch.

        Raises:
            DrifaError: There is no case, a column is unknown, or, if strict, an image cannot be read or a modality is unknown.
        """
        run = self.run
        if self.regions:
            return answer_volumes(self, cases, strict=strict, progress=progress)
        check_cases(cases, run.info.modalities, self.encoders, strict)
        pool, why = self._pool() if partners and run.info.components > 1 else (None, "")
        sieve = Sieve(strict)
        answered: list[Case] = []
        answers: list[Answer] = []
        size = run.config.evaluate.batch_size
        for start in range(0, len(cases), size):
            some, pixels, warnings = [], [], []
            for case in cases[start : start + size]:
                with sieve.catching():
                    check_case(case, run.info.modalities, self.encoders)
                    decoded = decode_images(case, run.info.modalities)
                    warnings.append(implausible(case, self.encoders, decoded))
                    pixels.append(resized(decoded, run.info.image_size))
                    some.append(case)
            answers += answer_batch(self, some, pixels, warnings, pool, why)
            answered += some
            if progress:
                progress(min(start + size, len(cases)), len(cases), "predicting cases")
        shown = {name for case in answered for name in case.images}
        unchecked = self.unchecked(name for name in run.info.modalities if name in shown)
        note = "; ".join(text for text in (why, unseen(answered, self.encoders), unchecked) if text)
        return Prediction(str(run.folder), self.mode, note, tuple(answers), tuple(sieve.failures))

    def _pool(self) -> tuple[PartnerPool | None, str]:
        """Who can stand in for absent modalities, or the reason why nobody can; looked for once."""
        with self._lock:
            if self._pooled is None:
                try:
                    self._pooled = PartnerPool.open(self.run, self.nets), ""
                except DrifaError as error:
                    self._pooled = None, f"absent modalities stay absent, as the training images cannot be read ({error})"
            return self._pooled

    @overload
    def __call__(self, /, subject: str = CASE, **given: Any) -> Answer: ...

    @overload
    def __call__(self, subject: Iterable[Mapping[str, Any]], /) -> list[Answer]: ...

    def __call__(self, /, subject: Any = CASE, **given: Any) -> Answer | list[Answer]:
        """The answers for one case, told by keywords, or for many, as :meth:`predict_many`.

        Args:
            subject: Its name, which decides its dropout masks and partners; or, alone, the keywords of many cases.
            given: Modality -> a path, a PIL image, a numpy array ``[H, W]`` or ``[H, W, C]``, a torch tensor ``[C, H, W]``
                (uint8, or floats in [0, 1]), a pydicom dataset, or, of a volume, a path or a nibabel image; and column ->
                value. What is left out, or None, is missing. Pixels have any size and are not standardised.

        Raises:
            DrifaError: A keyword is no modality and no column, a value cannot be read, nothing is given, or the name is no
                text.

        Examples:
            >>> import drifa
            >>> predictor = drifa.load("run", device="cpu")
            >>> answer = predictor(photo="phantom/images/photo/S00000.png")
            >>> answer.to_frame()["task"].tolist()
            ['surface', 'spread']
        """
        several = isinstance(subject, Iterable) and not isinstance(subject, str | Mapping)
        return self.predict_many(subject) if several and not given else next(ask(self, [given], subject))

    def predict_many(self, cases: Iterable[Mapping[str, Any]]) -> list[Answer]:
        """The answers for many cases, in batches of ``evaluate.batch_size``; no more of them are held in memory.

        Args:
            cases: The keywords of each, as a mapping; ``"subject"`` may name it.

        Raises:
            DrifaError: As :meth:`__call__`; one case that cannot be answered ends it all.
        """
        return list(ask(self, cases))

    def embed(self, /, subject: str = CASE, **given: Any) -> Embedding:
        """Where the first member sees a case, dropout off, what it lacks left absent.

        Args:
            subject: Its name, for errors.
            given: As in :meth:`__call__`.

        Raises:
            DrifaError: As :meth:`__call__`, or the run segments volumes.
        """
        return embed(self, case_of(self, given, subject))

    def predict_one(
        self, images: Mapping[str, str | Path], values: Mapping[str, str] | None = None, subject: str = "case"
    ) -> Answer:
        """The answers for one subject.

        Args:
            images: Modality -> file.
            values: Column -> value of the tabular modalities.
            subject: Its name, which decides its dropout masks and partners.
        """
        case = Case(subject, {name: Path(path) for name, path in images.items()}, values or {})
        return self.predict([case]).cases[0]

    def segment(self, case: Case) -> Segmentation:
        """Region probabilities of the volumes of a case, see :func:`drifa.prediction.segmenting.segment`."""
        return segment(self, case)


def load(folder: str | Path, device: str | torch.device | None = None) -> Predictor:
    """Opens a run for prediction: its networks are loaded once and answer any number of cases.

    Args:
        folder: A run folder, as `drifa train` writes it, or a model folder, as `drifa pack` does.
        device: Where the networks run, such as ``"cpu"``; None for the GPU where there is one.

    Raises:
        DrifaError: ``folder`` is no run, or has no completely trained member, or there is no such device.

    Examples:
        Of a run that was trained on the phantom:

        >>> import drifa
        >>> predictor = drifa.load("run", device="cpu")
        >>> answer = predictor.predict_one({"photo": "phantom/images/photo/S00000.png"})
        >>> surface = answer.tasks["surface"]
        >>> surface.predicted in surface.probabilities, round(sum(surface.probabilities.values()), 6)
        (True, 1.0)
    """
    return Predictor.open(folder, device)
