"""How the years of BraTS name their files: one row per convention, and nothing else knows a file name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_END = r"\.(?:nii(?:\.gz)?|nrrd|mha)$"
_YEARS = r"(?P<kind>flair|t1|t1ce|t2|seg)"
_OWN_NAMES = {name: name for name in ("flair", "t1", "t1ce", "t2")}
#: BraTS 2017 to 2021: 1 necrosis and non-enhancing tumour, 2 oedema, 4 enhancing tumour; 3 is not used.
_NO_THREE = {"WT": (1, 2, 4), "TC": (1, 4), "ET": (4,)}


@dataclass(frozen=True)
class Convention:
    """One way of naming.

    Args:
        name: As given to ``variant=``.
        example: A path for people.
        pattern: Matches the end of a path; its groups are ``subject`` and ``kind``, and ``group`` where several subjects are of
            one patient; a pattern with ``slice`` instead of ``subject`` makes a subject of each slice of a group.
        modalities: From ``kind`` to the modality.
        mask: The ``kind`` that is the mask.
        regions: Mask values of each region.
        quirk: Matches masks that bear a foreign name; its group ``subject`` is the folder.
    """

    name: str
    example: str
    pattern: re.Pattern[str]
    modalities: Mapping[str, str]
    mask: str
    regions: Mapping[str, tuple[int, ...]]
    quirk: re.Pattern[str] | None = None

    def read(self, path: str) -> tuple[str, str, str] | None:
        """Subject, group and modality (or ``"mask"``) of a path; None where it is not named in this way."""
        match = self.pattern.search(path)
        if match is not None:
            kind = "mask" if match["kind"] == self.mask else self.modalities[match["kind"]]
            parts = match.groupdict()
            subject = parts.get("subject") or f"{parts['group']}_{parts['slice']}"
            return subject, parts.get("group", subject), kind
        match = self.quirk.search(path) if self.quirk else None
        return (match["subject"], match["subject"], "mask") if match else None


CONVENTIONS = (
    Convention(
        "brats2020",
        "BraTS20_Training_001/BraTS20_Training_001_flair.nii.gz",
        re.compile(rf"(?:^|/)(?P<subject>BraTS20_\w+?_\d{{3}})/(?P=subject)_{_YEARS}{_END}"),
        _OWN_NAMES,
        "seg",
        _NO_THREE,
        # Case 355 was published with the mask's working name.
        re.compile(rf"(?:^|/)(?P<subject>BraTS20_Training_\d{{3}})/W39_1998\.09\.19_Segm{_END}"),
    ),
    Convention(
        "brats2018",
        "HGG/Brats18_2013_2_1/Brats18_2013_2_1_flair.nii.gz",
        re.compile(rf"(?:^|/)(?P<subject>(?:Brats17|Brats18|BraTS19)_\w+)/(?P=subject)_{_YEARS}{_END}"),
        _OWN_NAMES,
        "seg",
        _NO_THREE,
    ),
    Convention(
        "brats2018_demo",
        "CASE/FLAIR.nii.gz",
        re.compile(rf"(?:^|/)(?P<subject>[^/]+)/(?P<kind>FLAIR|T1|T1CE|T2|GT_W){_END}"),
        {"FLAIR": "flair", "T1": "t1", "T1CE": "t1ce", "T2": "t2"},
        "GT_W",
        {"WT": (1,)},
    ),
    Convention(
        "brats2013",
        "brats_2013_pat0001_1/Flair_subtrMeanDivStd.nii.gz",
        re.compile(rf"(?:^|/)(?P<subject>[^/]+)/(?P<kind>(?:Flair|T1|T1c|T2)_subtrMeanDivStd|OTMultiClass){_END}"),
        {f"{there}_subtrMeanDivStd": here for there, here in {"Flair": "flair", "T1": "t1", "T1c": "t1ce", "T2": "t2"}.items()},
        "OTMultiClass",
        # 1 necrosis, 2 oedema, 3 non-enhancing tumour, 4 enhancing tumour.
        {"WT": (1, 2, 3, 4), "TC": (1, 3, 4), "ET": (4,)},
    ),
    Convention(
        "brats2021",
        "BraTS2021_00000/BraTS2021_00000_flair.nii.gz",
        re.compile(rf"(?:^|/)(?P<subject>BraTS2021_\d{{5}})/(?P=subject)_{_YEARS}{_END}"),
        _OWN_NAMES,
        "seg",
        _NO_THREE,
    ),
    Convention(
        "brats2023",
        "BraTS-GLI-00000-000/BraTS-GLI-00000-000-t2f.nii.gz",
        # The last number is the visit: two visits are one patient.
        re.compile(
            rf"(?:^|/)(?P<subject>(?P<group>BraTS-GLI-\d{{5}})-\d{{3}})/(?P=subject)-(?P<kind>t1n|t1c|t2w|t2f|seg){_END}"
        ),
        {"t2f": "flair", "t1n": "t1", "t1c": "t1ce", "t2w": "t2"},
        "seg",
        # 1 necrosis, 2 oedema, 3 enhancing tumour.
        {"WT": (1, 2, 3), "TC": (1, 3), "ET": (3,)},
    ),
    Convention(
        "brats2020_slices",
        "z083/brats_train_001_flair_083_w.nii.gz",
        re.compile(rf"(?:^|/)(?P<group>brats_\w+?_\d{{3}})_{_YEARS}_(?P<slice>\d+)_w{_END}"),
        _OWN_NAMES,
        "seg",
        _NO_THREE,
    ),
)
#: Years whose files are named, and whose masks are numbered, as another's.
ALIKE = {"brats2017": "brats2018", "brats2019": "brats2018"}
