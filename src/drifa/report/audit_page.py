"""`drifa data audit --html`: the findings as one page, with what shows the same side by side where somebody asks for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from drifa.data import read_image
from drifa.data.audit.findings import SEVERITIES, Audit, Finding
from drifa.errors import DrifaError
from drifa.files import write_text
from drifa.report.album import image
from drifa.report.study import is_phantom
from drifa.report.write import page_environment
from drifa.version import __version__

if TYPE_CHECKING:
    from drifa.data import Study

#: Sets of a finding, files of each, and files of a finding without sets that the page shows.
MOST_SETS, OF_A_SET, MOST_FILES = 12, 4, 12


def write_audit_page(result: Audit, study: Study, out: str | Path, images: bool = False) -> Path:
    """Writes the findings as one HTML file that needs no network, no script and no other file.

    Args:
        result: What the audit found.
        study: The audited study.
        out: The file.
        images: Put small pictures, encoded anew, of the images that findings name on the page.

    Raises:
        DrifaError: Pictures are asked for and the study holds volumes, or the file cannot be written.
    """
    check_pictures(study, images)
    shown = _Shown(study, images)
    findings = [{"one": one, "sets": list(shown.sets_of(one)), "more": _more(one)} for one in result.findings]
    page = (
        page_environment()
        .get_template("audit_page.jinja")
        .render(
            study=result.study,
            images=result.images,
            counts={name: sum(one.severity == name for one in result.findings) for name in SEVERITIES},
            findings=findings,
            patients=shown.pictured and not is_phantom(study),
            version=__version__,
        )
    )
    return write_text(Path(out), page)


def check_pictures(study: Study, images: bool) -> None:
    """Refuses pictures of a study that has none to show.

    Raises:
        DrifaError: ``images``, and the study holds volumes.
    """
    if images and study.reads() == "pixels":
        raise DrifaError(f"--images has no pictures of study {study.name!r}, which holds volumes; leave --images out")


def _more(one: Finding) -> str:
    sets = len(one.data.get("members") or ())
    if sets > MOST_SETS:
        return f"{MOST_SETS} of {sets} sets"
    return f"{min(MOST_FILES, len(one.files))} of {one.count} files" if not sets and one.count > MOST_FILES else ""


class _Shown:
    """What the page says of the files of a finding: their names, what the table tells of them, and their pictures."""

    def __init__(self, study: Study, images: bool) -> None:
        self.study, self.images, self.pictured = study, images, False
        self.rows = {path: row for row, path in reversed(list(enumerate(study.table["path"])))}

    def sets_of(self, one: Finding) -> Iterator[dict[str, Any]]:
        sets: Sequence[Sequence[str]] = one.data.get("members") or ([one.files] if one.files else [])
        most = OF_A_SET if one.data.get("members") else MOST_FILES
        for members in sets[:MOST_SETS]:
            rest = len(members) - most if one.data.get("members") else 0
            yield {"files": [self._file(path) for path in members[:most]], "rest": max(rest, 0)}

    def _file(self, path: str) -> dict[str, Any]:
        row = self.rows.get(path)
        if row is None:
            return {"path": path, "picture": "", "told": []}
        table = self.study.table
        columns = ["subject", "group", "split", *(name for name in self.study.tasks if self.study.tasks[name].target.conflicts)]
        told = [(name, str(table[name].iloc[row])) for name in columns if table[name].iloc[row] != ""]
        return {"path": path, "picture": self._picture(row), "told": told}

    def _picture(self, row: int) -> Markup | str:
        if not self.images:
            return ""
        modality = str(self.study.table["modality"].iloc[row])
        try:
            pixels = read_image(self.study.image_path(row), self.study.modalities[modality].channels)
        except DrifaError:
            # That it cannot be read is a finding of its own, on the same page.
            return ""
        self.pictured = True
        return image(pixels, f"{modality} of {self.study.table['subject'].iloc[row]}")
