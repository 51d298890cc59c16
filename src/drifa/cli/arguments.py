"""Arguments that several verbs take, and what their words mean."""

from __future__ import annotations

from typing import Annotated, Any

import typer

#: Where the folders of a run are, if not where it says.
Settings = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[KEY=VALUE]...", help="data.study=FOLDER, data.cache=FOLDER: where they are now, if a run was moved."
    ),
]
Judging = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[KEY=VALUE]...",
        help="evaluate.passes=0 and the like, instead of the run's; data.study=FOLDER, data.cache=FOLDER if a run was moved.",
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bars.")]


def places_of(words: list[str] | None) -> Any:
    from drifa.config import parse_override
    from drifa.runs.places import Places

    return Places.of([parse_override(word) for word in words or ()])


def judging_of(words: list[str] | None) -> tuple[list[str], dict[str, Any]]:
    """The words that name no setting of `evaluate`, and those settings."""
    from drifa.config import parse_override

    own = [word for word in words or () if word.startswith("evaluate.")]
    return [word for word in words or () if word not in own], {
        ".".join(keys[1:]): value for keys, value in map(parse_override, own)
    }
