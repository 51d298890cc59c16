"""A header of NRRD or MetaImage names its own voxels and no other file, in millimetres and by numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from drifa.data.reading.nrrd_header import voxel_file
from drifa.data.reading.volumes import read_volume, volume_files
from drifa.errors import DrifaError

VALUES = np.arange(120, dtype=np.int16).reshape(6, 5, 4)


@pytest.fixture
def itk() -> Any:
    return pytest.importorskip("SimpleITK", reason="needs the extra `volumes`")


@pytest.fixture(params=["mhd", "nhdr"])
def header(tmp_path: Path, itk: Any, request: pytest.FixtureRequest) -> Path:
    """A header with its voxels beside it, in a folder of its own."""
    path = tmp_path / "study" / f"a.{request.param}"
    path.parent.mkdir()
    itk.WriteImage(itk.GetImageFromArray(VALUES), str(path))
    return path


def _points_to(header: Path, name: str) -> Path:
    """The header with another file named as its voxels."""
    voxels = voxel_file(header)
    assert voxels is not None
    header.write_text(header.read_text().replace(voxels.name, name))
    return voxels


@pytest.mark.parametrize("kind", ["absolute", "above", "round", "link", "linked folder"])
def test_a_file_outside_the_folder_is_not_read(header: Path, tmp_path: Path, kind: str) -> None:
    secret = tmp_path / "secret.raw"
    secret.write_bytes(VALUES.tobytes())
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "secret.raw").write_bytes(VALUES.tobytes())
    (header.parent / "link.raw").symlink_to(secret)
    (header.parent / "folder").symlink_to(tmp_path / "other")
    names = {"absolute": str(secret), "above": "../secret.raw", "round": "folder/../../secret.raw", "link": "link.raw"}
    name = names.get(kind, "folder/secret.raw")
    _points_to(header, name)
    with pytest.raises(
        DrifaError, match="outside the header's own folder and is not read; put the file itself beside"
    ) as caught:
        read_volume(header)
    assert repr(name)[:40] in str(caught.value)
    assert volume_files(header) == [header]


@pytest.mark.parametrize("name", ["LIST\n../secret.raw", "LIST 2", "s%03d.raw 1 3 1", "../s%03d.raw 1 3 1"])
def test_voxels_in_several_files_are_refused(header: Path, name: str) -> None:
    _points_to(header, name)
    with pytest.raises(
        DrifaError, match=r"voxels in several files \((data file|ElementDataFile): '.*'\); save it again as one"
    ):
        read_volume(header)


def test_a_file_of_the_folder_is_read_by_any_way_to_it(header: Path, tmp_path: Path) -> None:
    expected = read_volume(header).array
    voxels = _points_to(header, "parts/voxels.bin")
    (header.parent / "parts").mkdir()
    voxels.rename(header.parent / "parts" / "voxels.bin")
    (tmp_path / "linked").symlink_to(header.parent)
    (tmp_path / header.name).symlink_to(header)
    for path in (header, tmp_path / "linked" / header.name):
        np.testing.assert_array_equal(read_volume(path).array, expected)
        assert volume_files(path) == [path, path.parent / "parts" / "voxels.bin"]


def test_a_missing_file_of_voxels_is_named_and_nothing_is_called_damaged(header: Path) -> None:
    voxels = voxel_file(header)
    assert voxels is not None
    voxels.unlink()
    with pytest.raises(DrifaError, match="which is not beside it; put the two into one folder, or correct") as caught:
        read_volume(header)
    assert repr(voxels.name) in str(caught.value)
    assert "damaged" not in str(caught.value)


def test_a_header_names_its_voxels_in_one_place(header: Path) -> None:
    text = header.read_text()
    field = "ElementDataFile =" if header.suffix == ".mhd" else "data file:"
    line = next(line for line in text.splitlines() if line.startswith(field))
    for hidden in (
        f"{line}\n{field} /etc/passwd",
        f"Comment =\n{line}\n{field} /etc/passwd" if header.suffix == ".mhd" else f"{line}\rDatafile : /etc/passwd",
        "#" * 2**16 + f"\n{line}",
    ):
        header.write_text(text.replace(line, hidden))
        with pytest.raises(DrifaError, match="does not say in one place where its voxels are"):
            read_volume(header)
        assert volume_files(header) == [header]
    header.write_text(text.replace(line, f"{field}  \n/etc/passwd"))
    with pytest.raises(DrifaError, match="has no name in the line of its header"):
        read_volume(header)


@pytest.mark.parametrize("unit", ["um", "cm", "m", "inch"])
def test_another_unit_than_millimetres_is_refused(tmp_path: Path, itk: Any, unit: str) -> None:
    image = itk.GetImageFromArray(VALUES)
    for ending, mark, line in (
        ("mha", b"ElementDataFile", "DistanceUnits = {}\n"),
        ("nrrd", b"encoding", 'Space Units: "{0}" "{0}" "{0}"\n'),
    ):
        path = tmp_path / f"a.{ending}"
        itk.WriteImage(image, str(path))
        content = path.read_bytes()
        path.write_bytes(content.replace(mark, line.format("mm").encode() + mark, 1))
        np.testing.assert_array_equal(read_volume(path).spacing, [1, 1, 1])
        path.write_bytes(content.replace(mark, line.format(unit).encode() + mark, 1))
        with pytest.raises(DrifaError, match=f"the space unit '{unit}'; save it again in millimetres"):
            read_volume(path)


@pytest.mark.parametrize(
    ("ending", "before", "after", "field"),
    [
        ("nrrd", b"(0,0,1)", b"(0,0,nan)", "space directions"),
        ("nrrd", b"space origin: (0,", b"space origin: (inf,", "space origin"),
        ("mha", b"ElementSpacing = 1 ", b"ElementSpacing = nan ", "ElementSpacing"),
        ("mha", b"TransformMatrix = 1 ", b"TransformMatrix = 1e ", "TransformMatrix"),
    ],
)
def test_a_number_that_is_none_names_its_field(
    tmp_path: Path, itk: Any, ending: str, before: bytes, after: bytes, field: str
) -> None:
    path = tmp_path / f"a.{ending}"
    itk.WriteImage(itk.GetImageFromArray(VALUES), str(path))
    content = path.read_bytes()
    assert before in content
    path.write_bytes(content.replace(before, after))
    with pytest.raises(DrifaError, match=f"in the field '{field}' of its header, which is no finite number; correct") as caught:
        read_volume(path)
    assert "damaged" not in str(caught.value)


@pytest.mark.parametrize(
    ("directions", "message"),
    [
        ("(0,0,0) (0,1,0) (0,0,1)", "in the field 'space directions' .* axis 1 has no length"),
        ("(1,0,0) (0,1,0) ( -0 , 0.0 , 0 )", "axis 3 has no length, so that its orientation"),
        ("(1,0,0) (1e-300,0,0) (0,0,1)", "axis 2 has no length"),
        ("(1,0,0) (0,1,0) (2,0,0)", "are axes of one plane or line, so that its orientation is unknown; correct the field"),
        ("(1,1,0) (0,1,1) (1,2,1)", "are axes of one plane or line"),
    ],
)
def test_axes_of_no_length_and_of_one_plane_are_no_damage(tmp_path: Path, itk: Any, directions: str, message: str) -> None:
    path = tmp_path / "a.nrrd"
    itk.WriteImage(itk.GetImageFromArray(VALUES), str(path))
    content, right = path.read_bytes(), b"(1,0,0) (0,1,0) (0,0,1)"
    assert right in content
    path.write_bytes(content.replace(right, directions.encode()))
    with pytest.raises(DrifaError, match=message) as caught:
        read_volume(path)
    assert "damaged" not in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    "directions",
    ["() (,) (0,1,0)", "(none,0,0) (0,1,0) (0,0,1)", "(1", "(1 0 0) (0 1 0) (0 0 1)"],
)
def test_axes_that_cannot_be_read_end_in_one_sentence(tmp_path: Path, itk: Any, directions: str) -> None:
    path = tmp_path / "a.nrrd"
    itk.WriteImage(itk.GetImageFromArray(VALUES), str(path))
    path.write_bytes(path.read_bytes().replace(b"(1,0,0) (0,1,0) (0,0,1)", directions.encode()))
    with pytest.raises(DrifaError, match=r"a\.nrrd"):
        read_volume(path)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            ["spacings: nan nan nan"],
            "has 'nan' in the field 'spacings' of its header, so that the size of its voxels is unknown",
        ),
        (["spacings: 1 0 2"], "has '0' in the field 'spacings'"),
        (["spacings: 1 2 3", 'units: "um" "um" "um"'], "the space unit 'um'; save it again in millimetres"),
        (
            ["space: RAST", "space directions: (1,0,0,0) (0,1,0,0) (0,0,1,0)"],
            r"is of a rare kind \(ReadImageInformation: .*\): the file is complete, but",
        ),
        (
            ["space: right-anterior-superior-time", "space directions: (1,0,0,0) (0,1,0,0) (0,0,1,0)"],
            r"is of a rare kind \(ReadImageInformation: .*\): the file is complete, but",
        ),
    ],
)
def test_sides_of_voxels_are_known_and_nothing_is_called_damaged(
    tmp_path: Path, itk: Any, fields: list[str], message: str
) -> None:
    lines = ["NRRD0005", "type: int16", "dimension: 3", "sizes: 4 5 6", "endian: little", "encoding: raw", *fields, "", ""]
    (tmp_path / "a.nrrd").write_bytes("\n".join(lines).encode() + VALUES.tobytes())
    with pytest.raises(DrifaError, match=message):
        read_volume(tmp_path / "a.nrrd")
