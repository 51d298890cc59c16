"""Small pictures of subjects for the page: the built-in study's always, those of patients only where somebody asks."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from drifa.data import read_image
from drifa.errors import DrifaError
from drifa.report.study import is_phantom
from drifa.runs.files import RunFiles

if TYPE_CHECKING:
    from PIL import Image

    from drifa.data import Study

#: Largest side of a picture, in pixels.
SIDE = 128
#: Of JPEG, which is taken where the PNG would be larger.
QUALITY = 80


class Album:
    """Pictures by subject, for the templates; closed, it shows none.

    Args:
        files: The run.
        study: Its study; None where it is not there.
        asked: Whether somebody asks for pictures of any study.

    Raises:
        DrifaError: Pictures are asked for, and there is no study, or it holds volumes of which no slice was drawn.
    """

    def __init__(self, files: RunFiles, study: Study | None, asked: bool = False) -> None:
        self.files, self.asked = files, asked
        if asked and study is None:
            why = f"its study cannot be read ({files.no_study}); leave --images out"
            raise DrifaError(f"--images has no pictures for the report of {files.folder}: {why}")
        self._slices = study is not None and study.reads() == "pixels"
        if asked and self._slices and not (files.explanation or {}).get("cases"):
            why = f"no slice of its volumes was drawn; run `drifa explain {files.folder}`, or leave --images out"
            raise DrifaError(f"--images has no pictures for the report of {files.folder}: {why}")
        self.study = study if study is not None and (asked or is_phantom(study)) else None
        self._shown = False

    def __bool__(self) -> bool:
        return self.study is not None

    @property
    def shows_patients(self) -> bool:
        """Whether pictures were given out that somebody may be in."""
        return self._shown and self.study is not None and not is_phantom(self.study)

    def __call__(self, subject: str, task: str = "") -> Markup:
        """The pictures of a subject as `<img>`, side by side.

        Args:
            subject: Its name.
            task: The overlays of `drifa explain` for this task stand in for the images, where there are some.

        Returns:
            Markup; empty where the album is closed or knows no such subject.

        Raises:
            DrifaError: A picture was asked for and cannot be read.
        """
        if self.study is None:
            return Markup("")
        images = list(self.maps(subject, task).values()) or list(self._images(str(subject)))
        self._shown = self._shown or bool(images)
        return Markup("").join(images)

    def maps(self, subject: str, task: str) -> dict[str, Markup]:
        """The overlays of `drifa explain` by modality, or by slice of a volume, as `<img>`; none where the album is closed."""
        found = {} if self.study is None else dict(self._overlays(str(subject), task))
        self._shown = self._shown or bool(found)
        return found

    def _images(self, subject: str) -> Iterator[Markup]:
        assert self.study is not None
        if self._slices:
            return
        table = self.study.table
        for row in np.flatnonzero((table["subject"] == subject) & (table["path"] != "")):
            modality = str(table["modality"].iloc[row])
            pixels = self._read(self.study.image_path(int(row)), self.study.modalities[modality].channels)
            if pixels is not None:
                yield image(pixels, f"{modality} of {subject}")

    def _overlays(self, subject: str, task: str) -> Iterator[tuple[str, Markup]]:
        root = (self.files.folder / "explain").resolve()
        for case in (self.files.explanation or {}).get("cases") or []:
            if case.get("subject") != subject:
                continue
            own = (case.get("tasks") or {}).get(task) or {}
            for name, told in (own if self._slices else own.get("maps") or {}).items():
                path = (root / str(told.get("file"))).resolve()
                if path.is_relative_to(root) and path.is_file():
                    pixels = self._read(path, 3)
                    if pixels is not None:
                        if self._slices:
                            words = f"A slice of {subject}, the outlines of {task} in it, and where they are uncertain"
                            yield str(name), image(pixels, words, 3 * SIDE)
                        else:
                            yield str(name), image(pixels, f"{name} of {subject}, and what mattered in it for {task}", 2 * SIDE)

    def _read(self, path: Path, channels: int) -> np.ndarray | None:
        try:
            return read_image(path, channels)
        except DrifaError as error:
            if self.asked:
                raise DrifaError(f"--images asks for a picture that cannot be shown: {error}") from error
            return None


def image(pixels: np.ndarray, words: str, side: int = SIDE) -> Markup:
    """Pixels as an `<img>` that holds them: encoded anew, so without what the file told beside them.

    Args:
        pixels: uint8 ``[H, W, C]``, C of 1 or 3.
        words: For who cannot see it.
        side: Largest side, in pixels; smaller pictures are not enlarged.
    """
    from PIL import Image

    picture = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    picture.thumbnail((side, side), Image.Resampling.LANCZOS)
    encoded = [(_encoded(picture, "PNG", optimize=True), "png"), (_encoded(picture, "JPEG", quality=QUALITY), "jpeg")]
    data, form = min(encoded, key=lambda one: len(one[0]))
    return Markup('<img src="data:image/{f};base64,{d}" width="{w}" height="{h}" alt="{a}">').format(
        f=form, d=base64.b64encode(data).decode(), w=picture.width, h=picture.height, a=words
    )


def _encoded(picture: Image.Image, form: str, **settings: int) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, form, **settings)
    return buffer.getvalue()
