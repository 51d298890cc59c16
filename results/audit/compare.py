"""Near duplicates by `drifa data audit` beside other tools: planted copies found, pairs that are known to be right, seconds.

pip install cleanvision imagededup vision-data-doctor
python results/audit/compare.py STUDIES [IMAGES]

STUDIES holds prepared studies by name. Of each, IMAGES random ones (1000) and six kinds of copies of 40 of them go into one
folder, in which every tool looks by its defaults. A flagged pair is known to be right where both are of one picture or of one
group; the others are counted and not judged. Writes compare.json and compare.md beside this file.
"""

from __future__ import annotations

import contextlib
import io
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageEnhance

from drifa.data import Study, prepare
from drifa.data.audit.pairs import study_pairs
from drifa.data.audit.reading import read_study
from drifa.files import write_json, write_text

HERE, PLANTED, SEED = Path(__file__).parent, 40, 0
NAMES = ("ham10000", "sipakmed", "nickparvar", "iqothnccd")
Pairs = set[frozenset[str]]


def cropped(image: Image.Image) -> Image.Image:
    width, height = image.size
    return image.crop((width // 50, height // 50, width - width // 50, height - height // 50)).resize(image.size)


def shifted(image: Image.Image) -> Image.Image:
    array = np.asarray(image)
    rows, columns = (max(1, round(0.015 * side)) for side in array.shape[:2])
    moved = np.pad(array, ((rows, 0), (columns, 0), (0, 0)), mode="edge")[: array.shape[0], : array.shape[1]]
    return Image.fromarray(moved)


#: Kind of copy -> what is done, and the quality of the JPEG file.
KINDS: dict[str, tuple[Callable[[Image.Image], Image.Image], int]] = {
    "jpeg": (lambda image: image, 40),
    "crop": (cropped, 95),
    "small": (lambda image: image.resize((max(1, image.width * 7 // 10), max(1, image.height * 7 // 10))), 90),
    "shift": (shifted, 85),
    "bright": (lambda image: ImageEnhance.Brightness(image).enhance(1.2), 90),
    "mirror": (lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT), 90),
}


def drifa_pairs(folder: Path) -> Pairs:
    with tempfile.TemporaryDirectory() as out:
        for place, path in enumerate(sorted(folder.iterdir())):
            own = Path(out) / "raw" / ("odd" if place % 2 else "even")  # classes, which a study needs, and which mean nothing
            own.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, own / path.name)
        study = prepare("folders", Path(out) / "raw", Path(out) / "study")
        facts = read_study(study)
        found = study_pairs(study, facts.thumbnails, facts.digests)
        names = [Path(path).name for path in study.table["path"]]
        return {frozenset((names[pair.first], names[pair.second])) for pair in found}


def imagededup_pairs(folder: Path, method: str) -> Pairs:
    from imagededup import methods

    found = getattr(methods, method)(verbose=False).find_duplicates(image_dir=str(folder))
    return {frozenset((one, other)) for one, others in found.items() for other in others if one != other}


def cleanvision_pairs(folder: Path) -> Pairs:
    from cleanvision import Imagelab

    lab = Imagelab(data_path=str(folder), verbose=False)
    lab.find_issues({"near_duplicates": {}, "exact_duplicates": {}}, n_jobs=1, verbose=False)
    found: Pairs = set()
    for kind in ("near_duplicates", "exact_duplicates"):
        for some in lab.info[kind]["sets"]:
            names = sorted(Path(path).name for path in some)
            found |= {frozenset((one, other)) for k, one in enumerate(names) for other in names[k + 1 :]}
    return found


def doctor_pairs(folder: Path) -> Pairs:
    from data_doctor.scan import scan_directory

    result = scan_directory(folder)
    pairs = {frozenset((Path(pair["a"]).name, Path(pair["b"]).name)) for pair in result.near_duplicate_pairs}
    for some in result.exact_duplicate_groups:
        names = sorted(Path(path).name for path in some)
        pairs |= {frozenset((one, other)) for k, one in enumerate(names) for other in names[k + 1 :]}
    return pairs


TOOLS: dict[str, Callable[[Path], Pairs]] = {
    "drifa": drifa_pairs,
    "imagededup PHash": lambda folder: imagededup_pairs(folder, "PHash"),
    "imagededup DHash": lambda folder: imagededup_pairs(folder, "DHash"),
    "cleanvision": cleanvision_pairs,
    "vision-data-doctor": doctor_pairs,
}


def made(study: Study, folder: Path, count: int) -> tuple[dict[str, str], dict[str, str]]:
    """Writes originals and copies; file name -> the original's name, and -> its group."""
    random = np.random.default_rng(SEED)
    rows = random.permutation(len(study.table))[:count]
    picture, group = {}, {}
    folder.mkdir(parents=True)
    for place, row in enumerate(rows.tolist()):
        path = study.image_path(row)
        assert path is not None
        name = f"o{place:05}{path.suffix.lower()}"
        shutil.copy(path, folder / name)
        picture[name], group[name] = name, str(study.table["group"].iloc[row])
        if place < PLANTED:
            with Image.open(path) as opened:
                image = opened.convert("RGB")
            for kind, (change, quality) in KINDS.items():
                copy = f"p{place:05}-{kind}.jpg"
                change(image).save(folder / copy, quality=quality)
                picture[copy], group[copy] = name, group[name]
    return picture, group


def judged(pairs: Pairs, picture: dict[str, str], group: dict[str, str]) -> dict[str, Any]:
    recall = {
        kind: sum(frozenset((one, name)) in pairs for name, one in picture.items() if name.endswith(f"-{kind}.jpg")) / PLANTED
        for kind in KINDS
    }
    other = [pair for pair in pairs if len({picture[name] for name in pair}) == 2]
    same = sum(len({group[name] for name in pair}) == 1 for pair in other)
    return {"recall": recall, "pairs": len(pairs), "natural": len(other), "natural_of_one_group": same}


def main() -> None:
    studies, count = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1000
    found: dict[str, Any] = {}
    for name in NAMES:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place) / "all" / "images"
            picture, group = made(Study.load(studies / name), folder, count)
            for tool, look in TOOLS.items():
                begin = time.perf_counter()
                with contextlib.redirect_stdout(io.StringIO()):
                    pairs = look(folder)
                seconds = time.perf_counter() - begin
                found.setdefault(name, {})[tool] = {"files": len(picture), "seconds": seconds, **judged(pairs, picture, group)}
                print(name, tool, found[name][tool], flush=True)
    about = {"date": datetime.now(UTC).isoformat(timespec="seconds"), "seed": SEED}
    about |= {tool: version(tool) for tool in ("drifa", "imagededup", "cleanvision", "vision-data-doctor")}
    write_json(HERE / "compare.json", {"about": about, "found": found})
    lines = [
        "# Beside other tools",
        "",
        f"Made by `python results/audit/compare.py STUDIES {count}`, {about['date'][:10]}, drifa {about['drifa']}, imagededup",
        f"{about['imagededup']}, cleanvision {about['cleanvision']}, each by its defaults. Of each dataset {count} random",
        f"images and six copies of {PLANTED} of them: JPEG quality 40; cropped by 2 % at each side; shrunk to 70 %; shifted by",
        "1.5 %; 20 % brighter; mirrored. Recall is of planted copies. Natural pairs are those that nobody planted; *of one",
        "group* are those within one lesion (HAM10000) or cluster image (SIPaKMeD); groups of the other two sets were joined",
        "by the audit itself (`--fix groups`), so that theirs say nothing of who is right.",
        "",
        f"| dataset | tool | {' | '.join(KINDS)} | natural pairs | of one group | seconds |",
        "|---|---|" + "---|" * (len(KINDS) + 3),
    ]
    for name, tools in found.items():
        for tool, own in tools.items():
            recall = " | ".join(f"{own['recall'][kind]:.0%}" for kind in KINDS)
            lines.append(
                f"| {name} | {tool} | {recall} | {own['natural']} | {own['natural_of_one_group']} | {own['seconds']:.0f} |"
            )
    write_text(HERE / "compare.md", "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
