"""Near duplicates: a picture is found again however it was treated, and another picture is not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from drifa.data.audit import near_duplicates
from drifa.data.audit.alignment import turn
from drifa.data.audit.duplicates import components
from drifa.data.audit.pairs import _turn_code
from tests.data.audit.pictures import jpeg, scene


def _cropped(image: Image.Image) -> Image.Image:
    width, height = image.size
    return image.crop((round(0.02 * width), round(0.02 * height), width, height))


def _shifted(image: Image.Image) -> Image.Image:
    step = (1, 0, round(0.015 * image.width), 0, 1, round(0.015 * image.height))
    return image.transform(image.size, Image.Transform.AFFINE, step)


TREATMENTS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "re-encoded": jpeg,
    "smaller": lambda image: image.resize((image.width // 2, image.height // 2), Image.Resampling.BICUBIC),
    "larger": lambda image: image.resize((round(image.width * 1.7), round(image.height * 1.7)), Image.Resampling.BICUBIC),
    "cropped": _cropped,
    "shifted": _shifted,
    "brighter": lambda image: image.point([min(255, int(1.15 * value + 8)) for value in range(256)] * 3),
    "grey": lambda image: image.convert("L").convert("RGB"),
    "left to right": lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "upside down": lambda image: image.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
    "90 degrees": lambda image: image.transpose(Image.Transpose.ROTATE_90),
    "180 degrees": lambda image: image.transpose(Image.Transpose.ROTATE_180),
    "270 degrees": lambda image: image.transpose(Image.Transpose.ROTATE_270),
    "transposed": lambda image: image.transpose(Image.Transpose.TRANSPOSE),
    "turned, smaller, re-encoded": lambda image: jpeg(image.resize((90, 70)).transpose(Image.Transpose.ROTATE_90)),
}


def found(images: list[Image.Image]) -> set[tuple[int, int]]:
    return {(pair.first, pair.second) for pair in near_duplicates([np.asarray(image) for image in images])}


@pytest.mark.parametrize("treatment", TREATMENTS)
def test_a_treated_picture_is_found_and_no_other(treatment: str) -> None:
    originals = [scene(seed) for seed in range(40)]
    copies = [TREATMENTS[treatment](image) for image in originals[:4]]
    assert found([*originals, *copies]) == {(number, 40 + number) for number in range(4)}


@pytest.mark.parametrize(
    ("name", "pattern", "treated"),
    [
        ("ham10000", "*/*.jpg", ("re-encoded", "smaller", "cropped", "90 degrees", "left to right")),
        ("sipakmed", "*/*/CROPPED/*.jpg", ("re-encoded", "smaller", "cropped", "shifted", "transposed")),
        ("nickparvar", "Testing/*/*.jpg", ("re-encoded", "larger", "shifted", "left to right", "270 degrees")),
        ("iqothnccd", "*/*/*.jpg", ("re-encoded", "smaller", "shifted", "upside down")),
    ],
)
def test_treated_real_images_are_found(real: Callable[[str], Path], name: str, pattern: str, treated: tuple[str, ...]) -> None:
    files = sorted(real(name).glob(pattern))
    # Far apart in the folders, so that the originals are not copies of each other.
    originals = [Image.open(path).convert("RGB") for path in files[:: len(files) // 20][:20]]
    for key in treated:
        pairs = found([*originals, *(TREATMENTS[key](image) for image in originals)])
        planted = {(number, 20 + number) for number in range(20)}
        assert len(planted & pairs) >= 18, f"{key}: {sorted(planted - pairs)} not found"


def test_photos_of_ham10000_that_show_the_same_are_of_one_lesion(real: Callable[[str], Path]) -> None:
    import pandas as pd

    folder = real("ham10000")
    table = pd.read_csv(folder / "HAM10000_metadata.csv").set_index("image_id")
    paths = {path.stem: path for path in folder.rglob("ISIC_*.jpg")}
    table = table[table.index.isin(list(paths))]
    several = table[table.duplicated("lesion_id", keep=False)].sort_values("lesion_id").head(240)
    images = [np.asarray(Image.open(paths[name]).convert("RGB")) for name in several.index]
    lesion = several["lesion_id"].to_numpy()
    pairs = near_duplicates(images)
    assert len(pairs) >= 3
    assert sum(lesion[pair.first] == lesion[pair.second] for pair in pairs) >= 0.9 * len(pairs)


def test_twins_of_nickparvar_are_found_across_its_official_split(real: Callable[[str], Path]) -> None:
    folder = real("nickparvar")
    bytes_of: dict[bytes, Path] = {}
    twins = []
    for path in sorted(folder.glob("*/notumor/*.jpg")):
        content = path.read_bytes()
        if content in bytes_of:
            twins.append((bytes_of[content], path))
        bytes_of.setdefault(content, path)
    assert twins
    paths = [path for pair in twins[:20] for path in pair]
    pairs = found([Image.open(path).convert("RGB") for path in paths])
    owner = {member: part[0] for part in components(sorted(pairs), len(paths)) for member in part}
    assert all(owner[2 * number] == owner[2 * number + 1] for number in range(len(paths) // 2))


def test_pictures_without_structure_are_no_twins() -> None:
    flat = [np.full((50, 60), value, dtype=np.uint8) for value in (0, 0, 128, 255)]
    assert near_duplicates(flat) == []
    assert near_duplicates([]) == []
    assert near_duplicates([np.asarray(scene(0))]) == []


def test_the_answer_does_not_depend_on_the_order() -> None:
    images = [scene(seed) for seed in range(10)] + [jpeg(scene(3)), TREATMENTS["90 degrees"](scene(7))]
    order = np.random.default_rng(0).permutation(12)
    back = {tuple(sorted((int(order[a]), int(order[b])))) for a, b in found([images[number] for number in order])}
    assert back == found(images) == {(3, 10), (7, 11)}


@pytest.mark.parametrize("orientation", range(8))
def test_turning_the_cosine_transform_turns_the_picture(orientation: int) -> None:
    from scipy.fft import dctn

    pictures = np.random.default_rng(orientation).normal(size=(3, 16, 16))
    code = dctn(pictures, axes=(1, 2), norm="ortho")
    np.testing.assert_allclose(
        _turn_code(code, orientation), dctn(turn(pictures, orientation), axes=(1, 2), norm="ortho"), atol=1e-9
    )
