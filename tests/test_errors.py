"""The words that help: the nearest valid name, or all of them."""

from __future__ import annotations

import pytest

from drifa.errors import near, on_screen, plural, suggest

NAMES = ["resnet18", "resnet34", "resnext26ts", "regnetx_002", "vgg11_bn"]


@pytest.mark.parametrize("written", ["Resnet18", "resnet_18", "resnet19", "esnet18"])
def test_a_slip_is_answered_with_the_one_name_meant(written: str) -> None:
    assert suggest(written, NAMES) == " (did you mean 'resnet18'?)"


def test_the_name_is_given_as_it_is_written_whatever_the_case_of_the_question() -> None:
    assert suggest("mel", ["MEL", "NV"]) == " (did you mean 'MEL'?)"


def test_the_name_can_be_given_with_what_stands_before_it() -> None:
    assert suggest("esnet18", NAMES, before="model.") == " (did you mean 'model.resnet18'?)"


@pytest.mark.parametrize("written", ["q", None, 7])
def test_what_is_like_nothing_is_answered_with_all_choices(written: object) -> None:
    assert suggest(written, ("a", "b", 3)) == " (choices: a, b, 3)"
    assert suggest(written, ()) == ""


def test_near_names_are_those_that_begin_so_or_else_those_spelled_so() -> None:
    assert near("resn", NAMES) == ["resnet18", "resnet34", "resnext26ts"]
    assert near("resn", NAMES, most=2) == ["resnet18", "resnet34"]
    assert near("rasnet34", NAMES)[0] == "resnet34"
    assert near("", NAMES) == near("qqqq", NAMES) == []


def test_a_count_and_what_it_is_of_agree() -> None:
    assert [plural(count, "pair") for count in (0, 1, 2)] == ["0 pairs", "1 pair", "2 pairs"]
    assert [plural(count, "copy lies", "copies lie") for count in (1, 2)] == ["1 copy lies", "2 copies lie"]


def test_a_name_on_the_screen_stays_on_its_line_and_cannot_steer_the_terminal() -> None:
    assert on_screen("patient 7 ä") == "patient 7 ä"
    assert on_screen("a\x1b[31m\nb") == "a\\x1b[31m\\nb"
    assert len(on_screen("x" * 1_000_000)) == 81
