"""Rows of many files are those of one, with few of them open."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from drifa.data.cache import mapped
from drifa.data.cache.mapped import MappedFiles
from drifa.errors import DrifaError


def test_rows_come_from_their_files_in_any_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mapped, "OPEN_SHARDS", 2)
    whole, starts = np.arange(21).reshape(7, 3), np.array([0, 3, 4, 7])
    files = [tmp_path / f"{k}.npy" for k in range(3)]
    for file, start, stop in zip(files, starts[:-1], starts[1:], strict=True):
        np.save(file, whole[start:stop])
    opened, places, to = MappedFiles(), np.array([6, 0, 3, 2, 6]), np.zeros((9, 3))
    rows = np.array([8, 1, 2, 4, 0])
    for one in (opened, pickle.loads(pickle.dumps(opened))):
        one.copy(files, starts, places, to, rows)
        np.testing.assert_array_equal(to[rows], whole[places])
        assert not to[[3, 5, 6, 7]].any()
        assert len(one) <= 2
    files[1].unlink()
    with pytest.raises(DrifaError, match=r"1\.npy was deleted while it was in use"):
        MappedFiles().copy(files, starts, places, to, rows)
