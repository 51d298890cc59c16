"""The list of sections is the page: each has a template, and the links follow from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from drifa.report.sections import SECTIONS
from drifa.runs.files import read_run
from tests.report_page import report


def test_every_section_has_its_template_and_every_template_its_section() -> None:
    import drifa.report.sections as package

    folder = Path(package.__file__).parent
    assert sorted(section.template for section in SECTIONS) == sorted(
        f"sections/{path.name}" for path in folder.glob("*.jinja")
    )
    assert len({section.anchor for section in SECTIONS}) == len({section.record for section in SECTIONS}) == len(SECTIONS)


@pytest.mark.parametrize("kind", ["run", "numbers", "mixed", "volumes"])
def test_the_page_has_the_sections_that_have_a_record_in_the_order_of_the_list(
    kind: str, request: pytest.FixtureRequest
) -> None:
    run = request.getfixturevalue(kind)
    page, files = report(run), read_run(run)
    told = [section for section in SECTIONS if section.record(files) is not None]
    assert [attributes["id"] for tag, attributes in page.tags if tag == "section"] == [section.anchor for section in told]
    links = [str(attributes["href"]) for tag, attributes in page.tags if tag == "a"]
    assert links[: len(told)] == [f"#{section.anchor}" for section in told]
    assert all(page.has(section.anchor, section.title) for section in told)
    anchors = {attributes.get("id") for _, attributes in page.tags}
    assert {link[1:] for link in links if link.startswith("#")} <= anchors
