"""Images that do not look like the others: blank, or of another kind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from drifa.data.audit import audit
from drifa.data.audit.outliers import blank_findings, kind_findings
from drifa.data.audit.reading import read_study
from tests.data.audit.made import make, only, picture


def test_blank_images_and_images_of_another_kind_are_warnings(tmp_path: Path) -> None:
    study = make(tmp_path)
    for number in range(60):
        Image.fromarray(picture(number)[:, :, 0]).save(tmp_path / f"{number:03d}.png")
    Image.fromarray(np.full((48, 48), 7, dtype=np.uint8)).save(tmp_path / "003.png")
    Image.fromarray(picture(9)).save(tmp_path / "009.png")
    result = audit(study)
    assert only(result, "blank").files == ("003.png",)
    assert only(result, "wrong_modality").files == ("009.png",)


def test_a_modality_of_few_images_has_no_bulk_to_judge_them_by(tmp_path: Path) -> None:
    for count, expected in ((49, set()), (50, {"wrong_modality"})):
        study = make(tmp_path / str(count), count=count)
        Image.fromarray(picture(7)[:, :, 0]).save(tmp_path / str(count) / "007.png")
        found = list(kind_findings(study, read_study(study)))
        assert {one.rule for one in found} == expected
        assert {file for one in found for file in one.files} == ({"007.png"} if expected else set())


def test_a_picture_is_blank_by_the_share_of_its_commonest_grey_value(tmp_path: Path) -> None:
    study = make(tmp_path, count=12)
    for number, share in enumerate((0.99, 0.996)):
        pixels = np.full(100 * 100, 90, dtype=np.uint8)
        pixels[: round((1 - share) * len(pixels))] = 200
        Image.fromarray(pixels.reshape(100, 100)).save(tmp_path / f"{number:03d}.png")
    (one,) = blank_findings(study, read_study(study))
    assert one.files == ("001.png",)
