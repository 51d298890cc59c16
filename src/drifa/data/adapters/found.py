"""Which files below a folder are images of the user: one list of what is not, and words on what was passed over."""

from __future__ import annotations

import filecmp
import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from drifa.data.adapters.base import check_file
from drifa.data.reading.images import SUFFIXES, VOLUME_SUFFIXES
from drifa.errors import DrifaError, plural
from drifa.names import plain

#: Folders in which systems and programs keep copies of their own, in lower case; so are all whose name begins with a dot.
PROGRAM_FOLDERS = frozenset(
    """
    @eadir @tmp @recycle @recently-snapshot #recycle #snapshot ~snapshot _vti_cnf $recycle.bin recycler recycled lost+found
    __macosx __pycache__ .ipynb_checkpoints thumbnails thumbs thumbnail
    """.split()  # noqa: SIM905 - a dozen quoted words read worse
) | {"system volume information", "recycle bin", "network trash folder", "temporary items"}
#: Words in the name of a file or folder that make it a mask of, or a drawing on, the image of the same name without the word.
MASK_WORDS = frozenset(
    """
    mask masks seg segm segmentation segmentations superpixel superpixels groundtruth gt annotation annotations annotated
    overlay overlays contour contours heatmap heatmaps label labels roi rois thumb thumbs thumbnail thumbnails preview
    """.split()  # noqa: SIM905 - thirty quoted words read worse
)
# Words that make a file a mask or a drawing only behind the whole name of an image in its own folder: classes are named so too.
_TAILS = MASK_WORDS | frozenset(
    """
    lesion lesions lesionmask masked segmented labelmap labelmaps binary bw outline outlines outlined overlayed overlaid gradcam
    bbox bboxes small checkpoint vis anno annos pred predicted prediction
    """.split()  # noqa: SIM905 - twenty quoted words read worse
)
# Words that make it one wherever they stand behind the name: `x_left_lung_mask`.
_ANYWHERE = frozenset("mask masks masked seg segm segmentation segmentations segmented groundtruth gt overlay heatmap".split())  # noqa: SIM905
#: Of these, what is a region of the image, and no drawing.
_REGION_WORDS = frozenset("mask seg segm segmentation groundtruth gt lesion lesionmask labelmap".split())  # noqa: SIM905
#: Words that tell an image from its mask, and are no part of what the two share.
_IMAGE_WORDS = frozenset({"image", "images", "img", "photo", "orig", "original"})
# What systems put around the name of a copy, and programs that keep two disks alike.
_COPY = re.compile(
    r"^copy of | - (copy|kopie|copie|copia)( \(\d+\))?$| copy( \d+)?$| \(\d+\)$"
    r"|\.sync-conflict-[\w-]+$| \([^()]*conflicted copy[^()]*\)$",
    re.IGNORECASE,
)
# Control characters, and what Python makes of bytes that are no UTF-8. Rare spaces are text: screenshots of macOS have one.
_NO_TEXT = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclass(frozen=True)
class Found:
    """What a search found.

    Attributes:
        folder: Where it began.
        files: Paths of images, relative to the folder, with forward slashes, sorted.
        hidden: Images that programs keep for themselves.
        masks: Masks and drawings beside the images of their name.
        copies: Files that a program named as copies of another, which they equal byte for byte.
        links: Linked folders, which are not entered.
        endings: How many files have another ending.
    """

    folder: Path
    files: tuple[str, ...]
    hidden: tuple[str, ...] = ()
    masks: tuple[str, ...] = ()
    copies: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    endings: tuple[tuple[str, int], ...] = ()

    def told(self, endings: bool = True, after: str = "") -> str:
        """A sentence on what was passed over, and why; empty where there is nothing.

        Args:
            endings: Whether files of other kinds belong to it; data sets as published are full of them.
            after: What ends the sentence before it, where that is left open.
        """
        words = []
        if self.masks:
            words.append(
                plural(
                    len(self.masks),
                    "mask or drawing beside the image of its name",
                    "masks or drawings beside the images of their names",
                )
                + f" ({_listed(self.masks)})"
            )
        if self.copies:
            words.append(
                plural(len(self.copies), "copy of the file beside it", "copies of the files beside them")
                + f" ({_listed(self.copies)})"
            )
        if self.hidden:
            words.append(
                plural(len(self.hidden), "file that programs keep", "files that programs keep")
                + f" for themselves ({_listed(self.hidden)})"
            )
        if self.endings and endings:
            kinds = [f"{count} {f'*{end}' if end else 'without an ending'}" for end, count in self.endings]
            hint = "; DICOM needs the ending .dcm" if {end for end, _ in self.endings} & {"", ".ima"} else ""
            words.append(f"files of other kinds ({', '.join(kinds)}{hint})")
        if self.links:
            words.append(
                plural(len(self.links), "linked folder") + f" ({_listed(self.links)}; name the folder that a link leads to)"
            )
        return f"{after} Not read: {', '.join(words)}." if words else ""

    def told_of_regions(self) -> str:
        """A sentence on how masks in their images' folders become a task of regions; empty where there are none."""
        folders: dict[str, set[str]] = {}
        for path in self.files:
            folders.setdefault(str(PurePosixPath(path).parent), set()).add(_stem(PurePosixPath(path).name))
        tails: Counter[tuple[str, bool]] = Counter()
        for path in self.masks:
            pure = PurePosixPath(path)
            name, known = _stem(pure.name), folders.get(str(pure.parent), set())
            tail = next((name[cut:] for cut in range(len(name) - 1, 0, -1) if name[:cut] in known), "")
            if set(_words(tail)) & _REGION_WORDS:
                tails[tail, path.lower().endswith(VOLUME_SUFFIXES)] += 1
        if not tails:
            return ""
        (tail, volumes), _ = tails.most_common(1)[0]
        if not volumes:
            return " Masks become regions of volumes alone: to learn them, convert images and masks to .nii.gz."
        suffix = json.dumps(tail, ensure_ascii=False)
        return (
            f" To learn the masks as regions, add to the tasks of the mapping that `drifa init` writes: "
            f"`lesion: {{suffix: {suffix}, regions: {{lesion: [1]}}}}`, with the values in your masks."
        )


