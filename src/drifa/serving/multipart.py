"""A form as it arrives, whole or not at all."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from drifa.serving.limits import Refusal

#: Longest value of a field that is no file, bytes.
LONGEST_VALUE = 2**16
#: Where the last boundary is looked for, bytes from the end.
_TAIL = 512


async def read_form(request: Request, most: int) -> FormData:
    """The form of a request; large files wait in temporary files without a name, until it is closed.

    Args:
        request: Of any type.
        most: Fields, and files.

    Raises:
        Refusal: It is no form (415), or one that is damaged, cut off, or of too many fields (400).
    """
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    if kind != b"multipart/form-data":
        told = kind.decode("latin-1") or "of no type"
        raise Refusal(415, "media", f"the request is {told}; send a form of the type multipart/form-data")
    tail = b""

    async def stream() -> AsyncGenerator[bytes, None]:
        nonlocal tail
        async for chunk in request.stream():
            tail = (tail + chunk[-_TAIL:])[-_TAIL:]
            yield chunk

    parser = MultiPartParser(request.headers, stream(), max_files=most, max_fields=most, max_part_size=LONGEST_VALUE)
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise _damaged(error.message.rstrip(".")) from None
    # The parser passes over a part that is cut off, and the answer would be one of less than was sent.
    if b"--" + options.get(b"boundary", b"") + b"--" not in tail:
        await form.close()
        raise _damaged("its end is missing")
    return form


def close_form(form: FormData) -> None:
    """Closes its files, in any thread; those that wait on the disk are gone then."""
    for _, value in form.multi_items():
        if isinstance(value, UploadFile):
            value.file.close()


def _damaged(reason: str) -> Refusal:
    return Refusal(400, "form", f"the form cannot be read ({reason}); send it again whole")
