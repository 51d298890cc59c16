"""One case by keywords: modalities and columns side by side, whatever they are held in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch

from drifa.data.sampling.batch import Batch
from drifa.errors import DrifaError, short
from drifa.prediction.answers import Answer
from drifa.prediction.cases import Case, check_cases, given
from drifa.prediction.given import picture
from drifa.prediction.refusals import columns_of, nothing, pictures_of, unknown
from drifa.prediction.sources import FileImages, read_images, with_values

if TYPE_CHECKING:
    from drifa.prediction.predictor import Predictor

#: The name of a case that nobody named; with the seed it decides dropout masks and partners.
CASE = "case"


@dataclass(frozen=True, eq=False)
class Embedding:
    """Where the first member of a run sees a case.

    Attributes:
        modalities: Modality of the case -> mean over the pixels of its last map, behind the fusion. float32 ``[C]``
        readout: What the heads read. float32 ``[D]``
        stages: Modality of the case -> its map behind every stage, MFA and fusion included. float32 ``[C, H, W]`` each
    """

    modalities: Mapping[str, np.ndarray]
    readout: np.ndarray
    stages: Mapping[str, tuple[np.ndarray, ...]]


def case_of(predictor: Predictor, told: Mapping[str, Any], subject: str = CASE) -> Case:
    """The case that keywords tell of.

    Args:
        predictor: Whom to ask.
        told: Modality -> picture or volume, see :mod:`drifa.prediction.given`; column -> value. None leaves one out.
        subject: Its name; ``told`` may say it too, as ``subject``.

    Raises:
        DrifaError: A keyword is neither, or there is nothing.
    """
    modalities, encoders = predictor.run.info.modalities, predictor.encoders
    columns, pictures = columns_of(encoders), pictures_of(modalities, encoders)
    if "subject" in told and "subject" not in (*pictures, *columns):
        subject = told["subject"]
        told = {name: value for name, value in told.items() if name != "subject"}
    if not isinstance(subject, str):
        raise DrifaError(f"subject {short(subject)} is no text; name a case by one, and give modalities and columns by keyword")
    images, values = {}, {}
    for name, value in told.items():
        if name not in pictures and name not in columns:
            raise DrifaError(unknown(name, subject, modalities, encoders))
        if value is None:
            continue
        elif name in pictures:
            images[name] = picture(value)
        else:
            values[name] = _text(name, value)
    if not images and not any(values.values()):
        raise DrifaError(nothing(subject, modalities, encoders))
    return Case(subject, images, values)


def _text(column: str, value: Any) -> str:
    if isinstance(value, np.ndarray | torch.Tensor) and value.ndim == 0:
        value = value.item()
    if not pd.api.types.is_scalar(value):
        raise DrifaError(f"column {column!r} is given as a {type(value).__name__}; give one text or number")
    return "" if pd.isna(value) else str(value)


def ask(predictor: Predictor, cases: Iterable[Mapping[str, Any]], subject: str = CASE) -> Iterator[Answer]:
    """Answers cases one after the other, in batches of ``evaluate.batch_size``, volumes alone: no more are held in memory.

    Args:
        predictor: Whom to ask.
        cases: Keywords of each, see :func:`case_of`.
        subject: The name of those that have none.

    Raises:
        DrifaError: As :func:`case_of`, or what is given cannot be read; the message counts the case from 0.
    """
    # A batch of a run of volumes is one of slices.
    size, many, start = 1 if predictor.regions else predictor.run.config.evaluate.batch_size, iter(cases), 0
    while batch := list(islice(many, size)):
        asked = []
        for number, told in enumerate(batch, start):
            if not isinstance(told, Mapping):
                raise DrifaError(f"case {number} is {short(told)}; give a mapping such as {{'photo': image, 'age': 45}}")
            asked.append(case_of(predictor, told, subject))
        yield from predictor.predict(asked).cases
        start += len(batch)


def shown(predictor: Predictor, case: Case) -> Batch:
    """A case as the networks are shown it, what it lacks left absent.

    Raises:
        DrifaError: It cannot be asked, or an image cannot be read.
    """
    channels, size = predictor.run.info.modalities, predictor.run.info.image_size
    check_cases([case], channels, predictor.encoders)
    files: Any = FileImages([read_images(case, channels, size)], channels, size)
    if predictor.encoders:
        files = with_values(files, [case], predictor.encoders)
    has = given(case, predictor.encoders)
    images = {name: files.read(name, np.array([0 if name in has else -1])) for name in channels}
    return Batch(images, torch.tensor([[name in has for name in channels]]))


@torch.inference_mode()
def embed(predictor: Predictor, case: Case) -> Embedding:
    """See :meth:`drifa.prediction.predictor.Predictor.embed`."""
    if predictor.regions:
        raise DrifaError(f"{predictor.run.folder} segments volumes, slice by slice, and has no readout of a case")
    net, batch = predictor.nets[0], shown(predictor, case)
    inputs, present, has = net.to_input(batch.images), batch.present.to(predictor.device), given(case, predictor.encoders)
    pooled, readout = net.embed(inputs, present)
    stages = net.stage_maps(inputs, present)
    return Embedding(
        {name: pooled[name][0].cpu().numpy() for name in pooled if name in has},
        readout[0].cpu().numpy(),
        {name: tuple(x[0].cpu().numpy() for x in maps) for name, maps in stages.items() if name in has},
    )
