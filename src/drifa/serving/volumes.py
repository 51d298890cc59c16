"""A case of volumes answered: the figures of its regions and, on request, masks and slices to look at."""

from __future__ import annotations

import base64
from typing import Any

from nibabel.nifti1 import Nifti1Image

from drifa.data.reading.nifti import as_bytes
from drifa.prediction.predictor import Predictor
from drifa.serving.answering import refusing, told
from drifa.serving.forms import Sent, as_cases
from drifa.serving.slices import slices_of
from drifa.tasks.regions import RegionsAnswer


def answer_volume(predictor: Predictor, sent: Sent, masks: bool = False, slices: bool = False) -> dict[str, Any]:
    """The answers for one case, as `drifa predict --json` gives a case.

    Args:
        predictor: Whom to ask; it segments volumes.
        sent: The case.
        masks: Each task also has ``masks``: region -> its mask (uint8, 1 inside) on the grid of what was sent, a NIfTI file,
            gzipped, in base64.
        slices: The answer also has ``slices``, see :func:`drifa.serving.slices.slices_of`.

    Raises:
        Refusal: It cannot be answered (422).
    """
    with as_cases([sent]) as cases, refusing(predictor, cases):
        answer = predictor.predict(cases).cases[0]
        plain = told(predictor, answer.to_dict())
        found = {task: regions.masks for task, regions in answer.tasks.items() if isinstance(regions, RegionsAnswer)}
        for task, own in found.items() if masks else ():
            plain["tasks"][task]["masks"] = {name: _file(mask) for name, mask in own.items()}
        return plain | ({"slices": slices_of(cases[0], found)} if slices else {})


def _file(mask: Nifti1Image) -> str:
    return base64.b64encode(as_bytes(mask, compressed=True)).decode("ascii")
