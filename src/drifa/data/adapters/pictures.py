"""Images inside a Parquet table, ``{"bytes", "path"}`` as data sets of the Hugging Face hub have them, become files."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath
from typing import Any

import pandas as pd

from drifa.data.reading.files import is_dicom
from drifa.data.reading.raster import suffix_of
from drifa.errors import DrifaError
from drifa.files import atomic_path

#: Folder of a study that holds what lay inside its table.
FOLDER = "images_from_table"
#: Begins the cell of an image that lies inside the table; its file's ending follows. No path has it.
INSIDE = "\0"
# Cells in memory at once.
_CELLS = 64


def holds_pictures(kind: Any) -> bool:
    """Whether a column of this Arrow type holds images as bytes, as paths, or as both."""
    from pyarrow import types

    return types.is_struct(kind) and {part.name for part in kind} == {"bytes", "path"}


def columns_of_pictures(files: Sequence[Path]) -> set[str]:
    """Names of the columns of Parquet files, the parts of one table, that hold images, some of them as bytes.

    Raises:
        DrifaError: A file cannot be read.
    """
    return set().union(*map(_columns_of_pictures, files))


def _columns_of_pictures(path: Path) -> set[str]:
    from pyarrow import ArrowException, parquet, types

    try:
        found = {field.name: field.type for field in parquet.read_schema(path) if holds_pictures(field.type)}
        kinds = {name: kind.field("bytes").type for name, kind in found.items()}
        return {name for name, kind in kinds.items() if types.is_binary(kind) or types.is_large_binary(kind)}
    except (OSError, ArrowException) as error:
        raise _unreadable(path, error) from None


def picture_cells(files: Sequence[Path], column: str) -> list[str]:
    """A text for each row: :data:`INSIDE` and an ending where it has bytes, else its path; empty where it has neither.

    Raises:
        DrifaError: The file cannot be read.
    """
    return [
        INSIDE + (suffix_of(content) or (".dcm" if is_dicom(content) else "")) if content else named.replace(INSIDE, "")
        for content, named in _cells(files, column)
    ]


def place_pictures(
    result: pd.DataFrame, masks: Sequence[str], cells: pd.Series, columns: pd.Series, rows: pd.Series, root: Path, folder: Path
) -> tuple[Path, dict[str, list[tuple[int, Path]]]]:
    """Gives the images that lie inside a table their paths in the study.

    Args:
        result: The study's table, whose paths count from ``root``; changed in place.
        masks: Its columns with paths of masks.
        cells: As of :func:`picture_cells` for each row of ``result`` whose image lies inside, else empty.
        columns: Column of the table that holds the image, for each row of ``result``.
        rows: Row of the table, as a spreadsheet counts.
        root: Of the table's paths.
        folder: Where the images will be written.

    Returns:
        ``(root, targets)``: the folder that all paths of ``result`` count from now; and by column of the table, the rows of
        these images with their files.

    Raises:
        DrifaError: The two folders have no common parent.
    """
    common = folder.parent
    if (result[["path", *masks]] != "").any(axis=None):
        try:
            common = Path(os.path.commonpath([root, common]))
        except ValueError:
            raise DrifaError(f"{folder} and {root} are on two drives; choose --out on that of the images") from None
        offset = os.path.relpath(root, common)
        for name in ("path", *masks):
            result[name] = [PurePath(offset, path).as_posix() if path else "" for path in result[name]]
    targets: dict[str, list[tuple[int, Path]]] = {}
    paths = []
    for path, modality, cell, column, row in zip(result["path"], result["modality"], cells, columns, rows, strict=True):
        target = folder / modality / f"{row}{cell[len(INSIDE) :]}"
        if cell:
            targets.setdefault(column, []).append((row, target))
        paths.append(target.relative_to(common).as_posix() if cell else path)
    result["path"] = paths
    return common, targets


def write_pictures(files: Sequence[Path], column: str, targets: Sequence[tuple[int, Path]]) -> None:
    """Writes the bytes of some rows into files.

    Args:
        files: Of Parquet, the parts of one table.
        column: Of images.
        targets: Rows, as a spreadsheet counts them, and their files.

    Raises:
        DrifaError: A file cannot be read.
    """
    wanted: dict[int, list[Path]] = {}
    for row, target in targets:
        wanted.setdefault(row, []).append(target)
    for row, (content, _) in enumerate(_cells(files, column), start=2):
        for target in wanted.get(row, ()):
            with atomic_path(target) as file:
                file.write_bytes(content)


def _cells(files: Sequence[Path], column: str) -> Iterator[tuple[bytes, str]]:
    """Bytes and path of every row; empty for what it lacks."""
    from pyarrow import ArrowException, parquet

    for path in files:
        try:
            with parquet.ParquetFile(path) as file:
                for batch in file.iter_batches(_CELLS, columns=[column]):
                    for cell in batch.column(0).to_pylist():
                        yield (cell["bytes"] or b"", str(cell["path"] or "")) if cell else (b"", "")
        except (OSError, ArrowException) as error:
            raise _unreadable(path, error) from None


def _unreadable(path: Path, error: Exception) -> DrifaError:
    reason = " ".join(str(error).split())
    return DrifaError(f"the images inside {path} cannot be read ({reason}); write them out as files, and map their paths")
