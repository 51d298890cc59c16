"""The ways of asking the same networks, from a single pass to an ensemble under dropout."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

if TYPE_CHECKING:
    from drifa.uncertainty.draws import Draws

Summarised = TypeVar("Summarised")

#: From the least to the most thorough way of asking the same networks.
MODES = ("deterministic", "mc", "ensemble", "ensemble_mc")
MODE_NAMES = {
    "ensemble_mc": "Ensemble + MC dropout",
    "ensemble": "Ensemble",
    "mc": "MC dropout",
    "deterministic": "Single pass",
}
#: The member number of answers that all members gave together.
ALL_MEMBERS = -1


def modes(members: Sequence[Draws], summarise: Callable[[np.ndarray], Summarised]) -> dict[str, dict[int, Summarised]]:
    """All modes that the members allow: mode -> member (or -1 for all) -> summary.

    ``deterministic`` and ``mc`` judge each member alone; ``ensemble`` and ``ensemble_mc`` (eq. 10: the mean over all members
    and passes) need at least two members. Partners are averaged before anything else.

    Args:
        members: The draws of each.
        summarise: Draws ``[T, N, k]`` -> summary, see :meth:`drifa.tasks.base.SubjectKind.summarise`.
    """
    found: dict[str, dict[int, Summarised]] = {}
    fixed = [member.deterministic.mean(axis=0) for member in members]
    found["deterministic"] = {n: summarise(one[None]) for n, one in enumerate(fixed)}
    passes = len(members[0].mc) > 0
    if passes:
        found["mc"] = {n: summarise(member.mc) for n, member in enumerate(members)}
    if len(members) > 1:
        found["ensemble"] = {ALL_MEMBERS: summarise(np.stack(fixed))}
        if passes:
            found["ensemble_mc"] = {ALL_MEMBERS: summarise(np.concatenate([member.mc for member in members]))}
    return found


def over_partners(members: Sequence[Draws], effect: Callable[[np.ndarray], np.ndarray]) -> dict[str, dict[int, np.ndarray]]:
    """How much the K partners matter: mode -> member -> ``[N]``; empty without several partners.

    Args:
        members: The draws of each.
        effect: Answers by partner ``[K, N, k]`` -> ``[N]``, see :meth:`drifa.tasks.base.SubjectKind.over_partners`.
    """
    if members[0].deterministic.shape[0] == 1:
        return {}
    found = {"deterministic": {n: effect(member.deterministic) for n, member in enumerate(members)}}
    if len(members) > 1:
        found["ensemble"] = {ALL_MEMBERS: effect(np.mean([member.deterministic for member in members], axis=0))}
    return found


def mode_order(modes: Iterable[str]) -> list[str]:
    """Known modes from the most to the least thorough, then any others."""
    modes = list(modes)
    return [mode for mode in reversed(MODES) if mode in modes] + [mode for mode in modes if mode not in MODES]


def mode_words(mode: str, members: Any, passes: Any, first_only: bool = False) -> str:
    """How an answer came about in this mode, for example ``answers averaged over 5 networks, one pass each, dropout off``.

    Args:
        mode: A name in ``MODES``.
        members: Number of networks, None if unknown.
        passes: Number of passes with dropout on, None if unknown.
        first_only: Whether the words stand beside single answers (of the first network) rather than beside metrics (means
            over all networks); it matters for modes that ask each network alone.
    """
    networks = f"{members} networks" if members else "all networks"
    draws = f"{passes} passes" if passes else "many passes"
    which = "" if members == 1 else "; shown for the first network" if first_only else f"; figures are means over {networks}"
    return {
        "ensemble_mc": f"answers averaged over {networks} × {draws} with dropout on",
        "ensemble": f"answers averaged over {networks}, one pass each, dropout off",
        "mc": f"answers averaged over {draws} of one network with dropout on{which}",
        "deterministic": f"one network, one pass, dropout off{which}",
    }.get(mode, mode)