def find_images(folder: Path, suffixes: tuple[str, ...] = SUFFIXES, masks: bool = False) -> Found:
    """Looks for the image files below a folder.

    Linked folders are not entered, so a circle of links ends the search nowhere; linked files count.

    Args:
        folder: Where to look.
        suffixes: Endings in lower case.
        masks: Whether masks beside images belong to what is looked for.

    Raises:
        DrifaError: A folder cannot be read, a linked file leads nowhere, or a name holds signs that are no text.
    """
    found, hidden, links = [], [], []
    endings: Counter[str] = Counter()
    for parent, folders, names in os.walk(folder, onerror=_unreadable):
        relative = Path(parent).relative_to(folder)
        own = any(part.startswith(".") or part.lower() in PROGRAM_FOLDERS for part in relative.parts)
        links += [(relative / name).as_posix() for name in folders if os.path.islink(os.path.join(parent, name))]
        for name in names:
            path = (relative / name).as_posix()
            if not name.lower().endswith(suffixes):
                endings[os.path.splitext(name)[1].lower()] += not own and name[0] != "."
                continue
            # macOS leaves `._X.jpg` beside every X.jpg that it copies.
            if own or name[0] == ".":
                hidden.append(path)
                continue
            if os.path.islink(folder / path):
                check_file(folder / path, "mend or remove the link")
            found.append(path)
            if _NO_TEXT.search(path):
                raise DrifaError(f"the name of {path!r} below {folder} cannot stand in a table; rename the file")
    drawn = set() if masks else _masks(found) | _derived(found)
    copies = _copies(folder, found) - drawn
    return Found(
        folder,
        tuple(sorted(path for path in found if path not in drawn and path not in copies)),
        tuple(sorted(hidden)),
        tuple(sorted(drawn)),
        tuple(sorted(copies)),
        tuple(sorted(links)),
        tuple(sorted((end, count) for end, count in endings.items() if count)),
    )


def refuse_two(folder: Path, paths: Sequence[str], names: Iterable[str]) -> int:
    """Looks whether paths that have one name are copies of one file.

    Args:
        folder: What the paths count from.
        paths: Of images.
        names: What each of them is an image of.

    Returns:
        How many are further copies.

    Raises:
        DrifaError: Two files of one name differ; names both.
    """
    first: dict[str, str] = {}
    copies = 0
    for path, name in zip(paths, names, strict=True):
        other = first.setdefault(name, path)
        if other == path:
            continue
        copies += 1
        if not filecmp.cmp(folder / other, folder / path, shallow=False):
            raise DrifaError(f"{other} and {path} below {folder} are two different files of {name!r}; move one of them away")
    return copies


