"""What an evaluation has written."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd


def read(folder: Path) -> tuple[dict, dict, pd.DataFrame]:
    """metrics.json, evaluation.json, predictions.parquet."""
    metrics, evaluation = (json.loads((folder / f"{name}.json").read_text()) for name in ("metrics", "evaluation"))
    return metrics, evaluation, pd.read_parquet(folder / "predictions.parquet")
