"""Fetching a known dataset from Kaggle: terms first, then one call of kagglehub, which resumes by itself."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from drifa.data.adapters.prepare import ADAPTERS, Adapter
from drifa.errors import DrifaError, suggest

_CACHE = "KAGGLEHUB_CACHE"


def find_adapter(name: str) -> Adapter:
    """The adapter of a dataset that can be fetched.

    Raises:
        DrifaError: An unknown name.
    """
    known = [key for key, adapter in ADAPTERS.items() if adapter.kaggle]
    if name not in known:
        raise DrifaError(f"unknown dataset {name!r}{suggest(name, known)}")
    return ADAPTERS[name]


def terms(adapter: Adapter) -> str:
    """What a user accepts, and whom to cite, in lines for the screen."""
    return (
        f"{adapter.title}\n  licence  {adapter.licence}\n  source   {adapter.source}\n"
        f"  copy     {_page(adapter)}\n  cite     {adapter.citation}"
    )


def download(name: str, out: str | Path, accept_licence: bool = False) -> Path:
    """Fetches the Kaggle copy of a dataset into a new folder.

    A fetch that breaks off leaves its part in ``out/.kagglehub``; the same call goes on from there.

    Args:
        name: A key of ``ADAPTERS``.
        out: Folder to write; it must not hold anything yet, but for the part of an earlier call.
        accept_licence: Says that the user has read :func:`terms` and accepts them.

    Returns:
        ``out``.

    Raises:
        DrifaError: An unknown name, a licence not accepted, a folder in use, no kagglehub, or a fetch that failed.
    """
    adapter = find_adapter(name)
    if not accept_licence:
        raise DrifaError(
            f"nothing downloaded: the licence of {name} is {adapter.licence!r} (see {adapter.source}); add --accept-licence to "
            f"accept it"
        )
    out = Path(os.path.abspath(out))
    if out.exists() and (not out.is_dir() or any(path.name != ".kagglehub" for path in out.iterdir())):
        raise DrifaError(f"{out} exists and is not empty; give a new folder, or prepare from it: {_next(name, out)}")
    try:
        import kagglehub
    except ImportError:
        raise DrifaError(
            f'downloading needs kagglehub: pip install "drifa[download]". Or by hand: {_by_hand(adapter, out)}'
        ) from None
    part = out / ".kagglehub"
    before = os.environ.get(_CACHE)
    # The cache inside `out` makes the last step a rename on one disk instead of a second copy.
    os.environ[_CACHE] = str(part)
    try:
        fetched = Path(kagglehub.dataset_download(adapter.kaggle))
        for path in sorted(fetched.iterdir()):
            os.replace(path, out / path.name)
    except Exception as error:
        # kagglehub passes on what its network library, its server and the disk raise; all of them mean the same here.
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DrifaError(
            f"the download of {adapter.kaggle} failed ({reason}); repeat the command to go on, or fetch it by hand: "
            f"{_by_hand(adapter, out)}"
        ) from None
    finally:
        if before is None:
            del os.environ[_CACHE]
        else:
            os.environ[_CACHE] = before
    shutil.rmtree(part, ignore_errors=True)
    return out


def _page(adapter: Adapter) -> str:
    return f"https://www.kaggle.com/datasets/{adapter.kaggle}"


def _next(name: str, out: Path) -> str:
    return f"drifa data prepare {name} {out} --out STUDY"


def _by_hand(adapter: Adapter, out: Path) -> str:
    return f"open {_page(adapter)}, unpack the archive into {out}, then run: {_next(adapter.name, out)}"
