"""The search for image files: what counts, what is passed over and told, and what is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from drifa.data.adapters.found import find_images, refuse_two
from drifa.data.adapters.prepare import ADAPTERS, prepare_folders
from drifa.data.study.study import Study
from drifa.errors import DrifaError
from tests.data.adapters.miniatures import Folder, write_images


def test_a_circle_of_links_ends(fake: Folder) -> None:
    folder = fake("folders")
    before = prepare_folders(folder).table
    (folder / "photo" / "benign" / "loop").symlink_to(folder, target_is_directory=True)
    assert prepare_folders(folder).table.equals(before)


def test_files_that_are_not_read_are_counted(tmp_path: Path) -> None:
    write_images(tmp_path, "a/1.png", "b/2.png")
    for name in ("a/3.webp", "a/IM0001", "b/IM0002"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "linked").symlink_to(tmp_path / "a", target_is_directory=True)
    notes = prepare_folders(tmp_path).notes
    assert "Not read: files of other kinds (2 without an ending, 1 *.webp; DICOM needs the ending .dcm)" in notes
    assert "1 linked folder (linked; name the folder that a link leads to)" in notes


def test_file_names_that_are_no_text_are_named(tmp_path: Path) -> None:
    write_images(tmp_path, "a/1.png", "b/2.png", "b/3\r.png")
    with pytest.raises(DrifaError, match=r"'b/3\\r.png'.*rename the file"):
        prepare_folders(tmp_path)
    (tmp_path / "b" / "3\r.png").rename(os.fsdecode(os.fsencode(tmp_path) + b"/b/\xff.png"))
    with pytest.raises(DrifaError, match=r"udcff.png'.*rename the file"):
        prepare_folders(tmp_path)


def test_file_names_in_any_script_and_with_any_space_are_kept(tmp_path: Path) -> None:
    names = ["a/Bild 1 \u00fc.png", "a/Screenshot 9.41\u202fAM.png", "b/\u56f3\u3000\u0661.png", "b/e\u0301\u00a0.png"]
    prepare_folders(write_images(tmp_path, *names)).save(tmp_path / "study")
    study = Study.load(tmp_path / "study")
    assert sorted(study.table["path"]) == sorted(names)
    study.check_files()


def test_image_files_are_found_at_any_depth_whatever_the_case_of_their_ending(tmp_path: Path) -> None:
    write_images(tmp_path, "b.png", "a/deep/2.JPG", "a/1.bmp", "a/._1.bmp")
    (tmp_path / "a" / "notes.txt").write_text("text")
    assert find_images(tmp_path).files == ("a/1.bmp", "a/deep/2.JPG", "b.png")
    assert find_images(tmp_path).hidden == ("a/._1.bmp",)
    assert find_images(tmp_path, (".txt",)).files == ("a/notes.txt",)
    assert find_images(tmp_path, (".jpg", ".png")).told() == " Not read: files of other kinds (1 *.bmp, 1 *.txt)."
    assert find_images(tmp_path / "a" / "deep").told() == ""


def test_a_linked_file_counts_and_one_that_leads_nowhere_is_named(tmp_path: Path) -> None:
    write_images(tmp_path, "a/1.png")
    (tmp_path / "a" / "2.png").symlink_to("1.png")
    assert find_images(tmp_path).files == ("a/1.png", "a/2.png")
    (tmp_path / "a" / "1.png").unlink()
    with pytest.raises(DrifaError, match=r"a/2\.png cannot be read \(No such file.*mend or remove the link"):
        find_images(tmp_path)


@pytest.mark.parametrize(
    "folder",
    [
        "@eaDir",
        "#recycle",
        "$RECYCLE.BIN",
        "__MACOSX",
        ".ipynb_checkpoints",
        "@eaDir/1.png",
        "a/.thumbnails",
        "a/@Recently-Snapshot",
        "RECYCLED",
        "RECYCLER",
        "Recycle Bin",
        "~snapshot",
        "System Volume Information",
    ],
)
def test_what_programs_keep_for_themselves_is_no_image_and_counted(tmp_path: Path, folder: str) -> None:
    found = find_images(write_images(tmp_path, "a/1.png", f"{folder}/2.png"))
    assert found.files == ("a/1.png",)
    assert "1 file that programs keep for themselves" in found.told()


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        ("a/benign (1).png", "a/benign (1)_mask.png"),
        ("a/benign (1).png", "a/benign (1)_mask_1.png"),
        ("a/ISIC_0000001.jpg", "a/ISIC_0000001_superpixels.png"),
        ("Input/ISIC_1.jpg", "ISIC2018_Task1_Training_GroundTruth/ISIC_1_segmentation.png"),
        ("images/1.png", "masks/1.png"),
        ("a/img_001.png", "a/mask_001.png"),
        ("P1/image.png", "P1/mask.png"),
        ("a/x.jpg", "a/thumb_x.jpg"),
        ("a/x.jpg", "a/tn_x.jpg"),
        ("a/x.jpg", "a/x_thumb.jpg"),
        *(
            ("a/x 1.jpg", f"a/x 1{tail}.png")
            for tail in (
                *("_lesion", "_attribute_globules", "_attribute_milia_like_cyst", "_mask2", "-seg3", "_lesion_2", "_masked"),
                *("_segmented", "_annot", "_annotator1", "_labelmap", "_binary", "_bw", "_outline", "_overlayed", "_GradCAM"),
                *(
                    "_grad-cam",
                    "_bbox",
                    "_lesionmask",
                    "_lesion_mask",
                    "_small",
                    "_vis",
                    "_a0mask",
                    "_1mask",
                    "-checkpoint",
                    ".Mask2",
                    "_tumor_mask",
                    "_left_lung_mask",
                    "_lungMask",
                    "_0_mask",
                    "_pred_mask",
                    "_predicted",
                    "_anno",
                ),
            )
        ),
        ("set segmentation/images/1.png", "set segmentation/masks/1.png"),
    ],
)
def test_a_mask_beside_the_image_of_its_name_is_no_image(tmp_path: Path, image: str, mask: str) -> None:
    found = find_images(write_images(tmp_path, image, mask))
    assert (found.files, found.masks) == ((image,), (mask,))
    assert f"1 mask or drawing beside the image of its name ({mask})" in found.told()
    assert set(find_images(tmp_path, masks=True).files) == {image, mask}


@pytest.mark.parametrize(
    "names",
    [
        ("with_mask/1.png", "without_mask/1.png"),
        ("a/1_mask.png", "a/2.png"),
        ("a/1.png", "b/1.png"),
        ("a/1.png", "b/1_lesion.png"),
        ("a/1.png", "a/1_2.png"),
        ("a/1.png", "a/10_small.png"),
        ("a/1.png", "a/1_lesion_left.png"),
        ("a/1.png", "a/1small.png"),
        ("a/1.png", "a/tn_2.png"),
        ("a/1.png", "a/tn1.png"),
        ("a/1.png", "b/1_vis.png"),
        ("a/1.png", "a/1_unmask.png"),
        ("lesion/1.png", "normal/1.png"),
        ("small/1.png", "x/small.png"),
    ],
)
def test_a_word_alone_makes_no_mask(tmp_path: Path, names: tuple[str, str]) -> None:
    assert find_images(write_images(tmp_path, *names)).files == names


def test_copies_of_a_file_are_counted_and_two_different_ones_refused(tmp_path: Path) -> None:
    names = ["a/1.png", "b/1.png"]
    assert refuse_two(write_images(tmp_path, *names), names, ["1", "1"]) == 1
    (tmp_path / "b" / "1.png").write_bytes(b"x")
    with pytest.raises(DrifaError, match=r"a/1\.png and b/1\.png below .* are two different files of '1'; move one"):
        refuse_two(tmp_path, names, ["1", "1"])


@pytest.mark.parametrize(
    "name",
    [
        *("x - Copy", "x - Kopie (2)", "x copy", "x copy 2", "x (1)", "Copy of x", "x (conflicted copy 2021-01-01)"),
        "x.sync-conflict-20240101-010101-ABC",
    ],
)
def test_a_copy_that_a_program_named_is_no_second_image_if_its_bytes_are_the_same(tmp_path: Path, name: str) -> None:
    write_images(tmp_path, "a/x.png", "a/y.png")
    (tmp_path / f"a/{name}.png").write_bytes((tmp_path / "a/x.png").read_bytes())
    found = find_images(tmp_path)
    assert (found.files, found.copies) == (("a/x.png", "a/y.png"), (f"a/{name}.png",))
    assert f"1 copy of the file beside it (a/{name}.png)" in found.told()
    (tmp_path / f"a/{name}.png").write_bytes((tmp_path / "a/x.png").read_bytes() + b"other")
    assert f"a/{name}.png" in find_images(tmp_path).files
    (tmp_path / "a/x.png").rename(tmp_path / "a/z.png")
    assert len(find_images(tmp_path).files) == 3


@pytest.mark.parametrize("name", sorted(ADAPTERS))
def test_every_adapter_says_that_a_folder_of_links_was_not_entered(fake: Folder, tmp_path: Path, name: str) -> None:
    real = fake(name) if name != "brats" else write_images(tmp_path / "real", "x/1.png")
    links = tmp_path / "links"
    links.mkdir()
    for path in real.iterdir():
        (links / path.name).symlink_to(path)
    with pytest.raises(DrifaError, match=r"[^.]\. Not read: .*linked folders? .*name the folder that a link leads to"):
        ADAPTERS[name].prepare(links)
