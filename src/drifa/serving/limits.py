"""What a server accepts, from whom, and how it says no."""

from __future__ import annotations

import ipaddress
import secrets
from dataclasses import dataclass
from pathlib import Path

from drifa.errors import DrifaError

#: Fewest characters of a token.
SHORTEST = 16


@dataclass(frozen=True)
class Limits:
    """How much a server takes on.

    Attributes:
        body: Largest request, bytes.
        waiting: Most requests at a time, the one that is answered included.
        seconds: Longest time from the first byte of a request to its answer.
        batch: Most cases of one request.
    """

    body: int = 64 * 2**20
    waiting: int = 16
    seconds: float = 120.0
    batch: int = 32


class Refusal(Exception):
    """A request that is not answered, and why.

    Args:
        status: Of HTTP.
        kind: The same in one word, for programs.
        message: One sentence for people.
        field: The field of the form that is to blame, if it is one.
    """

    def __init__(self, status: int, kind: str, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.status, self.kind, self.message, self.field = status, kind, message, field

    def to_json(self) -> dict[str, dict[str, str | None]]:
        """Plain data, the body of the response."""
        return {"error": {"type": self.kind, "message": self.message, "field": self.field}}


def is_loopback(host: str) -> bool:
    """Whether nobody but this machine reaches an address."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def read_token(path: Path | None, host: str) -> str | None:
    """What clients must say to be heard; None for nothing, which only this machine itself may do.

    Args:
        path: A file that holds the token and nothing else.
        host: Address that is listened at.

    Raises:
        DrifaError: The file cannot be read or its token is short, or there is none and others reach the address.
    """
    if path is None:
        if not is_loopback(host):
            raise DrifaError(
                f"--host {host} lets other machines ask; give --token-file FILE with {SHORTEST} characters or more that "
                f"clients must send, or keep 127.0.0.1"
            )
        return None
    try:
        token = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise DrifaError(f"--token-file {path} cannot be read ({reason}); name a text file that holds the token") from None
    if len(token) < SHORTEST or not token.isascii() or not token.isprintable() or " " in token:
        raise DrifaError(
            f"the token in {path} has {len(token)} characters; write {SHORTEST} or more letters, digits and signs on one line, "
            f"without blanks"
        )
    return token


def admits(token: str | None, header: bytes) -> bool:
    """Whether an ``Authorization`` header says the token, compared in a time that tells nothing of it."""
    if token is None:
        return True
    kind, _, said = header.partition(b" ")
    return secrets.compare_digest(said.strip(), token.encode()) and kind.lower() == b"bearer"
