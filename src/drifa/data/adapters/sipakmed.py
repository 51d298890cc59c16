"""SIPaKMeD: isolated cells of Pap smear images, the paper's D2.

Source: https://www.cs.uoi.gr/~marina/sipakmed.html. Licence: publicly available for experimental purposes, cite
the paper. Cite: Plissiti et al., "SIPaKMeD: a new dataset for feature and image based classification of normal and pathological
cervical cells in Pap smear images", ICIP 2018. Full set: 4,049 cells cropped from 966 cluster images.

Known defects:
    * Cells of one cluster image share stain, focus and background; here ``group`` is the cluster image.
    * Neighbouring cluster images of one slide can overlap, so one cell may appear twice under two groups, and the slide behind
      a cluster image is not published: groups keep images apart, not patients.
    * Every cluster image belongs to one class folder, so stain is confounded with class.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

import pandas as pd

from drifa.data.adapters.base import Adapter, present_classes
from drifa.data.adapters.found import find_images, refuse_two
from drifa.data.study.schema import Modality, Task
from drifa.data.study.study import Study
from drifa.data.targets import ClassTarget
from drifa.errors import DrifaError, plural

CLASSES = ("Dyskeratotic", "Koilocytotic", "Metaplastic", "Parabasal", "Superficial-Intermediate")
_FOLDERS = {f"im_{name}".lower(): name for name in CLASSES}


class Sipakmed(Adapter):
    """Task ``cell`` from modality ``pap_smear``; subject = cropped cell, group = cluster image."""

    name = "sipakmed"
    title = "SIPaKMeD: Pap smear cells, 5 classes"
    source = "https://www.cs.uoi.gr/~marina/sipakmed.html"
    licence = "Publicly available for experimental purposes; cite the paper"
    citation = "Plissiti ME et al. SIPaKMeD. IEEE ICIP 2018, 3144-3148. doi 10.1109/ICIP.2018.8451588"
    kaggle = "prahladmehandiratta/cervical-cancer-largest-dataset-sipakmed"
    counts = {  # noqa: RUF012 - declared ClassVar in Adapter
        "images": 4049,
        "clusters": 966,
        "Dyskeratotic": 813,
        "Koilocytotic": 825,
        "Metaplastic": 793,
        "Parabasal": 787,
        "Superficial-Intermediate": 831,
    }

    def prepare(self, folder: Path) -> Study:
        """Collects `im_<Class>/[im_<Class>/]CROPPED/<cluster>_<cell>.<ending>`; cluster images and .dat files are ignored."""
        rows, odd = [], 0
        found = find_images(folder)
        for path in found.files:
            parents, stem = PurePosixPath(path).parts[:-1], PurePosixPath(path).stem
            if not parents or parents[-1].upper() != "CROPPED":
                continue
            # The folder given may itself be a class folder or lie inside one.
            named = [_FOLDERS[part.lower()] for part in (*folder.parts, *parents) if part.lower() in _FOLDERS]
            match = re.fullmatch(r"(\d+)_(\d+)", stem)
            if not named or match is None:
                odd += 1
                continue
            rows.append((f"{named[-1]}/{stem}", path, f"{named[-1]}/{match[1]}", named[-1]))
        if not rows:
            raise DrifaError(
                f"no cell below {folder}; expected files such as im_Parabasal/im_Parabasal/CROPPED/001_01.bmp: "
                f"unpack the archives from {self.source} there{found.told(after='.')}"
            )
        table = pd.DataFrame(rows, columns=["subject", "path", "group", "cell"])
        copies = refuse_two(folder, table["path"].tolist(), table["subject"].tolist())
        table = table[~table["subject"].duplicated()].assign(modality="pap_smear", split="")
        classes, lacking = present_classes(table["cell"], CLASSES, "cell")
        return Study(
            name=self.name,
            root=folder,
            table=table[["subject", "modality", "path", "group", "split", "cell"]],
            modalities={"pap_smear": Modality("pap_smear", 3)},
            tasks={"cell": Task("cell", ClassTarget(classes), ("pap_smear",))},
            source=self.source,
            licence=self.licence,
            citation=self.citation,
            group_meaning="cluster image",
            notes=(
                f"{plural(len(table), 'cell')} from {plural(table['group'].nunique(), 'cluster image')}; the full set has "
                f"{self.counts['images']} "
                f"from {self.counts['clusters']}. Skipped: {plural(copies, 'further copy', 'further copies')} of a cell, "
                f"{plural(odd, 'file')} with another naming. "
                f"Groups are cluster images; neighbouring ones may overlap, and slides and patients are unknown.{lacking}"
                + found.told(endings=False)
            ),
            place="the table of cells",
        )
