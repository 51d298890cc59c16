"""Masks that lie beside their images, told by what their names have behind the image's name."""

from __future__ import annotations

import filecmp
import os
from pathlib import Path, PurePath

import pandas as pd

from drifa.data.adapters.base import check_file
from drifa.data.reading.images import SUFFIXES, VOLUME_SUFFIXES
from drifa.errors import DrifaError
from drifa.names import find_file

_ENDINGS = (*SUFFIXES, *VOLUME_SUFFIXES)


def masks_beside(task: str, suffix: str, modalities: tuple[str, ...], table: pd.DataFrame, root: Path, place: str) -> list[str]:
    """Looks for the masks of a study's images in the images' own folders.

    Args:
        task: Whose masks they are.
        suffix: What stands behind the image's name in the mask's, such as ``_mask``; the ending of the file may be another.
        modalities: Whose images are looked at.
        table: ``subject``, ``modality`` and ``path`` of every image, paths below ``root``.
        root: What paths count from.
        place: Where the paths stand, for errors.

    Returns:
        A path below ``root`` for each row; empty where there is none.

    Raises:
        DrifaError: No image has a mask, two images of one subject have different ones, or one is no file.
    """
    found: list[str] = []
    first: dict[str, str] = {}
    for subject, modality, path in table[["subject", "modality", "path"]].itertuples(index=False):
        file = find_file(root / f"{_bare(path)}{suffix}", _ENDINGS) if modality in modalities else None
        if file is None or not os.path.lexists(file):
            found.append("")
            continue
        check_file(file, f"task {task!r} takes it for the mask of {path}: mend or move it")
        found.append(PurePath(file).relative_to(root).as_posix())
        other = first.setdefault(subject, found[-1])
        # One mask may lie beside each of the modalities that it belongs to.
        if other != found[-1] and filecmp.cmp(root / other, root / found[-1], shallow=False):
            found[-1] = other
        elif other != found[-1]:
            raise DrifaError(
                f"task {task!r} finds two masks of subject {subject!r}, {other} and {found[-1]}; name the one modality that "
                f"has the masks in 'modalities' of the task"
            )
    if not first:
        asked = table.loc[table["modality"].isin(modalities), "path"]
        example = _bare(asked.iloc[0]) if len(asked) else "IMAGE"
        raise DrifaError(
            f"no image of {place} has a mask for task {task!r} beside it, such as {example}{suffix}.*; correct 'suffix', or "
            f"name a column with the masks' paths"
        )
    return found


def _bare(path: str) -> str:
    """A path without the ending of an image."""
    ending = max((end for end in _ENDINGS if path.lower().endswith(end)), key=len, default="")
    return path[: len(path) - len(ending)]
