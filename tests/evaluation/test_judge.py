"""From draws to metrics of a task, by hand: two members, two partners, four subjects of which one is not known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from drifa.evaluation.judge import Truth, describe_task, judge_task, prediction_rows
from drifa.tasks import Classes, Number
from drifa.uncertainty.draws import Draws
from drifa.uncertainty.modes import MODES

KIND = Classes(("no", "yes"))
NAMES = np.array(["s0", "s1", "s2", "s3"])
TRUTH = Truth(
    subject=NAMES,
    group=np.array(["p", "p", "q", "r"]),
    split=np.full(4, "test"),
    values=np.array([1, 0, 1, 0]),
    known=np.array([True] * 3 + [False]),
    complete=np.full(4, True),
)


def sure(*answers: tuple[float, ...]) -> np.ndarray:
    """Probabilities of `yes` per draw and subject -> draws ``[T, N, 2]``."""
    yes = np.array(answers)
    return np.stack([1 - yes, yes], axis=2)


#: With either partner: the first member is right of s0 and s1, the second of s0 alone.
MAIN = [
    Draws(sure((0.9, 0.1, 0.2, 0.9), (0.7, 0.3, 0.4, 0.9)), sure((0.9, 0.2, 0.1, 0.9), (0.9, 0.4, 0.3, 0.9))),
    Draws(sure((0.8, 0.9, 0.4, 0.1), (0.8, 0.3, 0.2, 0.1)), sure((0.9, 0.8, 0.9, 0.1), (0.9, 0.6, 0.3, 0.1))),
]


def values(metrics: dict, mode: str, name: str) -> float:
    return metrics[mode][name]["value"]


def test_single_modes_are_means_over_members_and_joint_modes_judge_the_average() -> None:
    found = judge_task(KIND, TRUTH, MAIN, None, resamples=20, seed=0)
    assert tuple(found) == MODES
    # Partners averaged: the first member says 0.8 0.2 0.3, the second 0.8 0.6 0.3; the truth is yes, no, yes.
    assert values(found, "deterministic", "accuracy") == pytest.approx((2 / 3 + 1 / 3) / 2)
    # Their average is 0.8 0.4 0.3.
    assert values(found, "ensemble", "accuracy") == pytest.approx(2 / 3)
    # Passes averaged: 0.9 0.3 0.2 and 0.9 0.7 0.6; of all four 0.9 0.5 0.4.
    assert values(found, "mc", "accuracy") == pytest.approx((2 / 3 + 2 / 3) / 2)
    assert found["ensemble_mc"]["accuracy"]["value"] == pytest.approx(2 / 3)


def test_partners_matter_as_often_as_they_change_the_answer() -> None:
    found = judge_task(KIND, TRUTH, MAIN, None, resamples=20, seed=0)
    # Only the second member's answer to s1, with the second of two partners, is another than that of their average.
    assert values(found, "deterministic", "partner_flip_rate") == pytest.approx((0 + 0.5 / 3) / 2)
    assert values(found, "ensemble", "partner_flip_rate") == 0
    assert "partner_flip_rate" not in found["mc"]


def test_answers_without_partners_stand_beside_those_with_them() -> None:
    right = Draws(sure((0.9, 0.1, 0.9, 0.5)), sure((0.9, 0.1, 0.9, 0.5), (0.9, 0.1, 0.9, 0.5)))
    found = judge_task(KIND, TRUTH, MAIN, [right, right], resamples=20, seed=0)
    for mode in MODES:
        assert values(found, mode, "accuracy_alone") == values(found, mode, "balanced_accuracy_alone") == 1
        assert values(found, mode, "accuracy") < 1


def test_what_is_not_known_changes_no_metric() -> None:
    known = Truth(*(column[:3] for column in vars(TRUTH).values()))
    fewer = [Draws(member.deterministic[:, :3], member.mc[:, :3]) for member in MAIN]
    assert judge_task(KIND, known, fewer, None, 20, 0) == judge_task(KIND, TRUTH, MAIN, None, 20, 0)


def test_details_of_single_modes_are_of_the_first_member() -> None:
    found = describe_task(KIND, TRUTH, MAIN)
    assert tuple(found) == MODES
    # Rows are the truth, columns the answer: no -> no, yes -> no, yes -> yes.
    assert found["deterministic"]["confusion"] == [[1, 0], [1, 1]]


def test_there_is_a_row_per_subject_mode_member_and_condition() -> None:
    frames = prediction_rows(KIND, "asked", TRUTH, {"partners": MAIN, "alone": [MAIN[0]]})
    rows = [(row.subject, row.mode, row.condition, row.member) for frame in frames for row in frame.itertuples()]
    members = {"deterministic": (0, 1), "mc": (0, 1), "ensemble": (-1,), "ensemble_mc": (-1,)}
    expected = [(name, mode, "partners", member) for mode in MODES for member in members[mode] for name in NAMES]
    expected += [(name, mode, "alone", 0) for mode in ("deterministic", "mc") for name in NAMES]
    assert sorted(rows) == sorted(expected)
    first = frames[0]
    assert first["label"].tolist()[:3] == ["yes", "no", "yes"]
    assert first["predicted"].tolist() == ["yes", "no", "no", "yes"]
    assert first["correct"].tolist()[:3] == [True, True, False]
    for name in ("label", "correct"):
        assert first[name].isna().tolist() == [False] * 3 + [True]


def test_who_lacks_a_modality_is_called_as_prediction_calls_them() -> None:
    truth = replace(TRUTH, complete=np.array([True, False, True, True]))
    for condition, second in (("paired", "partial"), ("partners", "partners")):
        frames = prediction_rows(KIND, "asked", truth, {condition: MAIN})
        assert all(frame["condition"].tolist() == [condition, second, condition, condition] for frame in frames)


def test_numbers_are_judged_by_the_same_way() -> None:
    truth = Truth(NAMES, TRUTH.group, TRUTH.split, np.array([40.0, 50, 60, 0]), TRUTH.known, TRUTH.complete)
    members = [Draws(np.full((1, 4, 1), value), np.empty((0, 4, 1))) for value in (0.0, 1.0)]
    found = judge_task(Number("years", 50.0, 10.0, "mse"), truth, members, None, 20, 0)
    # In years the members always say 50 and 60, their average 55.
    assert values(found, "deterministic", "mae") == pytest.approx((20 / 3 + 30 / 3) / 2)
    assert values(found, "ensemble", "mae") == pytest.approx((15 + 5 + 5) / 3)
