"""Recipes are defaults: every key that is given wins, and what is wrong is named as without them."""

from __future__ import annotations

import pytest
import yaml

from drifa import DrifaError
from drifa.config import dump_config, make_config


def test_a_recipe_sets_defaults_and_every_given_key_wins() -> None:
    config = make_config({"data": {"study": "s", "intensity": 0.3}, "train": {"recipe": "standard", "ema": 0.5}})
    assert (config.train.optimizer, config.train.ema, config.data.intensity) == ("adamw", 0.5, 0.3)
    paper = make_config({"data": {"study": "s"}})
    assert (paper.train.recipe, paper.train.optimizer, paper.train.ema) == ("paper", "adam", 0)
    # The resolved configuration names every key, so that it means the same whatever a recipe becomes.
    assert make_config(yaml.safe_load(dump_config(config))) == config


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ({"data": {"study": "s"}, "train": {"recipe": ["standard"]}}, "train.recipe"),
        ({"data": 5, "train": {"recipe": "standard"}}, "data = 5"),
        ({"train": {"recipe": "standard"}}, r"data\.study"),
    ],
)
def test_a_recipe_does_not_hide_what_is_wrong(raw: dict[str, object], message: str) -> None:
    with pytest.raises(DrifaError, match=message):
        make_config(raw)
