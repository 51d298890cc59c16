"""Why a case cannot be asked, in words that fit a keyword, an option, a row of a table and a field of a form alike."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from drifa.data.tabular import TabularEncoder
from drifa.errors import suggest


def pictures_of(modalities: Collection[str], encoders: Mapping[str, TabularEncoder]) -> list[str]:
    """The modalities of images.

    Args:
        modalities: Those of the run.
        encoders: Of its tabular modalities.
    """
    return [name for name in modalities if name not in encoders]


def columns_of(encoders: Mapping[str, TabularEncoder]) -> list[str]:
    """The columns of the tabular modalities."""
    return [column.name for encoder in encoders.values() for column in encoder.columns]


def unknown(name: str, subject: str, modalities: Collection[str], encoders: Mapping[str, TabularEncoder]) -> str:
    """Of a name that is not in the run, or an image where it has a column, or a text where it has an image.

    Args:
        name: What somebody gave something for.
        subject: The name of the case.
        modalities: Those of the run.
        encoders: Of its tabular modalities.
    """
    pictures, columns = pictures_of(modalities, encoders), columns_of(encoders)
    if name in pictures:
        return f"{name!r} of subject {subject!r} is a modality of images, and a text or number is given; give an image"
    if name in columns:
        return f"{name!r} of subject {subject!r} is a column, and an image is given; give a text or number"
    kinds = "modality or column of this model" if columns else "modality of this model, which has no columns"
    return f"{name!r} of subject {subject!r} is no {kinds}{suggest(name, [*pictures, *columns])}"


def nothing(subject: str, modalities: Collection[str], encoders: Mapping[str, TabularEncoder]) -> str:
    """Of a case without an image and without a value; arguments as of :func:`unknown`."""
    names = ", ".join([*pictures_of(modalities, encoders), *columns_of(encoders)])
    return f"subject {subject!r} has neither an image nor a value; give one of {names}"
