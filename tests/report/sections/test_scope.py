"""What the model is for: what it will answer anyway, and what each kind of answer hides."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.report.other_runs import edit
from tests.report_page import report


def test_what_it_is_not_for_names_partners_and_the_missing_modality(run: Path) -> None:
    page = report(run)
    assert page.has("scope", "not a medical device")
    assert page.has("scope", "average over 8 such partners")
    assert page.has("scope", "accuracy on cell is 61.2\u00a0%")
    assert page.has("partners", "Mode Ensemble: at least one partner changed the answer for 12 of 120 images (10.0\u00a0%)")


def test_a_run_without_figures_of_missing_modalities_names_their_command(tmp_path: Path, make_run: Callable[..., Path]) -> None:
    run = make_run(tmp_path, members=1, modes=("deterministic",), count=30, epochs=2, resamples=5)

    def drop(metrics: dict[str, Any]) -> None:
        for name in ("accuracy_alone", "balanced_accuracy_alone", "partner_flip_rate"):
            [modes["deterministic"].pop(name) for modes in metrics.values()]

    edit(run / "metrics.json", drop)
    assert report(run).has("scope", "drifa evaluate RUN --subsets makes them")


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("run", "it will still give one of its classes for any picture"),
        ("numbers", "it will still give a number for any picture"),
        ("mixed", "it will still give one of its classes and a number for any picture"),
        ("volumes", "it will still draw its regions, or none, in any volume"),
    ],
)
def test_it_answers_anything_in_its_own_way(kind: str, words: str, request: pytest.FixtureRequest) -> None:
    assert report(request.getfixturevalue(kind)).has("scope", words)


def test_the_error_of_an_image_alone_is_told_in_its_unit(mixed: Path) -> None:
    assert report(mixed).has("scope", "With the image alone, the mean error on age is 7.8\u00a0years")


def test_links_lead_to_sections_that_are_there(mixed: Path) -> None:
    page = report(mixed)
    assert page.has("scope", "Setting cases aside and Honest ranges show what that gains")
    edit(mixed / "metrics.json", lambda metrics: [metrics.pop(task) for task in ("cell", "skin_lesion", "age")])
    page = report(mixed)
    assert "partners" not in page.text
    assert {"href": "#partners"} not in [attributes for _, attributes in page.tags]
