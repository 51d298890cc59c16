"""How long work tells how far it has come."""

from __future__ import annotations

from collections.abc import Callable

#: Called with (done, total, what).
Progress = Callable[[int, int, str], None]


def counted(progress: Progress | None, total: int, what: str) -> Callable[[int], None] | None:
    """What adds up parts that are done and tells the sum, once before the first: how much there is shows before it is done.

    Args:
        progress: Whom to tell; None for nobody.
        total: Of all parts.
        what: In words.
    """
    if progress is None:
        return None
    done = 0

    def add(count: int) -> None:
        nonlocal done
        done += count
        progress(done, total, what)

    add(0)
    return add