def _masks(paths: Sequence[str]) -> set[str]:
    """Masks and drawings: what has more words for them in its path than another file that is otherwise called the same."""
    fewest: dict[str, int] = {}
    read = {}
    for path in paths:
        pure = PurePosixPath(path)
        marks = sum(bool(MASK_WORDS & set(_words(part))) for part in pure.parts[:-1])
        words = _words(_stem(pure.name))
        bare = [word for word in words if word not in MASK_WORDS and word not in _IMAGE_WORDS]
        keys = {" ".join(bare)}
        if len(bare) < len(words) and words[-1].isdigit() and len(words) > 1 and words[-2] in MASK_WORDS:
            keys.add(" ".join(bare[:-1]))  # the second mask of one image: x_mask_2
        marks += bool(MASK_WORDS & set(words))
        if not bare:
            keys = {f"/{pure.parent}"}  # image.png and mask.png in the folder of a case
        read[path] = marks, keys
        own = " ".join(bare) or f"/{pure.parent}"
        fewest[own] = min(marks, fewest.get(own, marks))
    return {path for path, (marks, keys) in read.items() if any(fewest.get(key, marks) < marks for key in keys if key)}


def _derived(paths: Sequence[str]) -> set[str]:
    """Pictures made of another one in their folder, by words at its name: `x_lesion`, `x_mask2`, `tn_x`."""
    names = {path: (PurePosixPath(path).parent, plain(_stem(PurePosixPath(path).name)).casefold()) for path in paths}
    known = set(names.values())
    return {path for path, (folder, name) in names.items() if any((folder, base) in known for base in _bases(name))}


def _copies(folder: Path, paths: Sequence[str]) -> set[str]:
    """Files named by a program as copies of one beside them, with the same bytes: `x - Copy.png`, `x (1).png`."""
    known, copies = set(paths), set()
    for path in paths:
        pure = PurePosixPath(path)
        bare = _COPY.sub("", pure.stem)
        first = str(pure.with_name(bare + pure.suffix)) if bare and bare != pure.stem else ""
        if first in known and filecmp.cmp(folder / first, folder / path, shallow=False):
            copies.add(path)
    return copies


def _bases(name: str) -> Iterator[str]:
    """What a name would be without the words around it that no image has."""
    name = re.sub(r"grad[\s_-]+cam", "gradcam", name)
    if re.match(r"tn[_-]", name):
        yield name[3:]
    for cut in re.finditer(r"[\s_.-]+", name):
        first, *others = re.split(r"[\s_.-]+", name[cut.end() :])
        attribute = first in ("attribute", "attributes")
        drawn = any(
            word.rstrip("0123456789") in _ANYWHERE or re.fullmatch(r"(?!un)[a-z]+masks?", word) for word in (first, *others)
        )
        if attribute or drawn or (_is_tail(first) and all(word.isdigit() or _is_tail(word) for word in others)):
            yield name[: cut.start()]


def _is_tail(word: str) -> bool:
    if re.fullmatch(r"[a-z]?[0-9]+masks?", word):  # x_a0mask: the mask of one annotator
        return True
    word = word.rstrip("0123456789")
    return word in _TAILS or word.startswith("annot")


def _words(name: str) -> list[str]:
    """The words of a name in lower case, parted by signs and by a change from small to capital letters."""
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", plain(name)).lower()
    return re.sub(r"ground[\s_-]*truth", "groundtruth", parted).replace("_", " ").translate(_SIGNS).split()


_SIGNS = str.maketrans(dict.fromkeys("-.,;()[]{}+#=~", " "))


def _stem(name: str) -> str:
    return re.sub(r"\.(nii\.gz|[^.]*)$", "", name, flags=re.IGNORECASE)


def _listed(paths: Sequence[str]) -> str:
    return ", ".join(paths[:2]) + (", …" if len(paths) > 2 else "")


def _unreadable(error: OSError) -> None:
    raise DrifaError(f"folder {error.filename} cannot be read ({error.strerror}); correct its permissions, or move it away")
