"""Pictures to try a model of the phantom with; they are drawn when asked for."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from drifa.data.adapters.phantom_images import photo_images, ultrasound_images
from drifa.prediction.predictor import Predictor

#: Name -> index of the class in both modalities, and whether both have the marker.
EXAMPLES = {"smooth and thin": (0, False), "ragged and deep": (1, True)}
_DEPTHS = {0: 0, 1: 2}
_SIZE = 64  # as the phantom is drawn, or its check for strangers tells them apart
_PAINTED = ("photo", "ultrasound")


def examples_of(predictor: Predictor) -> list[str]:
    """The names of the examples that a model understands; none unless it was trained on the phantom."""
    phantom = str(predictor.run.info.study.get("name", "")).startswith("phantom")
    return list(EXAMPLES) if phantom and set(predictor.run.info.modalities) <= set(_PAINTED) else []


def picture(number: int, modality: str) -> bytes | None:
    """A PNG file, the same every time; None for an example or modality that there is not.

    Args:
        number: Of the example, in their order.
        modality: ``photo`` or ``ultrasound``.
    """
    if not 0 <= number < len(EXAMPLES) or modality not in _PAINTED:
        return None
    kind, marked = list(EXAMPLES.values())[number]
    index = kind if modality == "photo" else _DEPTHS[kind]
    draw = photo_images if modality == "photo" else ultrasound_images
    habitus, random = np.full((1, 4), 0.5, dtype=np.float32), np.random.default_rng([number, _PAINTED.index(modality)])
    pixels, *_ = draw(np.array([index]), np.array([marked]), habitus, _SIZE, random)
    buffer = io.BytesIO()
    Image.fromarray(pixels[0]).save(buffer, format="PNG")
    return buffer.getvalue()
