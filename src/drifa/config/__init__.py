"""Typed configuration: YAML in, checked values out. The names below are stable."""

from __future__ import annotations

from drifa.config.reading import apply_override, dump_config, load_config, make_config, parse_override
from drifa.config.recipes import RECIPES
from drifa.config.sections import AugmentConfig, Config, DataConfig, EvaluateConfig, ModelConfig, TrainConfig

__all__ = [
    "RECIPES",
    "AugmentConfig",
    "Config",
    "DataConfig",
    "EvaluateConfig",
    "ModelConfig",
    "TrainConfig",
    "apply_override",
    "dump_config",
    "load_config",
    "make_config",
    "parse_override",
]
