"""What a run knows about its answers: calibrated probabilities, sets, and when they do not apply."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from drifa import DrifaError
from drifa.metrics.classification import classification_metrics
from drifa.prediction.trust import FILE, TaskTrust, Trust, doubt_of, learn_trust, trusted
from drifa.tasks.classes import ClassAnswer
from drifa.uncertainty.prior import PriorCorrection

CLASSES = ("mel", "nv", "bcc")


def validation(count: int, sharpness: float = 2.5) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, probabilities of a network that is too sure, patients of two images each."""
    random = np.random.default_rng(0)
    logits = random.normal(size=(count, 3)) * 2
    labels = (logits + random.gumbel(size=logits.shape)).argmax(axis=1)
    p = np.exp(logits * sharpness)
    return labels, p / p.sum(axis=1, keepdims=True), np.arange(count) // 2


def test_calibration_helps_on_new_images_and_sets_keep_their_promise() -> None:
    labels, p, groups = validation(4000)
    trust = learn_trust(labels[:2000], p[:2000], groups[:2000], CLASSES)
    assert trust.sets is not None
    assert not trust.notes
    q = trust(p[2000:])
    raw, after = (classification_metrics(labels[2000:], x) for x in (p[2000:], q))
    assert after["ece"] < raw["ece"] / 2
    held = trust.sets(q)[np.arange(2000), labels[2000:]]
    assert held.mean() == pytest.approx(0.9, abs=0.04)


def test_the_entropy_is_that_of_the_probabilities_beside_it() -> None:
    labels, p, groups = validation(400)
    trust = learn_trust(labels, p, groups, CLASSES)
    raw = ClassAnswer(CLASSES[0], 0.7, dict(zip(CLASSES, (0.7, 0.2, 0.1), strict=True)), 0.8018, 0.01, None, None)
    found = trusted(raw, trust)
    shown, before = (
        -sum(q * math.log(q) for q in one.values()) for one in (found.probabilities, found.raw_probabilities or {})
    )
    assert found.predictive_entropy == pytest.approx(shown)
    assert found.raw_predictive_entropy == pytest.approx(before, abs=1e-4)
    assert abs(shown - before) > 0.05
    assert (found.uncertainty["entropy"], found.mutual_information) == (found.predictive_entropy, 0.01)


def test_too_few_images_are_told_and_nothing_is_invented() -> None:
    labels, p, groups = validation(60)
    trust = learn_trust(labels, p, groups, CLASSES)
    assert trust.calibration is None
    assert any("no calibration" in note and "50" in note for note in trust.notes)
    np.testing.assert_array_equal(trust(p), p)


def test_a_small_set_serves_both_parts_with_a_note() -> None:
    labels, p, groups = validation(120)
    trust = learn_trust(labels, p, groups, CLASSES)
    assert trust.calibration is not None
    assert trust.sets is not None
    assert any("approximate" in note for note in trust.notes)


def test_the_risk_of_what_is_answered_is_kept_on_new_images() -> None:
    labels, p, groups = validation(4000)
    trust = learn_trust(labels[:2000], p[:2000], groups[:2000], CLASSES, risk=0.15)
    assert trust.abstention is not None
    q = trust(p[2000:])
    kept, wrong = trust.abstention(doubt_of(q)), q.argmax(axis=1) != labels[2000:]
    assert wrong.mean() > 0.2
    assert 0.25 < kept.mean() < 1
    assert wrong[kept].mean() < 0.15


def test_a_small_set_lays_a_bar_only_where_enough_cases_could_stand_under_it() -> None:
    labels, _, groups = validation(100)
    right = np.eye(3)[labels] * 0.9 + 0.1 / 3
    trust = learn_trust(labels, right, groups, CLASSES)
    assert trust.abstention is not None  # 50 groups, 40 counted: a quarter of them could promise nothing
    assert trust.abstention.kept >= 22
    none = learn_trust(labels, np.roll(right, 1, axis=1), groups, CLASSES)
    assert none.abstention is None
    assert any("no bar for abstention" in note for note in none.notes)


def test_no_case_with_an_empty_set_is_answered_and_the_bar_is_promised_of_those_that_are() -> None:
    random = np.random.default_rng(1)
    labels, sure = random.integers(0, 3, 3000), random.uniform(0.8, 1, (3000, 1))
    p = sure * np.eye(3)[labels] + (1 - sure) / 3  # always right, so that the tenth that is least sure has empty sets
    trust = learn_trust(labels[:1000], p[:1000], np.arange(1000), CLASSES)
    assert trust.sets is not None
    assert trust.abstention is not None
    q = trust(p[1000:])
    empty = ~trust.sets(q).any(axis=1)
    assert 0.03 < empty.mean() < 0.2
    assert not trust.answered(q)[empty].any()
    assert trust.answered(q).mean() > 0.7
    np.testing.assert_array_equal(trust.answered(q), trust.abstention(doubt_of(q)))  # the bar alone lets none of them pass
    earlier = replace(trust, abstention=trust.abstention.model_copy(update={"bar": None}))
    np.testing.assert_array_equal(earlier.answered(q), ~empty)
    assert not replace(trust, abstention=None).answered(q).any()


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    labels, p, groups = validation(400)
    prior = PriorCorrection.of_training([10, 20, 30], [3, 2, 1], CLASSES)
    first = Trust("ensemble", 2, {"lesion": learn_trust(labels, p, groups, CLASSES, prior, risk=0.4)})
    assert first.tasks["lesion"].abstention is not None
    assert Trust.read(tmp_path) is None
    (tmp_path / FILE).write_text(json.dumps({**first.to_json(), "test": {}}))
    again = Trust.read(tmp_path)
    assert again == first
    assert again.fits("ensemble", 2)
    assert not again.fits("ensemble_mc", 2)
    np.testing.assert_allclose(again.tasks["lesion"](p), first.tasks["lesion"](p))


@pytest.mark.parametrize("text", ['{"drifa_calibration": 9}', '{"drifa_calibration": 2, "tasks": [1]}'])
def test_a_file_of_another_kind_is_refused_with_the_remedy(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    with pytest.raises(DrifaError, match="drifa calibrate"):
        Trust.read(tmp_path)


def test_an_answer_keeps_its_raw_probabilities() -> None:
    labels, p, groups = validation(400)
    raw = dict(zip(CLASSES, p[0].tolist(), strict=True))
    before = ClassAnswer(CLASSES[int(p[0].argmax())], float(p[0].max()), raw, 0.1, None, None, None)
    answer = trusted(before, learn_trust(labels, p, groups, CLASSES))
    assert answer.raw_probabilities == raw
    assert answer.predicted == before.predicted  # a temperature never changes it
    assert answer.confidence == max(answer.probabilities.values()) != before.confidence
    assert sum(answer.probabilities.values()) == pytest.approx(1)
    assert set(answer.prediction_set or ()) <= set(CLASSES)
    assert "prediction_set" in answer.row()
    assert "prediction_set" not in before.row()
    empty = trusted(before, TaskTrust(None, None, None))
    assert empty.prediction_set is None
