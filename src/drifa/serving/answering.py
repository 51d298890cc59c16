"""What the worker thread does: files down, the predictor asked, files gone, and no path of this machine in what is said."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from PIL import Image
from starlette.datastructures import FormData

from drifa.errors import DrifaError
from drifa.explain.asked import on_device
from drifa.explain.cam import ensemble_relevance
from drifa.explain.figures import coloured
from drifa.export.folder import without_paths
from drifa.prediction.asking import shown
from drifa.prediction.cases import Case, Unanswerable
from drifa.prediction.predictor import Predictor
from drifa.serving.forms import Sent, as_cases, columns_of, one_sent
from drifa.serving.limits import Refusal
from drifa.tasks.classes import ClassAnswer, Classes

#: The parts of an answer that may name files.
SAYING_PATHS = ("images", "note", "warnings")


def answer_one(predictor: Predictor, sent: Sent) -> dict[str, Any]:
    """The answers for one case, as `drifa predict --json` gives a case.

    Raises:
        Refusal: It cannot be answered (422).
    """
    with as_cases([sent]) as cases, refusing(predictor, cases):
        return told(predictor, predictor.predict(cases).cases[0].to_dict())


def answer_together(predictor: Predictor, forms: Sequence[FormData]) -> list[dict[str, Any] | Exception]:
    """The answers for the cases of some forms, as :func:`answer_one` gives each, or what it raises, from one batch.

    Where one of them cannot be answered, each is asked by itself: none of the others is refused for it.
    """
    if len(forms) > 1:
        # Whatever fails here is of one of them: below it is told to its sender alone.
        with suppress(Exception), as_cases([one_sent(form, predictor) for form in forms]) as cases:
            return [told(predictor, answer.to_dict()) for answer in predictor.predict(cases).cases]
    found: list[dict[str, Any] | Exception] = []
    for form in forms:
        try:
            found.append(answer_one(predictor, one_sent(form, predictor)))
        except Exception as error:
            found.append(error)
    return found


def answer_many(predictor: Predictor, sent: Sequence[Sent]) -> dict[str, Any]:
    """The answers for some cases, as `drifa predict --json` gives them, without the run's folder.

    Raises:
        Refusal: None can be answered, for a reason that is not of one case alone (422).
    """
    with as_cases(sent) as cases, refusing(predictor, cases):
        found = predictor.predict(cases, strict=False)
        failures = [_clean(predictor, asdict(failure)) for failure in found.failures]
        answers = [told(predictor, answer.to_dict()) for answer in found.cases]
        return {"mode": found.mode, "note": _clean(predictor, found.note), "cases": answers, "failures": failures}


def explain_one(predictor: Predictor, sent: Sent, layer: str | None = None) -> dict[str, Any]:
    """Where in the images of a case each answer comes from, absent modalities left absent.

    Args:
        predictor: Whom to ask.
        sent: The case.
        layer: Stage whose maps are read; None as in :func:`drifa.explain.cam.stage_of`.

    Returns:
        ``images``: modality -> PNG of what the networks see; ``tasks``: task -> ``output``, the class that is explained, and
        ``maps``, modality -> PNG of colours that are opaque where the relevance is 1. PNG files are in base64.

    Raises:
        Refusal: It cannot be answered (422).
    """
    with as_cases([sent]) as cases, refusing(predictor, cases):
        answer, batch = predictor.predict(cases).cases[0], shown(predictor, cases[0])
    with refusing(predictor, ()):
        inputs, present = on_device(predictor, batch)
        images = {name: image for name, image in inputs.items() if name in answer.images}
        tasks: dict[str, Any] = {}
        for task, one in answer.tasks.items():
            kind, number, output = predictor.kinds[task], 0, task
            if isinstance(one, ClassAnswer) and isinstance(kind, Classes):
                number, output = kind.classes.index(one.predicted), one.predicted
            outputs = torch.tensor([number], device=predictor.device)
            maps = ensemble_relevance(predictor.nets, inputs, present, task, outputs, layer)
            drawn = {name: _map(maps[name].mean[0].cpu().numpy()) for name in images if name in maps}
            tasks[task] = {"output": output, "maps": drawn}
    return {"images": {name: _png(image[0].permute(1, 2, 0).cpu().numpy()) for name, image in images.items()}, "tasks": tasks}


@contextmanager
def refusing(predictor: Predictor, cases: Sequence[Case]) -> Iterator[None]:
    """Turns an error about what was sent into the same sentence for its sender, with the field that is to blame."""
    try:
        yield
    except DrifaError as error:
        raise Refusal(422, "input", _clean(predictor, str(error)), _field(error, predictor, cases)) from None


def _field(error: DrifaError, predictor: Predictor, cases: Sequence[Case]) -> str | None:
    if isinstance(error, Unanswerable) and error.failure.file is not None:
        return next((name for case in cases for name, path in case.images.items() if str(path) == error.failure.file), None)
    known, named = columns_of(predictor), [name for case in cases for name in case.values]
    strange = (name for name in named if name not in known)
    return next(strange, next((name for name in named if repr(name) in str(error)), None))


def _clean(predictor: Predictor, value: Any) -> Any:
    """The same without the places of files on this machine: of a path, its last name stays."""
    if isinstance(value, str):
        return without_paths(value.replace(str(predictor.run.folder), predictor.run.folder.name))
    if isinstance(value, Mapping):
        return {key: _clean(predictor, entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(predictor, entry) for entry in value]
    return value


def told(predictor: Predictor, plain: Mapping[str, Any]) -> dict[str, Any]:
    """An answer whose files have the names that their sender gave them."""
    return {key: _clean(predictor, value) if key in SAYING_PATHS else value for key, value in plain.items()}


def _map(values: np.ndarray) -> str:
    """Colours of a map in [0, 1], as opaque as it is high."""
    strength = np.clip(np.nan_to_num(values.astype(np.float64)), 0, 1)
    return _png(np.concatenate([coloured(strength), 255 * strength[..., None]], axis=-1).round().astype(np.uint8))


def _png(pixels: np.ndarray) -> str:
    """A file in base64. uint8 ``[H, W, C]``, C of 1, 3 or 4"""
    buffer = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(buffer, format="PNG")
    return base64.b64encode(buffer.getvalue()).decode("ascii")
