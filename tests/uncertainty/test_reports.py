"""What calibrations and sets did, in numbers with their intervals."""

from __future__ import annotations

import json

import numpy as np

from drifa.metrics.classification import classification_metrics
from drifa.uncertainty.calibration import Temperature
from drifa.uncertainty.reports import REPORTED, calibration_report
from tests.uncertainty.classifiers import classifier


def test_a_calibration_is_reported_before_and_after() -> None:
    (labels, p), groups = classifier(600, temperature=3), np.arange(600) // 3
    q = Temperature(classes=tuple("abcd"), temperature=3)(p)
    found = calibration_report(labels, p, q, groups, resamples=100)
    assert list(found) == list(REPORTED)
    json.dumps(found, allow_nan=False)
    for metric, row in found.items():
        assert row["before"]["value"] == classification_metrics(labels, p)[metric]
        assert row["after"]["value"] == classification_metrics(labels, q)[metric]
    better = found["nll"]["difference"]["high"]
    assert better is not None
    assert better < 0
    assert found["accuracy"]["difference"] == {"value": 0, "low": 0, "high": 0}
