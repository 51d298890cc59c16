"""The ways of asking the same networks, by hand: two members, two partners, three passes, one image, two classes."""

from __future__ import annotations

import numpy as np
import pytest

from drifa.uncertainty.draws import Draws
from drifa.uncertainty.modes import ALL_MEMBERS, MODES, mode_order, mode_words, modes, over_partners


def draws(fixed: list[float], drawn: list[float]) -> Draws:
    """Probabilities of the first of two classes, for one image."""
    return Draws(*(np.array([[[p, 1 - p]] for p in values]).reshape(-1, 1, 2) for values in (fixed, drawn)))


MEMBERS = (draws([0.2, 0.4], [0.1, 0.2, 0.3]), draws([0.6, 1.0], [0.7, 0.8, 0.9]))


def listed(values: np.ndarray) -> list[float]:
    return values[:, 0, 0].tolist()


def test_every_mode_gets_the_draws_that_it_is_made_of() -> None:
    found = modes(MEMBERS, listed)
    assert tuple(found) == MODES
    # Partners are averaged first, then a member is one draw.
    assert found["deterministic"] == {0: [pytest.approx(0.3)], 1: [pytest.approx(0.8)]}
    assert found["ensemble"] == {ALL_MEMBERS: pytest.approx([0.3, 0.8])}
    # Eq. 10: every pass of every member counts once.
    assert found["mc"] == {0: pytest.approx([0.1, 0.2, 0.3]), 1: pytest.approx([0.7, 0.8, 0.9])}
    assert found["ensemble_mc"] == {ALL_MEMBERS: pytest.approx([0.1, 0.2, 0.3, 0.7, 0.8, 0.9])}


def test_one_member_or_no_pass_leaves_out_what_needs_more() -> None:
    assert set(modes(MEMBERS[:1], listed)) == {"deterministic", "mc"}
    assert set(modes([draws([0.2], []), draws([0.3], [])], listed)) == {"deterministic", "ensemble"}


def test_the_effect_of_partners_is_told_of_each_member_and_of_their_average() -> None:
    def spread(answers: np.ndarray) -> np.ndarray:
        return np.ptp(answers[:, :, 0], axis=0)

    found = over_partners(MEMBERS, spread)
    assert {mode: {member: values.tolist() for member, values in each.items()} for mode, each in found.items()} == {
        "deterministic": {0: pytest.approx([0.2]), 1: pytest.approx([0.4])},
        # Averaged over members: 0.4 with the first partner, 0.7 with the second.
        "ensemble": {ALL_MEMBERS: pytest.approx([0.3])},
    }
    assert set(over_partners(MEMBERS[:1], spread)) == {"deterministic"}
    assert over_partners([draws([0.2], []), draws([0.3], [])], spread) == {}


def test_modes_are_ordered_from_the_most_thorough_and_unknown_ones_come_last() -> None:
    assert mode_order(["mine", "mc", "deterministic", "ensemble_mc"]) == ["ensemble_mc", "mc", "deterministic", "mine"]


def test_words_say_how_many_were_asked_and_what_figures_are_means_of() -> None:
    assert mode_words("ensemble_mc", 5, 30) == "answers averaged over 5 networks × 30 passes with dropout on"
    assert "means over 5 networks" in mode_words("mc", 5, 30)
    assert "the first network" in mode_words("mc", 5, 30, first_only=True)
    assert mode_words("deterministic", 1, None) == "one network, one pass, dropout off"
    assert mode_words("mine", 5, 30) == "mine"
