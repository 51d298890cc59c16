"""Recipes: names for many defaults at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: Recipe -> section -> defaults that differ from the paper's.
RECIPES: dict[str, dict[str, dict[str, Any]]] = {
    "paper": {},
    "standard": {
        "data": {"intensity": 0.1},
        "train": {
            "epochs": 12,
            "optimizer": "adamw",
            "lr": 1e-3,
            "weight_decay": 0.05,
            "schedule": "cosine",
            "warmup": 1,
            "lr_min": 1e-6,
            "gradient_clip": 1.0,
            "ema": 0.99,
            "label_smoothing": 0.05,
            "class_weights": "sqrt",
        },
    },
}


def with_recipe(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Plain data of a configuration on top of the defaults of the recipe that it names; what is wrong in it stays wrong."""
    train = raw.get("train")
    name = train.get("recipe") if isinstance(train, dict) else None
    defaults = RECIPES.get(name, {}) if isinstance(name, str) else {}
    given = {section: raw.get(section) or {} for section in defaults}
    filled = {section: {**defaults[section], **own} for section, own in given.items() if isinstance(own, dict)}
    return {**raw, **filled}
