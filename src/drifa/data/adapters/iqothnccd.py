"""IQ-OTH/NCCD: lung CT slices of 110 patients in three classes, the paper's D4.

Source: https://doi.org/10.17632/bhmdr45bh2.2. Licence: CC BY 4.0. Cite: Alyasriy & Al-Huseiny, "The IQ-OTHNCCD lung cancer
dataset", Mendeley Data (2020). Full set: 1,097 slices of 110 patients (15 benign, 40 malignant, 55 normal).

Known defects:
    * There are no patient ids, and one patient has many neighbouring slices, some of them exact twins: a split by image leaks.
      Files are numbered by class with the slices of one patient in a row, so runs of alike neighbours stand for patients here.
    * Such a run is neither a whole patient (one scan may give several runs) nor always a single one: groups are
      cluster-disjoint, not patient-disjoint.
    * Labels are of the patient, not of the slice: a slice of class `malignant` need not show the tumour.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from drifa.data.adapters.base import Adapter, present_classes
from drifa.data.adapters.found import find_images, refuse_two
from drifa.data.reading.images import read_image, resize
from drifa.data.study.schema import Modality, Task
from drifa.data.study.study import Study
from drifa.data.targets import ClassTarget
from drifa.errors import DrifaError, plural

CLASSES = ("benign", "malignant", "normal")
#: Neighbours in the numbering whose thumbnails correlate at least so much are one group. Correlations of neighbours pile up
#: above 0.95 (one patient) and below 0.8 (the next one); this lies in the sparse valley, on the side that cuts less.
ALIKE = 0.85
_THUMBNAIL = 32
_FOLDER = re.compile(r"(bengin|benign|malignant|normal)( cases?)?", re.IGNORECASE)


class IqOthNccd(Adapter):
    """Task ``lung`` from modality ``ct``; subject = slice, group = run of alike slices in the class's numbering."""

    name = "iqothnccd"
    title = "IQ-OTH/NCCD: lung CT slices, 3 classes"
    source = "https://doi.org/10.17632/bhmdr45bh2.2"
    licence = "CC BY 4.0"
    citation = "Alyasriy H, Al-Huseiny M. The IQ-OTHNCCD lung cancer dataset. Mendeley Data (2020). doi 10.17632/bhmdr45bh2.2"
    kaggle = "hamdallak/the-iqothnccd-lung-cancer-dataset"
    counts = {"images": 1097, "patients": 110, "benign": 120, "malignant": 561, "normal": 416}  # noqa: RUF012 - ClassVar

    def prepare(self, folder: Path) -> Study:
        """Collects `<Class> cases/<Class> case (<number>).jpg` at any depth below the folder, and reads every image once."""
        rows, odd = [], 0
        found = find_images(folder)
        for path in found.files:
            parent = (*folder.parts, *PurePosixPath(path).parts[:-1])[-1]
            kind = _FOLDER.fullmatch(parent)
            # "Bengin case (12).jpg"; unpackers that dislike brackets leave "Bengin case 12.jpg".
            number = re.search(r"(\d+)\D*$", PurePosixPath(path).stem)
            if kind is None or number is None:
                odd += 1
                continue
            # "Bengin" is the dataset's own spelling.
            label = "benign" if kind[1].lower().startswith("ben") else kind[1].lower()
            rows.append((f"{label}/{int(number[1])}", path, label, int(number[1])))
        if not rows:
            raise DrifaError(
                f"no slice below {folder}; expected files such as 'Bengin cases/Bengin case (1).jpg' (the spelling is the "
                f"dataset's): unpack the archive from {self.source} there{found.told(after='.')}"
            )
        table = pd.DataFrame(rows, columns=["subject", "path", "lung", "number"]).sort_values(["lung", "number", "path"])
        copies = refuse_two(folder, table["path"].tolist(), table["subject"].tolist())
        table = table[~table["subject"].duplicated()].assign(modality="ct", split="")
        classes, lacking = present_classes(table["lung"], CLASSES, "lung")
        table["group"] = _runs(table, folder)
        return Study(
            name=self.name,
            root=folder,
            table=table[["subject", "modality", "path", "group", "split", "lung", "number"]],
            modalities={"ct": Modality("ct", 1)},
            tasks={"lung": Task("lung", ClassTarget(classes), ("ct",))},
            source=self.source,
            licence=self.licence,
            citation=self.citation,
            group_meaning="run of alike slices (patients unknown)",
            notes=(
                f"{plural(len(table), 'slice')} in {plural(table['group'].nunique(), 'group')}; the full set has "
                f"{self.counts['images']:,} of "
                f"{self.counts['patients']} patients. Skipped: {plural(copies, 'further copy', 'further copies')} of a "
                f"slice, {plural(odd, 'image')} with another "
                f"place or naming. Patients are unknown: a group is a run of alike neighbours in the numbering of a class "
                f"(correlation of {_THUMBNAIL}x{_THUMBNAIL} thumbnails at least {ALIKE}), so a split is cluster-disjoint, an "
                f"approximation of patients; `drifa data audit STUDY --fix groups` also joins twins that stand apart.{lacking}"
                + found.told(endings=False)
            ),
            place="the table of slices",
        )


def _runs(table: pd.DataFrame, folder: Path) -> list[str]:
    """Names the run of every row, `<class>/<first number>`; rows come sorted by class and number."""
    names: list[str] = []
    before, label_before = np.zeros(_THUMBNAIL**2), ""
    for path, label, number in zip(table["path"], table["lung"], table["number"], strict=True):
        thumbnail = _thumbnail(folder / path)
        alike = label == label_before and float(before @ thumbnail) >= ALIKE
        names.append(names[-1] if alike else f"{label}/{number}")
        before, label_before = thumbnail, label
    return names


def _thumbnail(path: Path) -> np.ndarray:
    """A small grey copy with mean 0 and norm 1, so that the product of two is their correlation."""
    values = resize(read_image(path, 1), _THUMBNAIL).astype(np.float64).ravel()
    values -= values.mean()
    return values / max(float(np.linalg.norm(values)), 1e-9)
