"""The texts that only the authors of a study can give, as the report prints them: each at its items, or "not stated"."""

from __future__ import annotations

from drifa.data.study.reporting import STATEMENTS
from drifa.runs.files import RunFiles


def statements(files: RunFiles, about: str) -> list[dict[str, str]]:
    """The statements of a part of the page.

    Args:
        files: The run; nothing is stated where its study is not there.
        about: The part, see :class:`drifa.data.study.reporting.Statement`.

    Returns:
        ``words``, ``text`` (empty where it is not stated) and ``checklist``, the items of the guidelines.
    """
    told = files.study.reporting if files.study is not None else {}
    return [
        {
            "words": one.words,
            "text": told.get(key, ""),
            "checklist": " · ".join(
                f"{guide} {item}" for guide, item in (("CLAIM", one.claim), ("TRIPOD+AI", one.tripod)) if item
            ),
        }
        for key, one in STATEMENTS.items()
        if one.about == about
    ]
