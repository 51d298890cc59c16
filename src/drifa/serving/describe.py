"""What a model says of itself over HTTP: its questions, its answers, its card, and the form that it takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from drifa.export.folder import CARD, ModelFolder, card
from drifa.prediction.predictor import Predictor
from drifa.serving.examples import examples_of
from drifa.serving.forms import SUBJECT, columns_of, pictures_of
from drifa.serving.limits import Limits
from drifa.version import __version__

#: What a kind of task says of itself that answers depend on; the rest is of its training.
SAID = ("kind", "classes", "regions", "unit")


def describe(predictor: Predictor, limits: Limits) -> dict[str, Any]:
    """What ``GET /v1/model`` gives.

    Args:
        predictor: The model.
        limits: Of the server.
    """
    run, kind = predictor.run, "volume" if predictor.regions else "image"
    return {
        "drifa": __version__,
        "study": run.info.study.get("name"),
        "mode": predictor.mode,
        "members": len(predictor.nets),
        "calibrated": predictor.trust is not None,
        "image_size": run.info.image_size,
        "modalities": {name: {"kind": kind, "channels": run.info.modalities[name]} for name in pictures_of(predictor)},
        "columns": {
            column.name: {"modality": name, "kind": column.kind, "categories": list(column.categories)}
            for name, encoder in predictor.encoders.items()
            for column in encoder.columns
        },
        "tasks": {
            name: {key: task[key] for key in SAID if key in task} | {"modalities": list(run.info.task_modalities[name])}
            for name, task in run.info.tasks.items()
        },
        "limits": vars(limits),
        "examples": examples_of(predictor),
        "card": _card(predictor),
    }


def _card(predictor: Predictor) -> str | None:
    folder = Path(predictor.run.folder)
    if not isinstance(predictor.run, ModelFolder):
        return card(folder)
    path = folder / CARD
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else None


def form_of(predictor: Predictor, prefix: str = "") -> dict[str, Any]:
    """The body of a request in the words of OpenAPI.

    Args:
        predictor: The model.
        prefix: Before the name of every field.
    """
    what = "volume (NIfTI, NRRD or MetaImage, one file)" if predictor.regions else "image"
    fields: dict[str, Any] = {
        f"{prefix}{name}": {"type": "string", "format": "binary", "description": f"{what} of the modality {name}"}
        for name in pictures_of(predictor)
    }
    fields |= {f"{prefix}{name}": {"type": "string", "description": f"value of {name}"} for name in columns_of(predictor)}
    if not prefix:
        fields.setdefault(SUBJECT, {"type": "string", "description": "decides dropout masks and partners", "default": "case"})
    content = {"multipart/form-data": {"schema": {"type": "object", "properties": fields}}}
    return {"requestBody": {"required": True, "content": content}}
