"""A MetaImage holds all the voxels that its header announces, in the orientation that it names in two ways."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from drifa.data.reading.meta_header import check_letters, check_voxels
from drifa.data.reading.volumes import read_volume
from drifa.errors import DrifaError

VALUES = np.random.default_rng(0).integers(-1000, 1000, (2, 3, 4)).astype("<i2")
RAW = VALUES.tobytes(order="F")
FIELDS = {
    "NDims": "3",
    "DimSize": "2 3 4",
    "ElementType": "MET_SHORT",
    "BinaryData": "True",
    "TransformMatrix": "-1 0 0 0 -1 0 0 0 1",
}


@pytest.fixture
def itk() -> Any:
    return pytest.importorskip("SimpleITK", reason="needs the extra `volumes`")


def _mha(path: Path, voxels: bytes = RAW, **fields: str) -> Path:
    lines = [f"{field} = {value}" for field, value in (FIELDS | fields).items()]
    path.write_bytes("\n".join(["ObjectType = Image", *lines, "ElementDataFile = LOCAL", ""]).encode() + voxels)
    return path


def test_packed_voxels_are_all_there_or_refused(tmp_path: Path, itk: Any) -> None:
    packed = zlib.compress(RAW)
    options = {"CompressedData": "True", "CompressedDataSize": str(len(packed))}
    np.testing.assert_array_equal(read_volume(_mha(tmp_path / "a.mha", packed, **options)).array, VALUES)
    for voxels in (packed[: len(packed) // 2], packed[:10] + bytes(len(packed) - 10), b"nothing"):
        with pytest.raises(DrifaError, match=r"damaged or cut short \(48 bytes of voxels announced, \d+ found\)"):
            read_volume(_mha(tmp_path / "a.mha", voxels, **options))
    with pytest.raises(DrifaError, match="does not say how many bytes they take; save it again, with CompressedDataSize"):
        read_volume(_mha(tmp_path / "a.mha", packed, CompressedData="True"))


def test_a_cut_file_says_how_much_is_there(tmp_path: Path, itk: Any, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(DrifaError, match=r"\(48 bytes of voxels announced, 44 found\)"):
        read_volume(_mha(tmp_path / "a.mha", RAW[:-4]))
    np.testing.assert_array_equal(read_volume(_mha(tmp_path / "a.mha", b"more" + RAW, HeaderSize="-1")).array, VALUES)
    assert capfd.readouterr().err == ""


def test_voxels_as_text_are_refused_and_not_called_damaged() -> None:
    with pytest.raises(DrifaError, match=r"voxels as text \(BinaryData = False\); save it again with BinaryData = True"):
        check_voxels(Path("a.mha"), {"binarydata": "False"}, Path("a.mha"), 1)


@pytest.mark.parametrize(
    ("matrix", "letters", "alike"),
    [
        ("1 0 0 0 1 0 0 0 1", "RAI", True),  # as ITK writes it: from the right, front and foot
        ("1 0 0 0 1 0 0 0 1", "lps", True),  # as others do: to the left, back and head
        ("1 0 0 0 1 0 0 0 1", "RAS", False),
        ("-1 0 0 0 -1 0 0 0 1", "LPI", True),
        ("0.1 0 0.9 0.9 0 0.1 0 1 0", "IRA", True),
        ("-1 0 0 0 1 0 0 0 1", "RAI", False),
        ("-1 0 0 0 1 0 0 0 1", "???", True),
        ("1 0 0 1", "RA", True),
    ],
)
def test_letters_and_matrix_say_the_same_or_the_file_is_refused(matrix: str, letters: str, alike: bool) -> None:
    fields = {"transformmatrix": matrix, "anatomicalorientation": letters}
    if alike:
        check_letters(Path("a.mha"), fields)
    else:
        with pytest.raises(DrifaError, match=f"has {letters} as AnatomicalOrientation, but its TransformMatrix runs"):
            check_letters(Path("a.mha"), fields)


def test_letters_without_a_matrix_are_compared_with_none(tmp_path: Path, itk: Any) -> None:
    path = _mha(tmp_path / "a.mha")
    path.write_bytes(path.read_bytes().replace(b"TransformMatrix = -1 0 0 0 -1 0 0 0 1", b"AnatomicalOrientation = RAS"))
    with pytest.raises(DrifaError, match="has RAS as AnatomicalOrientation, but its TransformMatrix runs RAI; correct"):
        read_volume(path)


@pytest.mark.parametrize(
    ("field", "text", "message"),
    [
        ("TransformMatrix", "1 0 0 0 0 0 0 0 1", "axis 2 has no length"),
        ("TransformMatrix", "1 0 0 2 0 0 0 0 1", "axes of one plane or line"),
        ("ElementSpacing", "1 0 1", "every side of a voxel is above 0"),
        ("ElementSpacing", "1 -2 1", "every side of a voxel is above 0"),
        ("ElementSize", "0 1 1", "every side of a voxel is above 0"),
    ],
)
def test_axes_and_sides_that_cannot_be_are_no_damage(tmp_path: Path, itk: Any, field: str, text: str, message: str) -> None:
    with pytest.raises(DrifaError, match=f"'{text}' in the field '{field}' of its header, .*{message}") as told:
        read_volume(_mha(tmp_path / "a.mha", **{field: text}))
    assert "damaged" not in str(told.value)


@pytest.mark.parametrize("matrix", ["0 1 0 1 0 0 0 0 1", "0.6 0.8 0 -0.8 0.6 0 0 0 1"])
def test_turned_axes_are_read(tmp_path: Path, itk: Any, matrix: str) -> None:
    volume = read_volume(_mha(tmp_path / "a.mha", TransformMatrix=matrix, ElementSpacing="1 2 3"))
    assert sorted(np.round(volume.spacing, 4)) == [1, 2, 3]
