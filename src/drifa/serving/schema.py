"""What comes back, in the words of OpenAPI: the answers of a model, and every way of saying no."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drifa.prediction.predictor import Predictor
from drifa.serving.forms import pictures_of
from drifa.serving.slices import MOST, SIDE
from drifa.tasks.classes import Classes
from drifa.tasks.number import Number
from drifa.tasks.regions import Regions

#: Status -> when a route of any kind says so.
EVERYWHERE = {401: "The token is missing or wrong", 421: "The server is not known under this name"}
#: Status -> when a route that takes a form says so.
OF_FORMS = {
    400: "The form is damaged",
    413: "The request is too large",
    415: "The request is no form",
    422: "A file or value cannot be used",
    429: "Too many requests wait",
    503: "The server ends, or took too long",
}
Schema = dict[str, Any]
Responses = dict[int | str, dict[str, Any]]

TEXT: Schema = {"type": "string"}
SHARE: Schema = {"type": "number", "description": "from 0 to 1, to rounding"}
#: None where nothing says so, such as the spread of a single draw.
MAYBE: Schema = {"type": ["number", "null"]}
COUNT: Schema = {"type": ["integer", "null"]}
#: Of a region, on the grid of the volumes that were sent.
MASK: Schema = {
    "type": "string",
    "contentEncoding": "base64",
    "contentMediaType": "application/gzip",
    "description": "gzipped NIfTI of uint8, 1 inside of the region, on the grid of the volumes that were sent",
}
STACK: Schema = {
    "type": "string",
    "contentEncoding": "base64",
    "contentMediaType": "application/gzip",
    "description": "gzipped bytes [n, H, W]: slices from the lowest to the highest, rows from anterior to posterior, columns "
    "from the patient's right to the left",
}
PNG: Schema = {"type": "string", "contentEncoding": "base64", "contentMediaType": "image/png"}


def record(required: Mapping[str, Schema], optional: Mapping[str, Schema] | None = None) -> Schema:
    """An object of these fields and no others."""
    return {
        "type": "object",
        "properties": {**required, **(optional or {})},
        "required": list(required),
        "additionalProperties": False,
    }


def table(entry: Schema) -> Schema:
    """An object of any names."""
    return {"type": "object", "additionalProperties": entry}


def rows(entry: Schema) -> Schema:
    """A list."""
    return {"type": "array", "items": entry}


WARNINGS = rows(record({"modality": TEXT, "text": TEXT}))
_MESSAGE = {"type": "string", "description": "one sentence that names value, place and remedy"}
_FIELD = {"type": ["string", "null"], "description": "the field of the form that is to blame"}
ERROR = record({"error": record({"type": TEXT, "message": _MESSAGE, "field": _FIELD})})
FAILURE = record({"subject": TEXT, "row": {"type": "null"}, "file": {"type": ["string", "null"]}, "reason": TEXT})
EXPLANATION = record({"images": table(PNG), "tasks": table(record({"output": TEXT, "maps": table(PNG)}))})


def _json(words: str, schema: Schema) -> dict[str, Any]:
    return {"description": words, "content": {"application/json": {"schema": schema}}}


def responses(schema: Schema, *more: Mapping[int, str]) -> Responses:
    """The responses of a route.

    Args:
        schema: Of the answer, which is JSON.
        *more: Errors beside those that every route may give.
    """
    return {200: _json("The answer", schema), **errors(*more)}


def errors(*more: Mapping[int, str]) -> Responses:
    """The errors of a route, those that every route may give and ``more``."""
    words = {status: said for some in (EVERYWHERE, *more) for status, said in some.items()}
    return {status: _json(said, ERROR) for status, said in sorted(words.items())}


#: Of the one route that an ending server answers with something else than an error.
HEALTH = {
    **responses(record({"status": {"const": "ok"}})),
    503: _json("The server ends", record({"status": {"const": "closing"}})),
}


def answer_of(predictor: Predictor) -> Schema:
    """The answers for one case.

    Args:
        predictor: Whose answers they are; each has the tasks that it has images for.
    """
    known = {name: _task(kind) for name, kind in predictor.kinds.items()}
    slices = {"slices": _slices(predictor)} if predictor.regions else {}
    conditions: Schema = {"condition": {"enum": ["paired", "partial", "partners", "alone"]}}
    return record(
        {
            "subject": TEXT,
            "images": table(TEXT),
            **({} if predictor.regions else conditions),
            "tasks": record({}, known),
            "missing": rows(TEXT),
            "warnings": WARNINGS,
        },
        {"note": TEXT, **slices},
    )


def answers_of(predictor: Predictor) -> Schema:
    """The answers for some cases."""
    return record({"mode": TEXT, "note": TEXT, "cases": rows(answer_of(predictor)), "failures": rows(FAILURE)})


def _slices(predictor: Predictor) -> Schema:
    pair, shape = ({"type": "array", "items": {"type": kind}} for kind in ("number", "integer"))
    return record(
        {
            "shape": {**shape, "description": f"[n, H, W]: at most {MOST} slices, and {SIDE} pixels a side"},
            "size_mm": {**pair, "description": "height and width of a slice"},
            "depth": {"type": "integer", "description": "slices of the volume"},
            "numbers": {**shape, "description": "of the slices that are there, from 1"},
            "images": record({}, dict.fromkeys(pictures_of(predictor), STACK)),
            "masks": record({task: record(dict.fromkeys(names, STACK)) for task, names in predictor.regions.items()}),
        }
    )


def _task(kind: Any) -> Schema:
    if isinstance(kind, Classes):
        one = {"enum": list(kind.classes)}
        shares = record(dict.fromkeys(kind.classes, SHARE))
        measures = ("entropy", "entropy_share", "mutual_information", "std", "flip_rate")
        return record(
            {
                "predicted": one,
                "confidence": SHARE,
                "probabilities": shares,
                "predictive_entropy": {"type": "number"},
                "mutual_information": MAYBE,
                "std": MAYBE,
                "flip_rate": MAYBE,
                "raw_probabilities": _or_null(shares),
                "raw_predictive_entropy": MAYBE,
                "prediction_set": _or_null(rows(one)),
                "abstain": _or_null(record({"refer": {"type": "boolean"}, "reason": TEXT})),
                "verdict": {"type": ["string", "null"]},
                "disagree": COUNT,
                "members": COUNT,
                "agreement": {"type": ["string", "null"]},
                "warnings": WARNINGS,
                "uncertainty": record(dict.fromkeys(measures, MAYBE)),
            }
        )
    if isinstance(kind, Number):
        spreads = dict.fromkeys(("std", "epistemic_std", "aleatoric_std", "partner_std"), MAYBE)
        return record({"value": {"type": "number"}, "unit": TEXT, **spreads, "warnings": WARNINGS})
    if isinstance(kind, Regions):
        interval = {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}
        figures = {"volume_ml": {"type": "number"}, "predictive_entropy": MAYBE, "volume_interval": _or_null(interval)}
        regions = record(dict.fromkeys(kind.regions, record(figures)))
        # Nobody names a folder for the masks over HTTP.
        files = {"type": "array", "maxItems": 0}
        return record({"files": files, "regions": regions}, {"masks": record(dict.fromkeys(kind.regions, MASK))})
    return {"type": "object"}


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}
