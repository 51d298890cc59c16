"""What to do with an answer, in words that people can act on, and the rule that decided."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from drifa.prediction.trust import TaskTrust
from drifa.tasks.classes import Abstain, ClassAnswer

SURE, UNSURE, STRANGE = "sure", "unsure: show a person", "not my kind of image"


def judged(
    answer: ClassAnswer, trust: TaskTrust | None, missing: Sequence[str], strange: Sequence[str], calibrated: bool = False
) -> ClassAnswer:
    """An answer with the decision whether to act on it.

    Args:
        answer: By ``trust``.
        trust: What the run has learned about such answers: of all modalities, or without those that are missing.
        missing: Modalities that the answer goes without.
        strange: Modalities of the task whose images are unlike those of training.
        calibrated: Whether the run has learned something about complete answers of the task.
    """
    if strange:
        reason = f"{STRANGE}: {', '.join(strange)}"
        return replace(answer, abstain=Abstain(True, reason), verdict=reason)
    if trust is None and not (missing and calibrated):
        return answer
    abstain = _of_incomplete(missing) if trust is None else _of_confidence(answer, trust)
    if trust is not None and missing:
        abstain = replace(abstain, reason=f"without {' and '.join(missing)}: {abstain.reason}")
    return replace(answer, abstain=abstain, verdict=f"{UNSURE if abstain.refer else SURE} ({abstain.reason})")


def _of_incomplete(missing: Sequence[str]) -> Abstain:
    return Abstain(True, f"{' and '.join(missing)} missing, and nothing was learned of how often such answers are wrong")


def _of_confidence(answer: ClassAnswer, trust: TaskTrust) -> Abstain:
    bar, sets = trust.abstention, trust.sets
    if sets is not None and answer.prediction_set == ():
        return Abstain(True, f"no class fits: not one is probable enough for a set that holds the truth with {sets.level:.0%}")
    if bar is None:
        return Abstain(True, "validation could promise nothing of how often answers are wrong")
    promise = f"at most {bar.target:.0%} are wrong, promised with {bar.confidence:.0%}"
    if bar.bar is None:
        return Abstain(False, f"of all answers {promise}")
    refer, least = not bool(bar([1 - answer.confidence])[0]), 1 - bar.bar
    side = "below" if refer else "at least"
    return Abstain(refer, f"confidence {answer.confidence:.3f}, {side} {least:.3f}, from where on {promise}")
