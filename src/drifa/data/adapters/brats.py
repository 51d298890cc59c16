"""BraTS: gliomas in four registered MRI sequences with tumour masks, the paper's D5 (BraTS 2020), in the namings of all years.

Source: https://www.med.upenn.edu/cbica/brats2020/data.html. Licence: research use as registered with CBICA, no redistribution.
Cite: Menze et al., IEEE TMI 34(10):1993-2024 (2015); Bakas et al., Scientific Data 4:170117 (2017); Bakas et al.,
arXiv:1811.02629 (2018). Full training set of 2020: 369 subjects (293 HGG, 76 LGG), 240x240x155 voxels of 1 mm; the paper cuts
it into 201, 35 and 133 subjects.

Known defects:
    * The mask of case 355 of BraTS 2020 has a foreign name, `W39_1998.09.19_Segm.nii`.
    * The numbers in the masks differ by year: enhancing tumour is 4 up to 2021 and 3 from 2023 on.
    * BraTS 2020 contains subjects of earlier years under new names (`name_mapping.csv` tells): never merge years.
    * Low-grade cases often lack enhancing tumour, so Dice of ET is decided by what an empty region counts.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pandas as pd

from drifa.data.adapters.base import Adapter
from drifa.data.adapters.brats_names import ALIKE, CONVENTIONS, Convention
from drifa.data.adapters.found import Found, find_images
from drifa.data.reading.images import VOLUME_SUFFIXES
from drifa.data.study.schema import Modality, Task
from drifa.data.study.study import Study
from drifa.data.targets import ClassTarget, RegionTarget
from drifa.errors import DrifaError, plural, suggest
from drifa.text_tables import read_table

MODALITIES = ("flair", "t1", "t1ce", "t2")
GRADES = ("HGG", "LGG")


class Brats(Adapter):
    """Task ``tumour`` (masks) and, where grades are known, ``grade``, from up to four modalities; group = patient."""

    name = "brats"
    title = "BraTS: glioma in four MRI sequences, masks and grade"
    source = "https://www.med.upenn.edu/cbica/brats2020/data.html"
    licence = "CBICA terms: registered research use, no redistribution"
    citation = (
        "Menze BH et al. IEEE Trans. Med. Imaging 34(10):1993-2024 (2015); Bakas S et al. Sci. Data 4:170117 (2017); "
        "Bakas S et al. arXiv:1811.02629 (2018)"
    )
    kaggle = "awsaf49/brats20-dataset-training-validation"
    counts = {  # noqa: RUF012 - declared ClassVar in Adapter
        "images": 1476,
        "subjects": 369,
        "HGG": 293,
        "LGG": 76,
        "train": 201,
        "val": 35,
        "test": 133,
    }
    options = {"variant": f"one of {', '.join(row.name for row in CONVENTIONS)}"}  # noqa: RUF012 - ClassVar

    def prepare(self, folder: Path, variant: str = "") -> Study:
        """Collects volumes (or slices) by the names of one convention; `brats_names` lists them.

        Args:
            folder: Any folder above the subjects, or one subject's own.
            variant: Name of a convention, where several are below the folder; empty to recognise the only one.

        Raises:
            DrifaError: No subject, several conventions, an unknown variant, or two files for one place.
        """
        found = find_images(folder, VOLUME_SUFFIXES, masks=True)
        convention, named, odd = _recognise(found, variant)
        owner: dict[tuple[str, str], str] = {}
        groups: dict[str, str] = {}
        for path, (subject, group, kind) in named.items():
            other = owner.setdefault((subject, kind), path)
            if other != path:
                raise DrifaError(f"subject {subject!r} has two files for {kind}: {other} and {path}; keep one of them")
            groups[subject] = group
        grades = _grades(folder, groups, owner)
        rows, bare, unlabelled = [], 0, 0
        for subject, group in sorted(groups.items()):
            images = [(kind, owner[subject, kind]) for kind in MODALITIES if (subject, kind) in owner]
            mask = owner.get((subject, "mask"), "")
            bare += not images
            unlabelled += bool(images) and not (mask or grades.get(subject))
            if mask or grades.get(subject):
                rows += [(subject, kind, path, group, "", mask, grades.get(subject, "")) for kind, path in images]
        if not any(row[5] for row in rows):
            raise DrifaError(
                f"none of the {len(groups)} subjects below {folder} has both an image and a mask ({convention.mask}); "
                f"point at the training set, whose masks are published{found.told(endings=False, after='.')}"
            )
        table = pd.DataFrame(rows, columns=["subject", "modality", "path", "group", "split", "tumour", "grade"])
        present = tuple(name for name in MODALITIES if (table["modality"] == name).any())
        tasks = {"tumour": Task("tumour", RegionTarget(convention.regions), present)}
        if set(table["grade"]) >= set(GRADES):
            tasks["grade"] = Task("grade", ClassTarget(GRADES), present)
        else:
            table = table.drop(columns="grade")
        subjects = table["subject"].nunique()
        what = "slice" if convention.name.endswith("slices") else "subject"
        return Study(
            name=self.name,
            root=folder,
            table=table,
            modalities={name: Modality(name, 1) for name in present},
            tasks=tasks,
            source=self.source,
            licence=self.licence,
            citation=self.citation,
            group_meaning="patient",
            notes=(
                f"{plural(len(table), 'image')} of {plural(subjects, what)} of "
                f"{plural(table['group'].nunique(), 'patient')}, named as in "
                f"{convention.name}; {plural(table[table['tumour'] != '']['subject'].nunique(), 'has', 'have')} a mask. "
                f"BraTS 2020 has "
                f"{self.counts['subjects']} subjects. Skipped: {unlabelled} without mask and grade, {bare} without an image, "
                f"{plural(odd, 'file')} with another naming.{found.told(endings=False)}"
            ),
            place="the table of volumes",
        )


Named = dict[str, tuple[str, str, str]]


def _recognise(listed: Found, variant: str) -> tuple[Convention, Named, int]:
    """The convention of the files below a folder, what it reads from their names, and how many are named otherwise."""
    known = {row.name: row for row in CONVENTIONS}
    variant = ALIKE.get(variant, variant)
    if variant and variant not in known:
        raise DrifaError(f"variant={variant} is not a BraTS naming{suggest(variant, known)}")
    folder, files = listed.folder, listed.files
    found: dict[str, Named] = {}
    for path in files:
        for row in CONVENTIONS:
            # The folder given may be a subject's own, whose name is then part of the naming.
            read = row.read(f"{folder.name}/{path}")
            if read is not None:
                found.setdefault(row.name, {})[path] = read
                break
    if variant:
        found = {name: named for name, named in found.items() if name == variant}
    if not found:
        expected = known[variant].example if variant else ", ".join(row.example for row in CONVENTIONS)
        raise DrifaError(
            f"no BraTS file below {folder}, which holds {plural(len(files), 'volume')}; expected names such as {expected}"
            + listed.told(after=".")
        )
    if len(found) > 1:
        told = "; ".join(
            f"{name}: {plural(len({subject for subject, _, _ in named.values()}), 'subject')}, such as {next(iter(named))}"
            for name, named in found.items()
        )
        raise DrifaError(
            f"{folder} mixes {len(found)} BraTS namings, whose mask values differ ({told}); point at one subfolder, or "
            f"choose with variant=NAME, for example variant={next(iter(found))}"
        )
    ((name, named),) = found.items()
    return known[name], named, len(files) - len(named)


def _grades(folder: Path, groups: dict[str, str], owner: dict[tuple[str, str], str]) -> dict[str, str]:
    """Grades by subject: from `name_mapping.csv`, in whose columns the subject has a name of each year, or from its folder."""
    grades = {}
    for (subject, _), path in owner.items():
        above = [part for part in (*folder.parts, *PurePosixPath(path).parts) if part in GRADES]
        if above:
            grades[subject] = above[-1]
    for file in sorted(folder.rglob("name_mapping.csv")):
        table = read_table(file)
        if "Grade" not in table.columns:
            raise DrifaError(f"{file} has no column 'Grade'{suggest('Grade', table.columns)}; fetch the original file again")
        for row in table.to_dict("records"):
            if row["Grade"] in GRADES:
                grades.update({subject: row["Grade"] for subject in row.values() if subject in groups})
    return grades
