"""The page in a real browser: what a person does with a mouse, with keys, on a phone and in the dark."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from drifa.runs.run import Run

#: An answer of a network on a busy machine, milliseconds.
PATIENCE = 60_000


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    with opened(browser, address) as page:
        yield page


@pytest.fixture
def page_of_volumes(browser: Browser, address_of_volumes: str) -> Iterator[Page]:
    with opened(browser, address_of_volumes) as page:
        yield page


@contextmanager
def opened(browser: Browser, address: str) -> Iterator[Page]:
    """The page, ready; nothing may have been asked of anybody else, and nothing may have failed."""
    page = browser.new_page()
    page.set_default_timeout(PATIENCE)
    expect.set_options(timeout=PATIENCE)
    own = (address, "blob:")
    strangers: list[str] = []
    page.on("request", lambda request: strangers.append(request.url) if not request.url.startswith(own) else None)
    mistakes: list[str] = []
    consoles: list[str] = []
    page.on("pageerror", lambda error: mistakes.append(str(error)))
    page.on("console", lambda said: consoles.append(said.text))
    page.goto(address)
    page.wait_for_selector("body[data-ready=yes]")
    yield page
    page.close()
    assert not strangers
    assert not mistakes
    # The browser itself notes a refusal of the server there.
    assert not [text for text in consoles if "Failed to load resource" not in text]


@pytest.fixture
def images(paired_run: Run) -> dict[str, Path]:
    """Of one subject: modality -> file."""
    study = paired_run.study()
    rows = study.table[study.table["subject"] == study.table["subject"].iloc[0]]
    return {modality: study.root / path for modality, path in zip(rows["modality"], rows["path"], strict=True)}


def test_every_modality_and_example_is_there(page: Page) -> None:
    assert page.locator("input[type=file]").evaluate_all("all => all.map(one => one.name)") == ["photo", "ultrasound"]
    assert "smooth and thin" in page.locator("#examples button").all_text_contents()


def test_two_images_are_answered_with_bars_verdict_and_maps(page: Page, images: dict[str, Path]) -> None:
    for modality, path in images.items():
        page.set_input_files(f"input[name={modality}]", path)
    page.get_by_role("button", name="Ask the model").click()
    expect(page.locator("#answer")).to_be_visible()
    assert page.locator("article.task h3").all_text_contents() == ["surface", "depth", "spread"]
    for task in page.locator("article.task").all():
        shares = [float(text.removesuffix(" %")) for text in task.locator("tr td:last-child").all_text_contents()]
        assert sum(shares) == pytest.approx(100, abs=0.2)
    expect(page.locator("#maps figure").first).to_be_visible()
    slider = page.locator("#maps input[type=range]").first
    slider.fill("0")
    assert page.locator("#maps .stack img").nth(1).evaluate("one => one.style.opacity") == "0"


def test_a_missing_modality_is_named(page: Page, images: dict[str, Path]) -> None:
    page.set_input_files("input[name=photo]", images["photo"])
    page.get_by_role("button", name="Ask the model").click()
    expect(page.locator("#told")).to_contain_text("Without ultrasound.")


def test_a_file_that_is_no_image_is_refused_beside_its_field_and_can_be_mended(
    page: Page, images: dict[str, Path], tmp_path: Path
) -> None:
    wrong = tmp_path / "letter.png"
    wrong.write_text("no picture")
    page.set_input_files("input[name=photo]", wrong)
    page.get_by_role("button", name="Ask the model").click()
    expect(page.get_by_role("alert")).to_contain_text("letter.png")
    expect(page.locator(".drop.wrong strong")).to_have_text("photo")
    expect(page.locator("#answer")).to_be_hidden()
    page.set_input_files("input[name=photo]", images["photo"])
    expect(page.get_by_role("alert")).to_be_hidden()
    page.get_by_role("button", name="Ask the model").click()
    expect(page.locator("#answer")).to_be_visible()


def test_an_example_is_asked_with_keys_alone_and_the_answer_gets_the_focus(page: Page) -> None:
    names = page.locator("#examples button").all_text_contents()
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent") == names[0]:
            break
    else:
        pytest.fail("no number of tabs reaches the first example")
    page.keyboard.press("Enter")
    expect(page.locator("#answer-title")).to_be_focused()
    expect(page.locator("#status")).to_contain_text("Answered.")


def coloured(page: Page) -> list[int]:
    """Pixels of each canvas that are not grey."""
    found: list[int] = page.locator("#volumes canvas").evaluate_all(
        """all => all.map(one => {
            const copy = new OffscreenCanvas(one.width, one.height).getContext("2d", { willReadFrequently: true });
            copy.drawImage(one, 0, 0);
            const { data } = copy.getImageData(0, 0, one.width, one.height);
            let count = 0;
            for (let at = 0; at < data.length; at += 4) count += data[at] !== data[at + 1] || data[at] !== data[at + 2];
            return count;
        })"""
    )
    return found


def test_slices_of_volumes_are_leafed_through_with_keys_and_regions_lie_over_them(
    page_of_volumes: Page, volumes: dict[str, Path]
) -> None:
    page, slider = page_of_volumes, page_of_volumes.get_by_role("slider", name="Slice")
    for modality, path in volumes.items():
        page.set_input_files(f"input[name={modality}]", path)
    with page.expect_response("**/v1/predict?slices=true") as found:
        page.get_by_role("button", name="Ask the model").click()
    regions = found.value.json()["tasks"]["tumour"]["regions"]
    expect(page.locator("#answer-title")).to_be_focused()
    assert page.locator("#volumes figcaption").all_text_contents() == list(volumes)
    rows = [row.inner_text() for row in page.locator(".legend tbody tr").all()]
    assert len(rows) == len(regions)
    for row, (name, region) in zip(rows, regions.items(), strict=True):
        assert name in row
        assert f"{region['volume_ml']:.1f} ml" in row
    content = "all => all.map(one => one.toDataURL())"
    slider.fill("7")
    before = page.locator("#volumes canvas").evaluate_all(content)
    slider.focus()
    page.keyboard.press("ArrowRight")
    assert slider.get_attribute("aria-valuetext") == "slice 8 of 16"
    after = page.locator("#volumes canvas").evaluate_all(content)
    assert all(one != other for one, other in zip(before, after, strict=True))
    assert all(coloured(page))
    page.get_by_label("Opacity of the regions").fill("0")
    assert coloured(page) == [0, 0]
    page.get_by_label("Opacity of the regions").fill("100")
    for name in regions:
        page.get_by_role("checkbox", name=name).uncheck()
    assert coloured(page) == [0, 0]
    page.get_by_role("checkbox", name="WT").check()
    assert all(coloured(page))
    page.set_viewport_size({"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_a_volume_alone_is_answered_without_the_other(page_of_volumes: Page, volumes: dict[str, Path]) -> None:
    page_of_volumes.set_input_files("input[name=t1]", volumes["t1"])
    page_of_volumes.get_by_role("button", name="Ask the model").click()
    expect(page_of_volumes.locator("#told")).to_contain_text("Without flair.")
    expect(page_of_volumes.locator("#volumes canvas")).to_have_count(1)


def test_a_phone_needs_no_sideways_scrolling(page: Page) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    page.locator("#examples button").first.click()
    expect(page.locator("#maps figure").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    expect(page.locator(".notice")).to_be_in_viewport()


def test_text_can_be_read_in_the_light_and_in_the_dark(page: Page) -> None:
    colours = "() => { const s = getComputedStyle(document.body); return [s.color, s.backgroundColor]; }"
    grounds = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        text, ground = (luminance(value) for value in page.evaluate(colours))
        light, dark = max(text, ground), min(text, ground)
        assert (light + 0.05) / (dark + 0.05) >= 7  # WCAG 2.2, level AAA
        grounds.append(ground)
    assert grounds[1] < grounds[0]


def luminance(colour: str) -> float:
    """Relative luminance of ``rgb(r, g, b)``, as WCAG 2.2 defines it."""
    parts = [float(part) / 255 for part in colour[colour.index("(") + 1 : -1].split(",")[:3]]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
