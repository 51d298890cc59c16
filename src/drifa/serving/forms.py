"""Cases as forms tell them: files under the names of modalities, texts under those of columns."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from starlette.datastructures import FormData, UploadFile

from drifa.names import file_name
from drifa.prediction.asking import CASE
from drifa.prediction.cases import Case
from drifa.prediction.predictor import Predictor
from drifa.serving.limits import Refusal

#: The field that names the subject of a form.
SUBJECT = "subject"


@dataclass
class Sent:
    """What a client sent of one case.

    Attributes:
        subject: Its name.
        files: Modality -> the name that the client gave the file, and its bytes.
        values: Column -> text.
    """

    subject: str = CASE
    files: dict[str, tuple[str, BinaryIO]] = field(default_factory=dict)
    values: dict[str, str] = field(default_factory=dict)


def columns_of(predictor: Predictor) -> list[str]:
    """The columns of the tabular modalities."""
    return [column.name for encoder in predictor.encoders.values() for column in encoder.columns]


def pictures_of(predictor: Predictor) -> list[str]:
    """The modalities of images."""
    return [name for name in predictor.run.info.modalities if name not in predictor.encoders]


def one_sent(form: FormData, predictor: Predictor) -> Sent:
    """The case of a form.

    Raises:
        Refusal: A field is there twice.
    """
    sent = Sent()
    for name, value in form.multi_items():
        if name == SUBJECT and isinstance(value, str) and name not in columns_of(predictor):
            sent.subject = value or CASE
        else:
            _put(sent, name, name, value)
    return sent


def many_sent(form: FormData, predictor: Predictor, most: int) -> list[Sent]:
    """The cases of a form with fields ``SUBJECT.NAME``, in the order in which their subjects appear.

    Args:
        form: Of the request.
        predictor: Whose modalities and columns they are.
        most: Cases.

    Raises:
        Refusal: A field is there twice or names no subject, or there are more cases.
    """
    known = sorted([*pictures_of(predictor), *columns_of(predictor)], key=len, reverse=True)
    found: dict[str, Sent] = {}
    for whole, value in form.multi_items():
        # A column may have points in its name.
        name = next((one for one in known if whole.endswith(f".{one}")), whole.rpartition(".")[2])
        subject = whole[: -len(name) - 1]
        if not subject:
            raise Refusal(422, "form", f"field {whole!r} names no subject; write it before a point, as in 1.{known[0]}", whole)
        _put(found.setdefault(subject, Sent(subject)), name, whole, value)
    if len(found) > most:
        raise Refusal(422, "form", f"the form has {len(found)} subjects, and {most} are the most; send the rest later")
    return list(found.values())


def _put(sent: Sent, name: str, whole: str, value: str | UploadFile) -> None:
    if name in sent.files or name in sent.values:
        raise Refusal(422, "form", f"field {whole!r} is there twice; send it once", whole)
    if isinstance(value, str):
        sent.values[name] = value
    elif value.filename or value.size:  # a form on a page sends an empty nameless file for a field that was left out
        sent.files[name] = (os.path.basename(value.filename or "") or name, value.file)


@contextmanager
def as_cases(sent: Sequence[Sent]) -> Iterator[list[Case]]:
    """The cases, with their files in a folder that only this user can read and that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="drifa-serve-") as folder:
        cases = []
        for number, one in enumerate(sent):
            images = {}
            for name, (called, content) in one.files.items():
                path = Path(folder) / f"{number}" / file_name(name) / file_name(called)
                path.parent.mkdir(parents=True)
                content.seek(0)  # it may be asked once more
                with path.open("wb") as target:
                    shutil.copyfileobj(content, target)
                images[name] = path
            cases.append(Case(one.subject, images, one.values))
        yield cases
