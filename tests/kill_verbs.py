"""The verbs that :mod:`tests.kills` kills, and what they start from."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from drifa.cli.main import app


@dataclass(frozen=True)
class Verb:
    """What is killed.

    Attributes:
        name: Of the verb.
        run: Does it, in a folder of its own below the base.
        needs: What that folder holds before, copied from the base as ``(from, to)``.
        again: Continues it after a kill, as the documentation says; ``run`` where that is the same command.
        every: Of its points in the pairs, every so many is tried.
    """

    name: str
    run: Callable[[], object]
    needs: tuple[tuple[str, str], ...] = ()
    again: Callable[[], object] | None = None
    every: int = 1


def command(*words: str) -> Callable[[], object]:
    """A command line as a verb; its exit code 1, an audit with findings, is an end as well."""
    return lambda: app(list(words), standalone_mode=False)


def _images() -> None:
    from drifa.data import ImageCache, Study
    from drifa.data.cache import shards

    shards.SHARD_BYTES = 40 * 32 * 32  # some images in each
    ImageCache.build(Study.load("../study"), 32, ".cache")


def _volumes() -> None:
    from drifa.data import Study
    from drifa.data.cache.volume_cache import VolumeCache

    VolumeCache.build(Study.load("../heads"), ".cache", size=16, workers=1)


def _phantom() -> None:
    from drifa.data import make_phantom

    make_phantom("study", subjects=12, image_size=32)


def _trained() -> object:
    return command("train", "--resume", "run", "-q")() if Path("run/model.json").is_file() else TRAIN()


FOLDERS = ("data", "prepare", "folders", "../raw", "modality=photo", "--out", "study")
TRAIN = command("train", "../config.yaml", "train.epochs=2", "--out", "run", "-q")
VERBS = (
    Verb("prepare", command(*FOLDERS), again=command(*FOLDERS, "--overwrite")),
    Verb("prepare --overwrite", command(*FOLDERS, "--overwrite"), (("split", "study"),)),
    Verb("prepare phantom", _phantom, (("small", "study"),), every=4),
    Verb("split", command("data", "split", "study"), (("study", "study"),)),
    Verb("split again", command("data", "split", "study", "--protocol", "paper", "--seed", "1"), (("split", "study"),)),
    Verb("audit --fix", command("data", "audit", "study", "--fix", "groups", "-q"), (("twins", "study"),), every=2),
    Verb("cache of images", _images, every=5),
    Verb("cache of volumes", _volumes, every=5),
    Verb("train", TRAIN, again=_trained, every=8),
    Verb("resume", command("train", "--resume", "run", "train.epochs=2", "train.members=2", "-q"), (("run", "run"),), every=8),
    Verb("evaluate", command("evaluate", "run", "-q"), (("run", "run"),), every=3),
    Verb("evaluate again", command("evaluate", "run", "evaluate.passes=0", "-q"), (("evaluated", "run"),), every=3),
    Verb("report", command("report", "run"), (("evaluated", "run"),)),
)


def make_base(folder: Path, runs: bool) -> None:
    """Makes what the verbs start from in a folder; see :func:`tests.kills.base`."""
    from drifa.config import dump_config
    from drifa.data import Study, make_phantom
    from drifa.data.study.schema import Modality, Task
    from drifa.data.targets import RegionTarget
    from tests.nifti_files import make_head, write_nifti
    from tests.studies import tiny_config

    os.chdir(folder)
    make_phantom("study", subjects=60, image_size=32)
    make_phantom("small", subjects=12, image_size=32, seed=1)
    table = pd.read_csv("study/study.csv", dtype=str)
    for row in table[table["modality"] == "photo"].head(12).itertuples():
        (Path("raw") / row.surface).mkdir(parents=True, exist_ok=True)
        shutil.copy(Path("study") / row.path, Path("raw") / row.surface)
    for source, name in (("study", "split"), ("small", "twins")):
        shutil.copytree(source, name)
        command("data", "split", name)()
    command("data", "audit", "split", "-q")()
    table = pd.read_csv("twins/study.csv", dtype=str)
    first = {side: rows["path"].iloc[0] for side, rows in table[table["modality"] == "photo"].groupby("split")}
    shutil.copy(Path("twins") / first["train"], Path("twins") / first["test"])
    rows = []
    for seed, name in enumerate("ab"):
        grey, mask = make_head((20, 24, 12), seed)
        write_nifti(Path(f"heads/{name}/flair.nii.gz"), grey)
        write_nifti(Path(f"heads/{name}/seg.nii.gz"), mask)
        rows.append((name, "flair", f"{name}/flair.nii.gz", f"{name}/seg.nii.gz", "", ""))
    heads = pd.DataFrame(rows, columns=["subject", "modality", "path", "tumour", "group", "split"])
    task = Task("tumour", RegionTarget({"WT": (1, 2, 4)}), ("flair",))
    Study("heads", Path("heads"), heads, {"flair": Modality("flair", 1)}, {"tumour": task}).save("heads")
    Path("config.yaml").write_text(dump_config(tiny_config(Path("study").resolve(), epochs=1, members=1)))
    if not runs:
        return
    command("train", "config.yaml", "--out", "run", "-q")()
    shutil.rmtree("run/members/0/tensorboard")
    shutil.copytree("run", "evaluated")
    command("evaluate", "evaluated", "-q")()
