"""Whether to act on an answer: who decides, in which order, and that the words name the rule."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from drifa.prediction.trust import TaskTrust, learn_trust
from drifa.prediction.verdict import STRANGE, SURE, UNSURE, judged
from drifa.tasks.classes import ClassAnswer
from tests.prediction.test_trust import CLASSES, validation


def answer(*p: float) -> ClassAnswer:
    return ClassAnswer(CLASSES[int(np.argmax(p))], max(p), dict(zip(CLASSES, p, strict=True)), 0.1, None, None, None)


@pytest.fixture(scope="module")
def trust() -> TaskTrust:
    labels, p, groups = validation(4000)
    found = learn_trust(labels, p, groups, CLASSES, risk=0.15)
    assert found.abstention is not None
    assert found.abstention.bar is not None
    return found


def test_the_bar_decides_and_the_rule_is_named(trust: TaskTrust) -> None:
    least = 1 - trust.abstention.bar
    for confidence, refer, word in ((least + 0.005, False, SURE), (least - 0.005, True, UNSURE)):
        found = judged(answer(confidence, 1 - confidence, 0.0), trust, (), ())
        assert found.abstain.refer is refer
        assert found.verdict == f"{word} ({found.abstain.reason})"
        assert f"{confidence:.3f}" in found.abstain.reason
        assert f"{least:.3f}" in found.abstain.reason
        assert "15%" in found.abstain.reason
        assert found.verdict in found.words()
        assert found.row()["refer"] is refer
        assert found.row()["reason"] == found.abstain.reason


def test_without_a_bar_everything_is_answered(trust: TaskTrust) -> None:
    easy = replace(trust, abstention=trust.abstention.model_copy(update={"bar": None}))
    assert judged(answer(0.4, 0.3, 0.3), easy, (), ()).abstain.refer is False


def test_nothing_is_sure_where_nothing_was_promised(trust: TaskTrust) -> None:
    sure = answer(1.0, 0.0, 0.0)
    assert judged(sure, replace(trust, abstention=None), (), ()).verdict.startswith(UNSURE)
    missing = judged(sure, None, ("photo",), (), calibrated=True)
    assert missing.abstain.refer
    assert missing.verdict.startswith(UNSURE)
    assert "photo" in missing.abstain.reason
    assert judged(sure, None, (), ()) == sure  # a run that is not calibrated says nothing
    assert judged(sure, None, ("photo",), ()) == sure


def test_what_was_learned_without_a_modality_decides_and_its_absence_is_named(trust: TaskTrust) -> None:
    complete, partial = (judged(answer(0.9, 0.1, 0.0), trust, missing, (), True) for missing in ((), ("photo", "ct")))
    assert partial.abstain.refer is complete.abstain.refer
    assert partial.abstain.reason == f"without photo and ct: {complete.abstain.reason}"


def test_a_stranger_overrules_all_else(trust: TaskTrust) -> None:
    for learned in (trust, None):
        found = judged(answer(1.0, 0.0, 0.0), learned, (), ("photo",))
        assert found.abstain.refer
        assert found.verdict == found.abstain.reason == f"{STRANGE}: photo"


def test_entropy_is_a_share_of_its_largest() -> None:
    even = replace(answer(0.4, 0.3, 0.3), predictive_entropy=float(np.log(3)))
    assert even.entropy_share == pytest.approx(1)
    assert replace(even, predictive_entropy=0.0).entropy_share == 0
    assert set(json.loads(json.dumps(even.uncertainty))) == {
        *("entropy", "entropy_share", "mutual_information", "std", "flip_rate"),
    }
    assert "100% of the most" in even.words()


def test_where_no_class_fits_a_person_looks(trust: TaskTrust) -> None:
    always = replace(trust, abstention=trust.abstention.model_copy(update={"bar": None}))
    for told in (answer(0.4, 0.3, 0.3), answer(1.0, 0.0, 0.0)):
        found = judged(replace(told, prediction_set=()), always, (), ())
        assert found.abstain.refer
        assert found.verdict == f"{UNSURE} ({found.abstain.reason})"
        assert "no class fits" in found.abstain.reason
        assert "90%" in found.abstain.reason
    partial = judged(replace(answer(0.4, 0.3, 0.3), prediction_set=()), always, ("ct",), (), True)
    assert partial.abstain.refer
    assert partial.abstain.reason.startswith("without ct: no class fits")
