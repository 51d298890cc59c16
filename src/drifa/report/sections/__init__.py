"""The sections of the report, in the order of the page.

A section is a module here with ``record(files)``, which gives what its template shows, or None where the run has nothing of
the sort; a template of the same name; and a line in :data:`SECTIONS`. The links on top of the page follow from the list.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from drifa.report.sections import (
    audit,
    cases,
    classes,
    coverage,
    data,
    environment,
    metrics,
    partners,
    ranges,
    reliability,
    scatter,
    scope,
    subsets,
    training,
    verdict,
    volumes,
)
from drifa.runs.files import RunFiles


class Section(NamedTuple):
    """A part of the page with a heading and a link of its own.

    Attributes:
        anchor: What the link points at.
        link: The words of the link.
        title: The heading.
        record: What the template shows; None if the page has no such section for this run.
    """

    anchor: str
    link: str
    title: str
    record: Callable[[RunFiles], dict[str, Any] | None]

    @property
    def template(self) -> str:
        """Path of the template, which bears the name of the module."""
        return f"sections/{self.record.__module__.rpartition('.')[2]}.jinja"


SECTIONS = (
    Section("summary", "In short", "In short", verdict.record),
    Section("scope", "What it is for", "What this model is and is not for", scope.record),
    Section("data", "Data and split", "Data and split", data.record),
    Section("training", "Training", "Training", training.record),
    Section("audit", "Audit of the data", "Audit of the data", audit.record),
    Section("metrics", "All figures", "All figures", metrics.record),
    Section("classes", "By class", "By class", classes.record),
    Section("reliability", "Honest probabilities", "Are the stated probabilities honest?", reliability.record),
    Section("coverage", "Setting cases aside", "Setting uncertain cases aside", coverage.record),
    Section("scatter", "Prediction against truth", "Prediction against truth", scatter.record),
    Section("ranges", "Honest ranges", "Are the stated ranges honest?", ranges.record),
    Section("cases", "Single cases", "Single cases worth a look", cases.record),
    Section("partners", "Partner images", "Partner images and missing modalities", partners.record),
    Section("subjects", "Every subject", "Every subject", volumes.record),
    Section("subsets", "Missing modalities", "Missing modalities", subsets.record),
    Section("environment", "Settings", "Settings and environment", environment.record),
)
