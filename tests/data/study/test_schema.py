"""What a study declares about itself is read as it was written, and every fault in it is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from drifa.data.study.schema import TEXT_KEYS, Modality, Task, format_header, parse_header
from drifa.data.study.study import Study
from drifa.data.targets import ClassTarget, RegionTarget
from drifa.errors import DrifaError


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("drifa_study: 1", "drifa_study: 2", "study format '2'; this drifa reads format '1'"),
        ("drifa_study: 1\n", "", "add it if this is a drifa study"),
        ("licence:", "license:", r"unknown key 'license' in .*study.yaml \(did you mean 'licence'\?\)"),
        ("channels: 1", "channels: 2", "modality 'scan' of .* has channels: 2"),
        ("channels: 1", "chanels: 1", r"unknown key 'chanels' in modality 'scan' of .*did you mean 'channels'"),
        ("name: tiny\n", "", "has no key 'name'"),
        ("    - scan\n", "    - scam\n", r"names the unknown modality 'scam' \(did you mean 'scan'\?\)"),
        ("  kind:", "  split:", "task 'split' has the name of a column"),
        ("    - '01'\n", "", "task 'kind' has only the class '1'; it needs at least two"),
        ("name: tiny", "name: [tiny", "is not valid YAML"),
    ],
)
def test_every_fault_of_the_header_is_named(study: Study, tmp_path: Path, old: str, new: str, message: str) -> None:
    text = study.save(tmp_path).read_text()
    assert old in text
    (tmp_path / "study.yaml").write_text(text.replace(old, new))
    with pytest.raises(DrifaError, match=message):
        Study.load(tmp_path)


@pytest.mark.parametrize("name", ["a/b", "a.b", "a=b", ""])
def test_names_that_cannot_be_file_names_or_keys_are_refused(name: str) -> None:
    with pytest.raises(DrifaError, match="cannot name a modality"):
        Modality(name)


def test_a_header_is_read_as_it_was_written() -> None:
    header = {
        "name": "tiny",
        "root": "images",
        "notes": "two lines:\nthe second",
        "split_protocol": "strict",
        "reading": 1,
        "reporting": {"ethics": "yes"},
        "modalities": {"photo": Modality("photo", 3), "record": Modality("record", 3, ("age", "sex"))},
        "tasks": {
            "kind": Task("kind", ClassTarget(("no", "01")), ("photo", "record")),
            "tumour": Task("tumour", RegionTarget({"WT": (1, 2), "ET": (2,)}), ("photo",)),
        },
    }
    read = parse_header(format_header(header), "study.yaml")
    assert read == {**dict.fromkeys(TEXT_KEYS, ""), **header}


def test_keys_of_text_take_one_text_and_a_left_out_root_is_the_folder() -> None:
    text = "drifa_study: 1\nname: s\nmodalities:\n  a:\ntasks:\n  t: {classes: [x, y], modalities: [a]}\n"
    assert parse_header(text, "p")["root"] == "."
    assert parse_header(text, "p")["modalities"] == {"a": Modality("a", 3)}
    with pytest.raises(DrifaError, match=r"key 'notes' of p holds \['x'\]; it takes one text"):
        parse_header(f"{text}notes: [x]\n", "p")
    with pytest.raises(DrifaError, match=r"modality 'a' of p takes either channels: 3 or columns"):
        parse_header(text.replace("  a:\n", "  a: {channels: 3, columns: [age]}\n"), "p")


def test_a_task_without_modality_and_a_modality_of_two_channels_are_refused() -> None:
    with pytest.raises(DrifaError, match="task 't' names no modality; list those whose subjects carry its label"):
        Task("t", ClassTarget(("x", "y")), ())
    with pytest.raises(DrifaError, match=r"modality 'a' has channels: 2; use 1 \(grey\) or 3 \(RGB\)"):
        Modality("a", 2)
