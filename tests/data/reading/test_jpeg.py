"""A JPEG's header tells its kind and its end before anything is decoded."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.encaps import get_frame

from drifa.data.reading.images import read_image, resize
from drifa.data.reading.jpeg import MOST_SCANS, pixel_segments, survey, with_whole_spectrum
from drifa.errors import DrifaError

PIXELS = resize(np.random.default_rng(0).integers(0, 256, (3, 3, 3), dtype=np.uint8), 40)


def _jpeg(**options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(PIXELS).save(buffer, "JPEG", **options)
    return buffer.getvalue()


def _frame(name: str) -> bytes:
    path = get_testdata_file(name, download=False)
    if path is None:
        pytest.skip(f"pydicom ships no {name} here")
    return get_frame(dcmread(path).PixelData, 0, number_of_frames=1)


def _segment(marker: int, body: bytes) -> bytes:
    return bytes([0xFF, marker]) + (len(body) + 2).to_bytes(2, "big") + body


def test_the_kind_is_read_from_the_frame_header() -> None:
    plain = survey(_jpeg())
    assert (plain.process, plain.precision, plain.components, plain.scans, plain.complete) == (0xC0, 8, 3, 1, True)
    progressive = survey(_jpeg(progressive=True))
    assert progressive.process == 0xC2
    assert 5 < progressive.scans < 20
    twelve = survey(_frame("JPEG-lossy.dcm"))
    assert (twelve.process, twelve.precision, twelve.complete) == (0xC1, 12, True)
    assert twelve.kind == "extended JPEG of 12 bits and 1 channels"
    assert survey(_frame("MR_small_jpeg_ls_lossless.dcm")).process == 0xF7


def test_the_end_is_found_and_what_follows_it_plays_no_part() -> None:
    content = _jpeg(progressive=True)
    assert survey(content + content) == survey(content)
    for length in (2, 3, 20, 200, len(content) // 2, len(content) - 2):
        assert not survey(content[:length]).complete


def test_scans_of_sequential_files_are_said_to_be_whole_and_nothing_else_is_touched() -> None:
    odd = _frame("JPEG-lossy.dcm")
    mended = with_whole_spectrum(odd)
    changed = np.flatnonzero(np.frombuffer(odd, np.uint8) != np.frombuffer(mended, np.uint8))
    scan = odd.index(b"\xff\xda")
    np.testing.assert_array_equal(changed, [scan + 8])
    assert (odd[scan + 8], mended[scan + 8]) == (0, 63)
    for content in (mended, _jpeg(), _jpeg(progressive=True), _frame("MR_small_jpeg_ls_lossless.dcm"), odd[: scan + 7]):
        assert with_whole_spectrum(content) == content


def test_a_kind_that_is_not_read_is_not_called_damaged(tmp_path: Path) -> None:
    for name, kind in (
        ("JPEG-lossy.dcm", "extended JPEG of 12 bits"),
        ("MR_small_jpeg_ls_lossless.dcm", "JPEG-LS JPEG of 16 bits"),
    ):
        (tmp_path / "a.jpg").write_bytes(_frame(name))
        with pytest.raises(DrifaError, match=rf"is a {kind} and 1 channels: the file is complete.*convert it to PNG"):
            read_image(tmp_path / "a.jpg", 1)


def test_a_file_of_thousands_of_scans_is_refused_before_it_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = _jpeg(progressive=True)
    last = content.rindex(b"\xff\xda")
    (tmp_path / "a.jpg").write_bytes(content[:-2] + content[last:-2] * 3000 + b"\xff\xd9")
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda *_: pytest.fail("the scans were decoded"))
    with pytest.raises(DrifaError, match=rf"a JPEG of 30\d\d scans, more than {MOST_SCANS}"):
        read_image(tmp_path / "a.jpg", 3)


@pytest.mark.parametrize(
    ("marker", "body"),
    [
        (0xE0, b"JFIF\0"),
        (0xE1, b"Exif\0\0nonsense"),
        (0xE1, b"http://ns.adobe.com/xap/1.0/\0\xff\xfe"),
        (0xE2, b"ICC_PROFILE\0"),
        (0xED, b"Photoshop 3.0\x008BIM\x04\x04"),
        (0xEE, b"Adobe\0"),
        (0xFE, b""),
    ],
)
def test_odd_notes_leave_the_pixels_as_they_are(tmp_path: Path, marker: int, body: bytes) -> None:
    content = _jpeg()
    (tmp_path / "a.jpg").write_bytes(content)
    expected = read_image(tmp_path / "a.jpg", 3)
    (tmp_path / "a.jpg").write_bytes(content[:20] + _segment(marker, body) + content[20:])
    np.testing.assert_array_equal(read_image(tmp_path / "a.jpg", 3), expected)


def test_rotation_and_colour_transform_survive(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    (tmp_path / "a.jpg").write_bytes(_jpeg(exif=exif, comment=b"a scan", quality=100, subsampling=0))
    assert np.abs(read_image(tmp_path / "a.jpg", 3).astype(int) - np.rot90(PIXELS, -1)).max() < 8
    buffer = io.BytesIO()
    Image.fromarray(PIXELS).convert("CMYK").save(buffer, "JPEG", quality=100)
    kept = pixel_segments(buffer.getvalue())
    assert b"Adobe" in kept
    (tmp_path / "b.jpg").write_bytes(buffer.getvalue())
    assert np.abs(read_image(tmp_path / "b.jpg", 3).astype(int) - PIXELS).mean() < 4


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_a_tail_of_zeros_is_damage_and_never_grey(tmp_path: Path, progressive: bool, share: float) -> None:
    whole = _jpeg(progressive=progressive)
    kept = int(len(whole) * share)
    (tmp_path / "a.jpg").write_bytes(whole[:kept] + bytes(len(whole) - kept))
    with pytest.raises(DrifaError, match="damaged or cut short"):
        read_image(tmp_path / "a.jpg", 3)
