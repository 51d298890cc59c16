"""Near duplicates by `drifa data audit` beside other tools: planted copies found, pairs that are known to be right, seconds.

pip install cleanvision imagededup vision-data-doctor
python results/audit/compare.py STUDIES [IMAGES] [--sheets FOLDER]

STUDIES holds prepared studies by name. Of each, IMAGES random ones (1000) and six kinds of copies of 40 of them go into one
folder, in which every tool looks by its defaults. Of the pairs that nobody planted, SAMPLE are drawn for each tool and judged
by eye: `--sheets FOLDER` shows those that hand.csv does not judge yet, in mixed order and without the tools' names, and adds
them there with an empty verdict, to be filled in: `same` (one picture, or one object twice: other focus, crop or retouching),
`near` (neighbouring slices of what seems one patient), `other`. Writes compare.json and compare.md beside this file.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import io
import shutil
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance

from drifa.data import Study, prepare
from drifa.data.audit.pairs import study_pairs
from drifa.data.audit.reading import read_study
from drifa.files import write_json, write_text
from drifa.metrics.curves import wilson_interval

HERE, PLANTED, SEED = Path(__file__).parent, 40, 0
HAND, SAMPLE, VERDICTS = HERE / "hand.csv", 20, ("same", "near", "other")
NAMES = ("ham10000", "sipakmed", "nickparvar", "iqothnccd")
Pairs = set[frozenset[str]]
#: Dataset, and two paths in their order -> verdict.
Verdicts = dict[tuple[str, str, str], str]


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


def made(study: Study, folder: Path, count: int) -> tuple[dict[str, str], dict[str, str], dict[str, Path]]:
    """Writes originals and copies; file name -> the original's name, -> its group, and -> the study's file."""
    random = np.random.default_rng(SEED)
    rows = random.permutation(len(study.table))[:count]
    picture, group, source = {}, {}, {}
    folder.mkdir(parents=True)
    for place, row in enumerate(rows.tolist()):
        path = study.image_path(row)
        assert path is not None
        name = f"o{place:05}{path.suffix.lower()}"
        shutil.copy(path, folder / name)
        picture[name], group[name], source[name] = name, str(study.table["group"].iloc[row]), path
        if place < PLANTED:
            with Image.open(path) as opened:
                image = opened.convert("RGB")
            for kind, (change, quality) in KINDS.items():
                copy = f"p{place:05}-{kind}.jpg"
                change(image).save(folder / copy, quality=quality)
                picture[copy], group[copy] = name, group[name]
    return picture, group, source


def drawn(pairs: Pairs, picture: dict[str, str], source: dict[str, Path]) -> list[tuple[Path, Path]]:
    """SAMPLE of the pairs of two pictures that nobody copied, or all where there are fewer."""
    natural = sorted(tuple(sorted(pair)) for pair in pairs if all(name in source for name in pair))
    random = np.random.default_rng(SEED).permutation(len(natural))[:SAMPLE]
    return [(source[natural[k][0]], source[natural[k][1]]) for k in sorted(random.tolist())]


def key(name: str, pair: tuple[Path, Path]) -> tuple[str, str, str]:
    first, second = sorted("/".join(path.parts[-2:]) for path in pair)
    return name, first, second


def read_verdicts() -> Verdicts:
    if not HAND.exists():
        return {}
    with HAND.open(encoding="utf-8", newline="") as file:
        return {(row["dataset"], row["first"], row["second"]): row["verdict"] for row in csv.DictReader(file)}


def show(pairs: list[tuple[Path, Path]], first: int, out: Path) -> None:
    """A sheet of pairs, each with its number in hand.csv."""
    side, columns = 150, 5
    sheet = Image.new("RGB", (columns * (2 * side + 20), -(-len(pairs) // columns) * (side + 20)), "white")
    draw = ImageDraw.Draw(sheet)
    for place, pair in enumerate(pairs):
        left, top = place % columns * (2 * side + 20), place // columns * (side + 20)
        draw.text((left + 4, top + 4), str(first + place), fill="black")
        for k, path in enumerate(pair):
            with Image.open(path) as image:
                sheet.paste(image.convert("RGB").resize((side, side)), (left + k * (side + 2), top + 18))
    sheet.save(out)


def ask(open_pairs: dict[tuple[str, str, str], tuple[Path, Path]], verdicts: Verdicts, folder: Path) -> None:
    """Sheets of 30 pairs of one dataset, in mixed order, and their rows in hand.csv."""
    folder.mkdir(parents=True, exist_ok=True)
    order = np.random.default_rng(SEED).permutation(len(open_pairs)).tolist()
    keys = sorted((list(open_pairs)[k] for k in order), key=lambda one: NAMES.index(one[0]))
    number = len(verdicts) + 2
    for name in NAMES:
        some = [one for one in keys if one[0] == name]
        for place in range(0, len(some), 30):
            part = some[place : place + 30]
            show([open_pairs[one] for one in part], number, folder / f"{name}-{number}.png")
            number += len(part)
    write_verdicts(verdicts | dict.fromkeys(keys, ""))


def write_verdicts(verdicts: Verdicts) -> None:
    with HAND.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("dataset", "first", "second", "verdict"))
        writer.writerows((*pair, verdict) for pair, verdict in verdicts.items())


def judged(pairs: Pairs, picture: dict[str, str], group: dict[str, str]) -> dict[str, Any]:
    recall = {
        kind: sum(frozenset((one, name)) in pairs for name, one in picture.items() if name.endswith(f"-{kind}.jpg")) / PLANTED
        for kind in KINDS
    }
    other = [pair for pair in pairs if len({picture[name] for name in pair}) == 2]
    same = sum(len({group[name] for name in pair}) == 1 for pair in other)
    return {"recall": recall, "pairs": len(pairs), "natural": len(other), "natural_of_one_group": same}


def by_hand(name: str, pairs: list[tuple[Path, Path]], verdicts: Verdicts) -> dict[str, Any]:
    """Counts of the verdicts on drawn pairs, and the 95 % interval of the share of right ones."""
    given = [verdicts.get(key(name, pair), "") for pair in pairs]
    counts = {verdict: given.count(verdict) for verdict in VERDICTS}
    if not pairs or sum(counts.values()) < len(pairs):
        return {"drawn": len(pairs), **counts}
    right = (counts["same"] + counts["near"]) / len(pairs)
    return {"drawn": len(pairs), **counts, "right": [right, *wilson_interval(right, len(pairs))]}


def told(own: dict[str, Any]) -> str:
    hand = own["by_hand"]
    if not hand["drawn"]:
        return "– | –"
    share, low, high = hand["right"]
    return f"{hand['same']} + {hand['near']} of {hand['drawn']} | {share:.0%} [{low:.0%}, {high:.0%}]"


def main() -> None:
    words = argparse.ArgumentParser()
    words.add_argument("studies", type=Path)
    words.add_argument("images", type=int, nargs="?", default=1000)
    words.add_argument("--sheets", type=Path)
    asked = words.parse_args()
    verdicts = read_verdicts()
    if asked.sheets is None and "" in verdicts.values():
        raise SystemExit(f"{HAND}: fill in the empty verdicts first, each {', '.join(VERDICTS)}.")
    found: dict[str, Any] = {}
    open_pairs = {}
    for name in NAMES:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place) / "all" / "images"
            picture, group, source = made(Study.load(asked.studies / name), folder, asked.images)
            for tool, look in TOOLS.items():
                begin = time.perf_counter()
                with contextlib.redirect_stdout(io.StringIO()):
                    pairs = look(folder)
                seconds = time.perf_counter() - begin
                some = drawn(pairs, picture, source)
                open_pairs |= {key(name, pair): pair for pair in some if key(name, pair) not in verdicts}
                own = {"files": len(picture), "seconds": seconds, **judged(pairs, picture, group)}
                found.setdefault(name, {})[tool] = own | {"by_hand": by_hand(name, some, verdicts)}
                print(name, tool, found[name][tool], flush=True)
    if asked.sheets is not None:
        ask(open_pairs, verdicts, asked.sheets)
    elif open_pairs:
        raise SystemExit(f"{len(open_pairs)} drawn pairs have no verdict: run again with --sheets FOLDER.")
    else:
        write(found, asked.images)


def write(found: dict[str, Any], count: int) -> None:
    about = {"date": datetime.now(UTC).isoformat(timespec="seconds"), "seed": SEED}
    about |= {tool: version(tool) for tool in ("drifa", "imagededup", "cleanvision", "vision-data-doctor")}
    tools = [f"{tool} {of}" for tool, of in about.items() if tool not in ("date", "seed")]
    write_json(HERE / "compare.json", {"about": about, "found": found})
    lines = [
        "# Beside other tools",
        "",
        f"Made by `python results/audit/compare.py STUDIES {count}`, {about['date'][:10]}, {', '.join(tools)},",
        f"each by its defaults. Of each dataset {count} random images and six copies of {PLANTED} of them: JPEG quality 40;",
        "cropped by 2 % at each side; shrunk to 70 %; shifted by 1.5 %; 20 % brighter; mirrored. Recall is of planted copies.",
        "Natural pairs are those that nobody planted; *of one group* are those within one lesion (HAM10000) or cluster image",
        "(SIPaKMeD); groups of the other two sets were joined by the audit itself (`--fix groups`), so that theirs say nothing",
        "of who is right.",
        "",
        "## Planted copies found",
        "",
        f"| dataset | tool | {' | '.join(KINDS)} | seconds |",
        "|---|---|" + "---|" * (len(KINDS) + 1),
    ]
    rows = [(name, tool, own) for name, by_tool in found.items() for tool, own in by_tool.items()]
    for name, tool, own in rows:
        recall = " | ".join(f"{own['recall'][kind]:.0%}" for kind in KINDS)
        lines.append(f"| {name} | {tool} | {recall} | {own['seconds']:.0f} |")
    lines += [
        "",
        "## Natural pairs, and how many are right",
        "",
        f"Up to {SAMPLE} pairs of each tool, drawn at random, were looked at by one person, no clinician, in mixed order and",
        "without the tools' names ([hand.csv](hand.csv)): *same* is one picture, or one object twice (other focus, crop or",
        "retouching); *near* are neighbouring slices of what seems one patient; the rest are pictures of two. Right are the",
        "first two, with Wilson's 95 % interval of the draw.",
        "",
        "| dataset | tool | natural pairs | of one group | same + near, of those drawn | right |",
        "|---|---|---|---|---|---|",
    ]
    for name, tool, own in rows:
        lines.append(f"| {name} | {tool} | {own['natural']} | {own['natural_of_one_group']} | {told(own)} |")
    write_text(HERE / "compare.md", "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
