"""What a report has to say of a study and nobody but its authors knows: the section `reporting` of `study.yaml`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from drifa.errors import DrifaError, short, suggest


class Statement(NamedTuple):
    """A text that the report prints, with the items of the guidelines that ask for it.

    Attributes:
        words: What stands before the text.
        about: Part of the report that prints it: ``scope``, ``data`` or ``statements``.
        claim: Item of CLAIM (2024 update); empty where it has none.
        tripod: Item of TRIPOD+AI (2024).
    """

    words: str
    about: str
    claim: str = ""
    tripod: str = ""


#: Key of the section `reporting` -> what it is for.
STATEMENTS: dict[str, Statement] = {
    "intended_use": Statement("Intended use and users", "scope", "3", "3b"),
    "data_source": Statement("Where the data came from", "data", "7", "5a"),
    "data_dates": Statement("When they were collected", "data", "", "5b"),
    "setting": Statement("Setting and centres", "data", "", "6a"),
    "eligibility": Statement("Who was included and left out", "data", "8", "6b"),
    "deidentification": Statement("De-identification", "data", "11"),
    "reference_standard": Statement("Reference standard", "data", "14", "8a"),
    "annotators": Statement("Annotators and their qualification", "data", "16", "8b"),
    "ethics": Statement("Ethics approval and consent", "statements", "", "17"),
    "funding": Statement("Funding", "statements", "44", "18a"),
    "conflicts": Statement("Conflicts of interest", "statements", "", "18b"),
    "registration": Statement("Registration", "statements", "", "18d"),
}


def parse_reporting(value: Any, place: str) -> dict[str, str]:
    """Reads the section `reporting`.

    Args:
        value: What stands there; None where nothing does.
        place: How errors call the file.

    Returns:
        Key of :data:`STATEMENTS` -> text, without empty ones.

    Raises:
        DrifaError: No mapping, an unknown key, or a value that is no text.
    """
    if value in (None, ""):
        return {}
    if not isinstance(value, dict):
        raise DrifaError(
            f"key 'reporting' of {place} holds {short(value)}; it takes lines 'key: text' with the keys {', '.join(STATEMENTS)}"
        )
    for key, text in value.items():
        if key not in STATEMENTS:
            raise DrifaError(f"unknown key {short(key)} in reporting of {place}{suggest(key, STATEMENTS)}")
        if not isinstance(text, str):
            raise DrifaError(f"key {key!r} in reporting of {place} holds {short(text)}; it takes one text")
    return {key: text.strip() for key, text in value.items() if text.strip()}


def joined_reporting(each: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """The statements of several studies as one: study name -> its statements; every text begins with its study's name."""
    return {
        key: "\n".join(f"{name}: {told[key]}" for name, told in each.items() if told.get(key))
        for key in STATEMENTS
        if any(told.get(key) for told in each.values())
    }
