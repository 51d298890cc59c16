"""HAM10000: dermoscopic images of common pigmented skin lesions, the paper's D1.

Source: https://doi.org/10.7910/DVN/DBW86T. Licence: CC BY-NC 4.0. Cite: Tschandl, Rosendahl & Kittler, "The HAM10000 dataset",
Scientific Data 5:180161 (2018). Full set: 10,015 images of 7,470 lesions at 600x450.

Known defects:
    * Many lesions have several photographs, so a split by image puts one lesion on both sides; here ``group`` is the lesion.
    * There are no patient ids: two lesions of one patient may be cut.
    * About half of the labels (``dx_type`` other than ``histo``) rest on follow-up, consensus or confocal microscopy.
    * Two thirds of the images are ``nv``: always answering ``nv`` scores 67 % accuracy.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from drifa.data.adapters.base import Adapter, present_classes
from drifa.data.adapters.found import PROGRAM_FOLDERS, find_images, refuse_two
from drifa.data.adapters.one_hot import one_hot_labels
from drifa.data.study.schema import Modality, Task
from drifa.data.study.study import Study
from drifa.data.targets import ClassTarget
from drifa.errors import DrifaError, plural, suggest
from drifa.names import ids_of, plain
from drifa.text_tables import read_table

CLASSES = ("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc")
_KEPT = ("dx_type", "age", "sex", "localization")


class Ham10000(Adapter):
    """Task ``skin_lesion`` from modality ``dermoscopy``; subject = image, group = lesion."""

    name = "ham10000"
    title = "HAM10000: dermoscopy of pigmented skin lesions, 7 classes"
    source = "https://doi.org/10.7910/DVN/DBW86T"
    licence = "CC BY-NC 4.0"
    citation = "Tschandl P, Rosendahl C, Kittler H. The HAM10000 dataset. Sci. Data 5:180161 (2018)"
    kaggle = "kmader/skin-cancer-mnist-ham10000"
    counts = {  # noqa: RUF012 - declared ClassVar in Adapter
        "images": 10015,
        "lesions": 7470,
        "akiec": 327,
        "bcc": 514,
        "bkl": 1099,
        "df": 115,
        "mel": 1113,
        "nv": 6705,
        "vasc": 142,
    }

    def prepare(self, folder: Path) -> Study:
        """Joins `HAM10000_metadata.csv` with the images found anywhere below the folder, by image id."""
        metadata = _metadata(folder)
        found = find_images(folder)
        files = pd.Series(found.files, dtype=object)
        files.index = pd.Index([plain(Path(path).stem).removesuffix("_downsampled") for path in files])
        listed = files[files.index.isin(metadata["image_id"])]
        copies = refuse_two(folder, listed.tolist(), listed.index.tolist())
        files = files[~files.index.duplicated()]
        here = metadata["image_id"].isin(files.index)
        if not here.any():
            raise DrifaError(
                f"none of the {len(metadata)} images that HAM10000_metadata.csv lists is below {folder}; "
                f"unpack HAM10000_images_part_1 and HAM10000_images_part_2 there{found.told(after='.')}"
            )
        known = metadata[here]
        classes, lacking = present_classes(known["dx"], CLASSES, "skin_lesion")
        table = pd.DataFrame(
            {
                "subject": known["image_id"],
                "modality": "dermoscopy",
                "path": files.reindex(known["image_id"]).to_numpy(),
                "group": known["lesion_id"],
                "split": "",
                "skin_lesion": known["dx"],
                **{name: known[name] for name in _KEPT if name in known.columns},
            }
        )
        unlisted = int((~files.index.isin(metadata["image_id"])).sum())
        return Study(
            name=self.name,
            root=folder,
            table=table,
            modalities={"dermoscopy": Modality("dermoscopy", 3)},
            tasks={"skin_lesion": Task("skin_lesion", ClassTarget(classes), ("dermoscopy",))},
            source=self.source,
            licence=self.licence,
            citation=self.citation,
            group_meaning="lesion",
            notes=(
                f"{plural(len(table), 'image')} of {plural(table['group'].nunique(), 'lesion')}; the full set has "
                f"{self.counts['images']} of "
                f"{self.counts['lesions']}. Skipped: {plural(int((~here).sum()), 'metadata row')} without an image, "
                f"{plural(unlisted, 'image')} "
                f"without metadata, {plural(copies, 'further copy', 'further copies')} of an image. Groups are lesions; "
                f"patients are unknown.{lacking}" + found.told(endings=False)
            ),
            place="HAM10000_metadata.csv",
        )


def _metadata(folder: Path) -> pd.DataFrame:
    """The table of images, in the form of HAM10000 or of the ISIC challenge 2018, which published the same photographs."""
    # The Kaggle copy has .csv, Dataverse hands the same table out without an ending, or tab-separated as .tab; a folder of
    # this name may stand around it.
    path = _only_file(folder, "HAM10000_metadata*", (".csv", ".tab", ""))
    truth = _only_file(folder, "ISIC2018_Task3_Training_GroundTruth*", (".csv",))
    if path is None and truth is not None:
        path = _only_file(folder, "ISIC2018_Task3_Training_LesionGroupings*", (".csv",))
        if path is None:
            raise DrifaError(
                f"{truth} does not say which images show one lesion; fetch ISIC2018_Task3_Training_LesionGroupings.csv, which "
                f"is published beside it"
            )
        table = _with_truth(read_table(path), read_table(truth), truth)
    elif path is None:
        raise DrifaError(f"no HAM10000_metadata.csv below {folder}; it is part of the download from {Ham10000.source}")
    else:
        table = read_table(path)
    for name in ("lesion_id", "image_id", "dx"):
        if name not in table.columns:
            raise DrifaError(f"{path} has no column {name!r}{suggest(name, table.columns)}; fetch the original file again")
        table[name] = ids_of(table[name])
    return table.reset_index(drop=True)


def _with_truth(groupings: pd.DataFrame, truth: pd.DataFrame, place: Path) -> pd.DataFrame:
    columns = [name.upper() for name in CLASSES]
    for table in (groupings, truth):
        for name in ("image", *(columns if table is truth else ())):
            if name not in table.columns:
                raise DrifaError(f"{place} or its lesion groupings have no column {name!r}; fetch the original files again")
    labels = [label.lower() for label in one_hot_labels(truth, columns, truth.index.tolist(), place.name)]
    labelled = pd.DataFrame({"image_id": ids_of(truth["image"]), "dx": labels})
    table = groupings.rename(columns={"image": "image_id", "diagnosis_confirm_type": "dx_type"})
    return table.merge(labelled, on="image_id", how="inner")


def _only_file(folder: Path, pattern: str, endings: tuple[str, ...]) -> Path | None:
    """The one file of a name below a folder; further copies of it are no matter."""
    found = sorted(
        path
        for path in folder.rglob(pattern)
        if path.suffix in endings and path.is_file() and not PROGRAM_FOLDERS & {part.lower() for part in path.parts}
    )
    names = [path.relative_to(folder).as_posix() for path in found]
    # The same table in two forms is one table.
    alike = {path.suffix: [name for name, one in zip(names, found, strict=True) if one.suffix == path.suffix] for path in found}
    for same in alike.values():
        refuse_two(folder, same, [pattern.rstrip("*")] * len(same))
    return found[0] if found else None
