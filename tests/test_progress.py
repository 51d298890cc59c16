"""Progress that is counted in parts is told as a sum, and what there is to do before any of it is done."""

from __future__ import annotations

from drifa.progress import counted


def test_parts_are_added_up_and_the_total_is_told_first() -> None:
    told: list[tuple[int, int, str]] = []
    add = counted(lambda *step: told.append(step), 5, "asking")
    assert told == [(0, 5, "asking")]
    assert add is not None
    add(2)
    add(3)
    assert told[1:] == [(2, 5, "asking"), (5, 5, "asking")]
    assert counted(None, 5, "asking") is None
