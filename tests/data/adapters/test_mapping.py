"""The mapping of a table is read strictly, and every fault in it is named with its remedy."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from drifa.data.adapters.mapping import read_mapping
from drifa.errors import DrifaError
from tests.data.adapters.miniatures import Folder, rewritten, set_keys


def test_a_mapping_that_is_no_mapping_is_refused(fake: Folder) -> None:
    mapping = fake("table") / "mapping.yaml"
    for text, message in (
        ("a: [", "not valid YAML"),
        ("- a", "should hold 'key: value' lines"),
        ("table: x.csv", "key 'name' is missing"),
    ):
        mapping.write_text(text)
        with pytest.raises(DrifaError, match=message):
            read_mapping(mapping)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (set_keys(grop="patient"), r"unknown key 'grop' \(did you mean 'group'\?\)"),
        (set_keys(subject=""), "subject = '': string should have at least 1 character"),
        (set_keys(path="photo_file"), "keep one of the two ways"),
        (set_keys(modalities={"photo": {}}), "modality 'photo' has no path column"),
        (set_keys(tasks={"d": {"column": "dx", "regions": {"a": ["one"]}}}), r"tasks.d.regions.a.0 = 'one'"),
        (
            set_keys(modalities={"photo": {"path": "photo_file", "chanels": "1"}}),
            r"modalities.photo.chanels' \(did you mean 'channels'",
        ),
        (set_keys(modality="kind"), "keep one of the two ways"),
        (set_keys(path="p", modalities={"photo": {}}), "needs both 'path' and 'modality'; add 'modality'"),
        (
            set_keys(modalities={"photo": {"path": "photo_file", "value": "PH"}}),
            "has a 'value', which only a table with",
        ),
        (set_keys(tasks={"d": {"column": "dx", "classes": ["B", "M"], "regions": {"a": [1]}}}), "both classes and regions"),
    ],
)
def test_a_key_that_is_wrong_is_named_before_the_table_is_read(fake: Folder, change: Callable[..., None], message: str) -> None:
    mapping = rewritten(fake("table"), change)
    (mapping.parent / "cases.csv").unlink()
    with pytest.raises(DrifaError, match=message):
        read_mapping(mapping)


def test_the_columns_that_a_mapping_names_are_known_by_their_keys(fake: Folder) -> None:
    wide = read_mapping(fake("table") / "mapping.yaml")
    assert wide.columns() == {
        "subject": "case",
        "group": "patient",
        "modalities.photo.path": "photo_file",
        "modalities.ultrasound.path": "us_file",
        "tasks.diagnosis.column": "dx",
        "tasks.site.column": "where",
    }


def test_values_that_look_like_numbers_and_booleans_stay_texts(fake: Folder) -> None:
    path = fake("table") / "mapping.yaml"
    path.write_text(path.read_text().replace("{B: benign, M: malignant}", "{01: no, 2: yes}"))
    assert read_mapping(path).tasks["diagnosis"].classes == {"01": "no", "2": "yes"}
