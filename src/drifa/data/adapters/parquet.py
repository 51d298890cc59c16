"""Parquet tables of one's own: every cell a text, and columns that hold no single value left out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from drifa.data.adapters.pictures import holds_pictures
from drifa.errors import DrifaError
from drifa.names import plain


def read_parquet(files: Sequence[Path]) -> tuple[pd.DataFrame, dict[str, str]]:
    """Reads Parquet files, the parts of one table, as :func:`drifa.text_tables.read_table` reads a CSV file.

    Args:
        files: One or more, in their order.

    Returns:
        ``(table, left_out)``: the table, whose index counts rows as a spreadsheet would, through all files; and what the
        columns hold that no text can stand for, by name: images themselves, as data sets of the Hugging Face hub have them, or
        lists.

    Raises:
        DrifaError: A file cannot be read, two columns have one name, or the files have other columns.
    """
    tables: list[pd.DataFrame] = []
    left_out: dict[str, str] = {}
    columns: set[str] = set()
    row = 2
    for path in files:
        table, lacks = _read_one(path)
        own = {*map(str, table), *lacks}
        other = own ^ columns
        if tables and other:
            raise DrifaError(
                f"{path} and {files[0]} are no parts of one table: only one of them has the column {min(other)!r}; name files "
                f"of the same columns"
            )
        columns = own
        left_out |= {name: what for name, what in lacks.items() if name not in left_out}
        table = table.set_axis(range(row, row + len(table)))
        row += len(table)
        tables.append(table)
    table = pd.concat(tables).drop(columns=[*left_out], errors="ignore")
    filled = table.map(lambda text: plain(text) != "").any(axis=1) if len(table.columns) else pd.Series(dtype=bool)
    return table[filled], left_out


def _read_one(path: Path) -> tuple[pd.DataFrame, dict[str, str]]:
    """One of the files, with its blank rows."""
    from pyarrow import ArrowException, parquet, types

    try:
        left_out, paths = {}, {}
        schema = parquet.read_schema(path)
        for field in schema:
            kinds = [field.type, *(part.type for part in field.type)] if types.is_struct(field.type) else [field.type]
            images = _rows_with_bytes(path, field)
            if images and not images[0]:
                paths[field.name] = _paths(path, field.name)
            elif images and images[0] < images[1]:
                left_out[field.name] = f"the files' bytes themselves in {images[0]} of its {images[1]} rows"
            elif any(types.is_binary(kind) or types.is_large_binary(kind) or types.is_binary_view(kind) for kind in kinds):
                left_out[field.name] = "the files' bytes themselves"
            elif types.is_nested(field.type):
                left_out[field.name] = f"values of the type {field.type}"[:80]
        others = [name for name in schema.names if name not in left_out and name not in paths]
        table = pd.read_parquet(path, columns=others).assign(**paths)
    except (OSError, ValueError, ArrowException) as error:
        reason = " ".join(str(error).split())
        raise DrifaError(f"{path} cannot be read as a table ({reason}); save it as CSV in UTF-8") from None
    # An index that its writer named is a column, as after `set_index("case")`; one without a name counts rows.
    for level, name in reversed(list(enumerate(table.index.names))):
        if name is not None and str(name) not in left_out:
            table.insert(0, name, table.index.get_level_values(level), allow_duplicates=True)
    table.columns = pd.Index([plain(str(name)) for name in table.columns])
    if not table.columns.is_unique:
        twice = table.columns[table.columns.duplicated()][0]
        raise DrifaError(f"{path} has two columns {twice!r}; rename or remove one")
    # A column of integers with gaps arrives as floats; a patient 12 is not a patient 12.0.
    table = table.convert_dtypes().astype(object)
    return table.where(table.notna(), "").astype(str), left_out


def _rows_with_bytes(path: Path, field: Any) -> tuple[int, int] | None:
    """Of a column of images, how many rows have bytes, and how many there are, by the file's statistics: the bytes themselves
    may be many. None for other columns, and where the file has no statistics."""
    from pyarrow import parquet, types

    if not holds_pictures(field.type):
        return None
    metadata = parquet.read_metadata(path)
    if types.is_null(field.type.field("bytes").type):
        return 0, metadata.num_rows
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    parts = [group.column(place) for group in groups for place in range(group.num_columns)]
    own = [part for part in parts if part.path_in_schema == f"{field.name}.bytes"]
    if any(part.statistics is None or not part.statistics.has_null_count for part in own):
        return None
    return metadata.num_rows - sum(part.statistics.null_count for part in own), metadata.num_rows


def _paths(path: Path, name: str) -> list[str]:
    """The paths of a column of images; empty where a row has no image."""
    from pyarrow import parquet

    cells = parquet.ParquetFile(path).read(columns=[f"{name}.path"])[name].to_pylist()
    return [str(cell["path"] or "") if cell else "" for cell in cells]
