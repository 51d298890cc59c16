"""The one exception that users see, and the words that help them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class DrifaError(Exception):
    """A mistake in what the user gave: the message names the value, the place and the remedy.

    The command line prints the message without a traceback and exits with code 2.
    """


def suggest(name: object, choices: Iterable[object], before: str = "") -> str:
    """The tail of an error message: the nearest valid name, or the list of all of them.

    Args:
        name: What the user wrote.
        choices: What would have been valid.
        before: What stands before the nearest name, such as ``train.``, so that it can be copied whole.

    Returns:
        ``" (did you mean 'x'?)"`` when a choice is close, otherwise ``" (choices: a, b, c)"``.
    """
    options = [str(choice) for choice in choices]
    lowered = {option.lower(): option for option in options}
    close = difflib.get_close_matches(str(name).lower(), lowered, n=1, cutoff=0.6)
    if close:
        return f" (did you mean {before + lowered[close[0]]!r}?)"
    return f" (choices: {', '.join(options)})" if options else ""


def near(name: str, choices: Iterable[str], most: int = 5) -> list[str]:
    """The choices that begin with what the user wrote, or else those that are spelled like it, the nearest first."""
    options = list(choices)
    begun = [option for option in options if name and option.startswith(name)]
    return begun[:most] or difflib.get_close_matches(name, options, n=most, cutoff=0.6)
