"""The files of the page, which asks the same routes as everybody else."""

from __future__ import annotations

from importlib.resources import files

#: Route -> file below ``static`` and its type.
FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/volumes.js": ("volumes.js", "text/javascript; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}


def content_of(route: str) -> tuple[bytes, str]:
    """The bytes and the type of a file of the page.

    Args:
        route: One of :data:`FILES`.
    """
    name, kind = FILES[route]
    return (files("drifa.serving") / "static" / name).read_bytes(), kind
