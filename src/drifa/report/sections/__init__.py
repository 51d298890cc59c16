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
    curves,
    data,
    decisions,
    environment,
    explanations,
    limits,
    metrics,
    model,
    partners,
    ranges,
    reliability,
    scatter,
    scope,
    statements,
    subgroups,
    subsets,
    training,
    trust,
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
        claim: Items of CLAIM (2024 update, https://doi.org/10.1148/ryai.240300) that the section serves, for who writes the
            run up.
        tripod: Likewise of TRIPOD+AI (2024, https://doi.org/10.1136/bmj-2023-078378).
    """

    anchor: str
    link: str
    title: str
    record: Callable[[RunFiles], dict[str, Any] | None]
    claim: str = ""
    tripod: str = ""

    @property
    def checklist(self) -> str:
        """Both guidelines' items, as they stand beside the heading."""
        named = (("CLAIM", self.claim), ("TRIPOD+AI", self.tripod))
        return " · ".join(f"{guideline} {items}" for guideline, items in named if items)

    @property
    def template(self) -> str:
        """Path of the template, which bears the name of the module."""
        return f"sections/{self.record.__module__.rpartition('.')[2]}.jinja"


SECTIONS = (
    Section("summary", "In short", "In short", verdict.record, claim="37", tripod="23a"),
    Section("scope", "What it is for", "What this model is and is not for", scope.record, claim="41"),
    Section("data", "Data and split", "Data and split", data.record, claim="7, 19, 20, 35", tripod="5a, 16, 20b"),
    Section("audit", "Audit of the data", "Audit of the data", audit.record),
    Section("model", "Model", "Model and compute", model.record, claim="22, 24", tripod="22"),
    Section("training", "Training", "Training", training.record, claim="25, 26", tripod="21"),
    Section("metrics", "All figures", "All figures", metrics.record, claim="29, 37", tripod="23a"),
    Section("classes", "By class", "By class", classes.record, claim="37", tripod="23a"),
    Section("curves", "Curves", "Found against falsely called", curves.record, claim="38", tripod="23a"),
    Section("decisions", "Worth acting on", "Is acting on it worth it?", decisions.record, claim="37", tripod="23a"),
    Section("scatter", "Prediction against truth", "Prediction against truth", scatter.record, claim="37", tripod="23a"),
    Section("subjects", "Every subject", "Every subject", volumes.record, claim="37, 39", tripod="23a"),
    Section(
        "reliability",
        "Honest probabilities",
        "Are the stated probabilities honest?",
        reliability.record,
        claim="37",
        tripod="23a",
    ),
    Section("ranges", "Honest ranges", "Are the stated ranges honest?", ranges.record, claim="37", tripod="23a"),
    Section("trust", "After calibration", "After calibration: probabilities, sets, referral", trust.record),
    Section("coverage", "Setting cases aside", "Setting uncertain cases aside", coverage.record),
    Section("partners", "Partner images", "Partner images and missing modalities", partners.record, claim="30"),
    Section("subsets", "Missing modalities", "Missing modalities", subsets.record, claim="30"),
    Section("subgroups", "Subgroups", "As good for everybody?", subgroups.record, tripod="14, 23a"),
    Section("explanations", "Explanations", "Why it answers as it does", explanations.record, claim="31"),
    Section("cases", "Single cases", "Single cases worth a look", cases.record, claim="39"),
    Section("limits", "Limits", "Limits that the numbers show", limits.record, claim="40", tripod="26"),
    Section("statements", "Statements", "Ethics, funding, registration", statements.record),
    Section("environment", "Settings", "Settings and environment", environment.record, claim="23"),
)
