"""A case of volumes answered: the figures of its regions and, on request, masks and slices to look at."""

from __future__ import annotations

import base64
from typing import Any

from drifa.data.reading.nifti import as_bytes
from drifa.prediction.predictor import Predictor
from drifa.serving.answering import refusing, told
from drifa.serving.forms import Sent, as_cases
from drifa.tasks.regions import RegionsAnswer


def answer_volume(predictor: Predictor, sent: Sent, masks: bool = False) -> dict[str, Any]:
    """The answers for one case, as `drifa predict --json` gives a case.

    Args:
        predictor: Whom to ask; it segments volumes.
        sent: The case.
        masks: Each task also has ``masks``: region -> its mask (uint8, 1 inside) on the grid of what was sent, a NIfTI file,
            gzipped, in base64.

    Raises:
        Refusal: It cannot be answered (422).
    """
    with as_cases([sent]) as cases, refusing(predictor, cases):
        answer = predictor.predict(cases).cases[0]
        plain = told(predictor, answer.to_dict())
        for task, regions in answer.tasks.items():
            if masks and isinstance(regions, RegionsAnswer):
                plain["tasks"][task]["masks"] = {name: _text(as_bytes(mask, True)) for name, mask in regions.masks.items()}
        return plain


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
