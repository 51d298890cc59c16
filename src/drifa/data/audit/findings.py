"""What an audit says: typed findings, and the file that keeps them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from drifa.files import write_json
from drifa.version import __version__

#: Version of the JSON; raised when a key changes its meaning or goes away.
AUDIT_VERSION = 1
SEVERITIES = ("error", "warning", "info")
#: Files that a finding lists by name; `count` tells how many there are.
MOST_FILES = 20

Severity = Literal["error", "warning", "info"]


@dataclass(frozen=True)
class Finding:
    """One thing to know about a study.

    Attributes:
        severity: ``error`` (numbers made from this study would be wrong), ``warning`` (look at it) or ``info``.
        rule: Its name, the same in every version; docs/audit.md lists all.
        message: What was found, in a sentence.
        remedy: What to do; "" where nothing needs doing.
        files: The first files concerned, relative to the study's root.
        count: How many files are concerned.
        data: Figures, as plain JSON values.
    """

    severity: Severity
    rule: str
    message: str
    remedy: str = ""
    files: tuple[str, ...] = ()
    count: int = 0
    data: dict[str, Any] = field(default_factory=dict)


def finding(
    severity: Severity, rule: str, message: str, remedy: str = "", files: Sequence[str] = (), data: dict[str, Any] | None = None
) -> Finding:
    """A finding about any number of files."""
    return Finding(severity, rule, message, remedy, tuple(files[:MOST_FILES]), len(files), data or {})


@dataclass(frozen=True)
class Audit:
    """All findings on one study, errors first.

    Attributes:
        study: Its name.
        images: How many it has.
        findings: Errors, warnings, then notes; each in the order of the rules.
        clusters: Row numbers of the images that show the same, one list per picture, ascending.
    """

    study: str
    images: int
    findings: tuple[Finding, ...]
    clusters: tuple[tuple[int, ...], ...] = ()

    def __post_init__(self) -> None:
        ordered = sorted(self.findings, key=lambda one: SEVERITIES.index(one.severity))
        object.__setattr__(self, "findings", tuple(ordered))

    @property
    def ok(self) -> bool:
        """Whether no finding is an error."""
        return not self.reaches("error")

    def reaches(self, severity: Severity) -> bool:
        """Whether a finding is of this severity or a worse one."""
        worse = SEVERITIES[: SEVERITIES.index(severity) + 1]
        return any(one.severity in worse for one in self.findings)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; docs/audit.md describes the keys."""
        return {
            "drifa_audit": AUDIT_VERSION,
            "drifa_version": __version__,
            "study": self.study,
            "images": self.images,
            "counts": {name: sum(one.severity == name for one in self.findings) for name in SEVERITIES},
            "findings": [{**asdict(one), "files": list(one.files)} for one in self.findings],
        }

    def save(self, path: str | Path) -> Path:
        """Writes the JSON."""
        return write_json(path, self.to_json())
