"""Writing files so that a reader never sees half of one: write beside the target, then rename."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def atomic_path(target: str | Path) -> Iterator[Path]:
    """Yields a temporary path in the target's folder and renames it onto ``target`` on success.

    On any exception (a full disk and Ctrl-C included) the temporary file is removed and whatever stood at ``target``
    before is untouched.
    """
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        yield temporary
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(target: str | Path, text: str) -> Path:
    """Writes ``text`` as UTF-8, all or nothing."""
    with atomic_path(target) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")
    return Path(target)


def write_json(target: str | Path, value: Any) -> Path:
    """Writes ``value`` as indented JSON, all or nothing; NaN is refused, so that any JSON reader can read the file."""
    return write_text(target, json.dumps(value, indent=2, allow_nan=False) + "\n")
