"""Tabular modality: what its encoding promises."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import torch

from drifa.data.tabular import TabularEncoder
from drifa.errors import DrifaError


@pytest.fixture
def table() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "age": ["45.0", "", "60", "30"],
            "sex": ["male", "female", "", "male"],
            "code": ["1", "2", "3", "4"],
            "blank": ["", "", "", ""],
        }
    )


def test_a_number_is_standardised_on_the_training_rows_alone(table):
    encoder = TabularEncoder.fit(table, ["age"])
    known = encoder.encode(table)[[0, 2, 3], 0, 0, 0]
    assert known.mean() == pytest.approx(0, abs=1e-6)
    assert known.std(correction=0) == pytest.approx(1, abs=1e-6)
    later = encoder.encode(pd.DataFrame({"age": ["45", "1000"]}))
    assert later[0, 0] == encoder.encode(table)[0, 0]
    assert later[1, 0] > 10


def test_exactly_one_feature_of_a_category_is_on(table):
    code = TabularEncoder.fit(table, ["sex"]).encode(table)[:, :, 0, 0]
    assert torch.equal(code.sum(dim=1), torch.ones(4))
    assert torch.equal(code[0], code[3])
    assert not torch.equal(code[0], code[1])


@pytest.mark.parametrize("column", ["age", "sex"])
@pytest.mark.parametrize("missing", ["", None, np.nan, "  "])
def test_a_missing_value_is_a_flag_and_zeros(table, column, missing):
    encoder = TabularEncoder.fit(table, [column])
    code = encoder.encode(pd.DataFrame({column: [missing]}))[0, :, 0, 0]
    assert code[-1] == 1
    assert not code[:-1].any()


def test_a_category_never_seen_in_training_counts_as_missing(table):
    encoder = TabularEncoder.fit(table, ["sex"])
    assert torch.equal(encoder.encode(pd.DataFrame({"sex": ["other"]})), encoder.encode(pd.DataFrame({"sex": [""]})))


@pytest.mark.parametrize("word", ["NA", "nan", "n/a", "None", "?"])
def test_words_for_a_missing_number_leave_the_column_a_number(table, word):
    worded = table.assign(age=table["age"].replace("", word))
    encoder = TabularEncoder.fit(worded, ["age"])
    assert encoder == TabularEncoder.fit(table, ["age"])
    assert torch.equal(encoder.encode(worded), encoder.encode(table))
    with pytest.raises(DrifaError, match="'code' is empty in all training rows"):
        TabularEncoder.fit(table.assign(code=word), ["code"])


def test_columns_do_not_mix_and_keep_their_order(table):
    both = TabularEncoder.fit(table, ["sex", "age"])
    parts = [TabularEncoder.fit(table, [name]).encode(table) for name in ("sex", "age")]
    assert torch.equal(both.encode(table), torch.cat(parts, dim=1))
    assert len(both.features) == both.width == both.encode(table).shape[1]


def test_survives_json(table):
    encoder = TabularEncoder.fit(table, ["age", "sex", "code"])
    again = TabularEncoder.from_json(json.loads(json.dumps(encoder.to_json())))
    assert again == encoder


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (["agee"], "no column 'agee'.*did you mean 'age'"),
        (["age", "age"], "listed twice"),
        (["blank"], "empty in all training rows"),
        ([], "at least one column"),
    ],
)
def test_bad_columns_are_named(table, columns, message):
    with pytest.raises(DrifaError, match=message):
        TabularEncoder.fit(table, columns)


def test_a_number_out_of_reach_of_training_is_implausible(table):
    encoder = TabularEncoder.fit(table, ["age", "sex"])
    age, sex = TabularEncoder.from_json(encoder.to_json()).columns
    assert (age.low, age.high) == (30, 60)
    assert [value for value in ("15", "14", "75", "76", "1954", "", "NA") if age.implausible(value)] == ["14", "76", "1954"]
    assert not sex.implausible("1954")


def test_text_where_training_had_numbers_is_refused(table):
    encoder = TabularEncoder.fit(table, ["age"])
    with pytest.raises(DrifaError, match=r"'about 40'.*number in training"):
        encoder.encode(pd.DataFrame({"age": ["about 40"]}))
    with pytest.raises(DrifaError, match="column 'age' is missing"):
        encoder.encode(pd.DataFrame({"years": ["40"]}))


def test_free_text_is_refused():
    table = pd.DataFrame({"note": [f"text {n}" for n in range(200)]})
    with pytest.raises(DrifaError, match="200 different texts"):
        TabularEncoder.fit(table, ["note"])
