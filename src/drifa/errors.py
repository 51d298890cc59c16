"""The one exception that users see, and the words that help them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

#: Longest message of an error, characters.
LONGEST = 2000


class DrifaError(Exception):
    """A mistake in what the user gave: the message names the value, the place and the remedy.

    The command line prints the message without a traceback and exits with code 2. What it shows of values may come from
    anybody: line breaks and escape sequences are written out, and a long message loses its middle, for the remedy stands at
    the end.
    """

    def __init__(self, message: object = "") -> None:
        text = "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in str(message)[: 2 * LONGEST])
        end = str(message)[-LONGEST // 4 :] if len(str(message)) > 2 * LONGEST else text[-LONGEST // 4 :]
        if len(text) > LONGEST:
            text = f"{text[: LONGEST // 2]} … {''.join(sign for sign in end if sign.isprintable())}"
        super().__init__(text)


#: Longest value that an error shows, characters.
SHOWN = 80


def short(value: object) -> str:
    """How an error shows a value that may come from anybody: without line breaks and escape sequences, and cut."""
    text = repr(value) if isinstance(value, str) else "".join(sign if sign.isprintable() else " " for sign in _told(value))
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def _told(value: object) -> str:
    try:
        return " ".join(str(value).split())
    except (ValueError, RecursionError):  # a number of more digits than are printed
        return f"a {type(value).__name__}"


def on_screen(name: str, most: int = SHOWN) -> str:
    """A name that may come from anybody, as a line of output shows it: escape sequences written out, and cut."""
    text = "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in name[: most + 1])
    return text if len(text) <= most else f"{text[:most]}…"


def plural(count: int, one: str, more: str = "") -> str:
    """A count with what it is of: ``1 pair``, ``2 pairs``.

    Args:
        count: How many.
        one: What one of them is called, or does, such as ``"group lies"``.
        more: The same of several; with an s behind it where nothing is told.
    """
    return f"{count} {one if count == 1 else more or one + 's'}"


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
    close = difflib.get_close_matches(str(name)[:SHOWN].lower(), lowered, n=1, cutoff=0.6)
    if close:
        return f" (did you mean {before + lowered[close[0]]!r}?)"
    listed = ", ".join(option if option.isprintable() else repr(option) for option in options[:50])
    more = f" and {len(options) - 50} more" if len(options) > 50 else ""
    return f" (choices: {listed}{more})" if options else ""


def near(name: str, choices: Iterable[str], most: int = 5) -> list[str]:
    """The choices that begin with what the user wrote, or else those that are spelled like it, the nearest first."""
    options = list(choices)
    begun = [option for option in options if name and option.startswith(name)]
    return begun[:most] or difflib.get_close_matches(name, options, n=most, cutoff=0.6)
