"""What every format asks first: is there a readable file, and what do its first bytes say it is?"""

from __future__ import annotations

import errno
import mmap
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

from drifa.errors import DrifaError

#: Enough for the magic of every format: DICOM's stands at byte 128, NIfTI's at 344.
HEAD_BYTES = 352

#: The bytes of a file, in memory or on disk.
Content: TypeAlias = bytes | mmap.mmap

#: First bytes of what often stands where an image should, and what to do about it.
_FOREIGN = (
    (b"PK\x03\x04", "a ZIP archive; unpack it"),
    (b"Rar!", "a RAR archive; unpack it"),
    (b"7z\xbc\xaf", "a 7z archive; unpack it"),
    (b"%PDF", "a PDF document; export its image as PNG"),
    (b"GIF8", "a GIF picture; save it as PNG"),
    (b"\x00\x00\x00\x0cjP  \r\n\x87\n", "a JPEG 2000 picture; save it as PNG"),
    (b"\xff\x4f\xff\x51", "a JPEG 2000 picture; save it as PNG"),
    (b"\x00\x00\x00\x0cJXL \r\n\x87\n", "a JPEG XL picture; save it as PNG"),
    (b"\xff\x0a", "a JPEG XL picture; save it as PNG"),
    (b"BZh", "a bzip2 archive; unpack it"),
    (b"\xfd7zXZ\x00", "an xz archive; unpack it"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive; unpack it"),
    (b"8BPS", "a Photoshop file; save it as PNG"),
    (b"\x89HDF", "an HDF5 file; save its arrays as PNG or NIfTI"),
    (b"version https://git-lfs", "a Git LFS pointer, not the file itself; run `git lfs pull`"),
    (b"<!doctype html", "a web page: the download was refused or needs a login; fetch the file again"),
    (b"<html", "a web page: the download was refused or needs a login; fetch the file again"),
)


#: Brands of the pictures that phones keep in a container of films, by what stands behind `ftyp`.
_BRANDS = {b"avif": "an AVIF", b"avis": "an AVIF", b"heic": "a HEIC", b"heix": "a HEIC", b"heim": "a HEIC", b"heis": "a HEIC"}
_BRANDS |= {b"hevc": "a HEIC", b"hevx": "a HEIC", b"mif1": "a HEIF", b"msf1": "a HEIF"}


def foreign(head: bytes) -> str:
    """What a file of another kind is and what to do about it, by its first bytes; empty where they are not known."""
    # Web pages may start with blank lines and in any case; no image format starts with a letter of these in lower case.
    start = head.lstrip()[:64].lower()
    for magic, meaning in _FOREIGN:
        if head.startswith(magic) or (magic.startswith(b"<") and start.startswith(magic)):
            return meaning
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "a WebP picture; save it as PNG"
    if head[4:8] == b"ftyp":
        return (
            f"{_BRANDS[head[8:12]]} picture; save it as PNG"
            if head[8:12] in _BRANDS
            else "a film; save the frame you mean as PNG"
        )
    if head[257:262] == b"ustar":
        return "a TAR archive; unpack it"
    return ""


def read_head(path: Path, what: str = "image") -> bytes:
    """The first bytes of a file.

    Args:
        path: The file.
        what: How errors call it.

    Raises:
        DrifaError: No such file, a folder, a circle of links, no permission, an empty file, or one of another kind whose
            first bytes tell what it is.
    """
    try:
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            raise DrifaError(f"{path} is a folder; name one {what} file in it")
        if not stat.S_ISREG(status.st_mode):
            raise DrifaError(f"{path} is a device or a pipe; copy its content into an ordinary file")
        with open(path, "rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError as error:
        raise DrifaError(_reason(path, what, error)) from None
    if not head:
        raise DrifaError(f"{what} {path} is empty (0 bytes); fetch it again, or remove its row from the study")
    meaning = foreign(head)
    if meaning:
        raise DrifaError(f"{path} is {meaning}, or remove its row from the study")
    return head


def is_dicom(head: bytes) -> bool:
    """Whether a file's first bytes are those of a DICOM file."""
    # Files without the preamble exist; they start with a low element of group 2 or 8, low byte first.
    return head[128:132] == b"DICM" or (head[:2] in (b"\x02\0", b"\x08\0") and head[2:3] < b"\x70" and head[3:4] == b"\0")


@contextmanager
def mapped(path: Path) -> Iterator[Content]:
    """The bytes of a file that is not empty, without holding them in memory."""
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        yield content


def damaged(path: Path, error: Exception | str, what: str = "image") -> DrifaError:
    """The error for bytes that no decoder understands; decoders meet them with many exception types that mean the same."""
    reason = " ".join(str(error).split()) or type(error).__name__
    return DrifaError(f"{what} {path} is damaged or cut short ({reason}); fetch it again, or remove its row")


def unsupported(path: Path, kind: str, remedy: str = "convert it to PNG", what: str = "image") -> DrifaError:
    """The error for a file that is whole, but of a kind that no decoder here reads; fetching it again would not help.

    Args:
        path: The file.
        kind: What it holds, as a verb phrase: `holds 5 channels`.
        remedy: What to do about it.
        what: How errors call it.
    """
    return DrifaError(f"{what} {path} {kind}: the file is complete, but this kind is not read here; {remedy}")


def _reason(path: Path, what: str, error: OSError) -> str:
    if error.errno == errno.ELOOP:
        return f"{path} is a symbolic link that leads back to itself; link it to the file itself"
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"{what} {path} may not be read by this user ({error.strerror}); change its permissions"
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        dangling = " (a symbolic link to a file that is gone)" if os.path.islink(path) else ""
        return f"no {what} file at {path}{dangling}; correct the path, or the root of the study"
    return f"{what} {path} cannot be read ({error.strerror}); check the disk it lies on"
