"""Brain tumour MRI of M. Nickparvar: slices of three public sets in four classes, the paper's D3.

Source: https://www.kaggle.com/datasets/masoudnickparvar/brain-tumor-mri-dataset. Licence: CC0. Cite: Nickparvar, "Brain
Tumor MRI Dataset", Kaggle (2021), doi 10.34740/KAGGLE/DSV/2645886. Full set: 7,023 images,
5,712 in `Training` and 1,311 in `Testing`.

Known defects:
    * The same image stands in several places, inside and across `Training` and `Testing`: the published split leaks.
    * There are no patient ids, and a patient has many slices; here ``group`` is the image itself until the audit joins twins.
    * Grey and RGB files are mixed, and sizes differ; every image is read as grey.
    * ``notumor`` comes from another source than the tumours, and a few of its images are CT: a model may learn the source.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pandas as pd

from drifa.data.adapters.base import Adapter, present_classes
from drifa.data.adapters.found import find_images, refuse_two
from drifa.data.study.schema import Modality, Task
from drifa.data.study.study import Study
from drifa.data.targets import ClassTarget
from drifa.errors import DrifaError, plural

CLASSES = ("glioma", "meningioma", "notumor", "pituitary")
_SPLITS = {"training": ("Training", "train"), "testing": ("Testing", "test")}


class Nickparvar(Adapter):
    """Task ``tumour_type`` from modality ``mri``; subject = group = image; the published split in column ``official``."""

    name = "nickparvar"
    title = "Brain tumour MRI (Nickparvar), 4 classes"
    source = "https://www.kaggle.com/datasets/masoudnickparvar/brain-tumor-mri-dataset"
    licence = "CC0 1.0"
    citation = "Nickparvar M. Brain Tumor MRI Dataset. Kaggle (2021). doi 10.34740/KAGGLE/DSV/2645886"
    kaggle = "masoudnickparvar/brain-tumor-mri-dataset"
    counts = {  # noqa: RUF012 - declared ClassVar in Adapter
        "images": 7023,
        "training": 5712,
        "testing": 1311,
        "glioma": 1621,
        "meningioma": 1645,
        "notumor": 2000,
        "pituitary": 1757,
    }

    def prepare(self, folder: Path) -> Study:
        """Collects `Training/<class>/<image>` and `Testing/<class>/<image>` at any depth below the folder."""
        rows, odd = [], 0
        found = find_images(folder)
        for path in found.files:
            # The folder given may itself be `Training`, or a class folder in it.
            parents = [part.lower() for part in (*folder.parts, *PurePosixPath(path).parts[:-1])][-2:]
            if len(parents) < 2 or parents[0] not in _SPLITS or parents[1] not in CLASSES:
                odd += 1
                continue
            side, split = _SPLITS[parents[0]]
            rows.append((f"{side}/{parents[1]}/{PurePosixPath(path).stem}", path, parents[1], split))
        if not rows:
            raise DrifaError(
                f"no image below {folder} lies where the dataset has them, such as Training/glioma/Tr-gl_0010.jpg: "
                f"unpack the archive from {self.source} there{found.told(after='.')}"
            )
        table = pd.DataFrame(rows, columns=["subject", "path", "tumour_type", "official"])
        copies = refuse_two(folder, table["path"].tolist(), table["subject"].tolist())
        table = table[~table["subject"].duplicated()].assign(modality="mri", split="")
        table["group"] = table["subject"]
        classes, lacking = present_classes(table["tumour_type"], CLASSES, "tumour_type")
        sides = table["official"].value_counts()
        return Study(
            name=self.name,
            root=folder,
            table=table[["subject", "modality", "path", "group", "split", "tumour_type", "official"]],
            modalities={"mri": Modality("mri", 1)},
            tasks={"tumour_type": Task("tumour_type", ClassTarget(classes), ("mri",))},
            source=self.source,
            licence=self.licence,
            citation=self.citation,
            group_meaning="image (patients unknown)",
            notes=(
                f"{plural(sides.get('train', 0), 'image')} of Training and {sides.get('test', 0)} of Testing (column "
                f"'official'); the "
                f"full set has {self.counts['training']:,} and {self.counts['testing']:,}. Skipped: "
                f"{plural(copies, 'further copy', 'further copies')} "
                f"of a file name, {plural(odd, 'image')} elsewhere. Patients are unknown and every image is its own group, "
                f"but the set "
                f"has twins inside and across Training and Testing: `drifa data audit STUDY --fix groups` joins them.{lacking}"
                + found.told(endings=False)
            ),
            place="the table of images",
        )
