"""What gives the label away without the picture is found, and chance is not called so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from drifa.data.audit import audit
from drifa.data.audit.shortcuts import column_marks, cross_validated_auc
from tests.data.audit.made import make, picture


def test_a_label_that_the_image_size_gives_away_is_a_warning(tmp_path: Path) -> None:
    study = make(tmp_path, count=80)
    for number in range(1, 80, 2):
        Image.fromarray(picture(number, 40)).save(tmp_path / f"{number:03d}.png")
    found = {one.data["mark"]: one for one in audit(study).findings if one.rule == "shortcut"}
    assert found["image size"].severity == "warning"
    assert found["image size"].data["auc"] > 0.95
    assert found["mean colour"].severity == "info"


def test_a_folder_that_holds_one_class_names_it_and_is_no_shortcut(tmp_path: Path) -> None:
    study = make(tmp_path)
    sites = ["site_b" if number % 2 and number % 10 != 1 else "site_a" for number in range(60)]
    for site in ("site_a", "site_b", "a", "b"):
        (tmp_path / site).mkdir()
    names = study.table["path"]
    for folders in (sites, study.table["kind"].tolist()):
        paths = [f"{folder}/{name}" for folder, name in zip(folders, names, strict=True)]
        for name, path in zip(names, paths, strict=True):
            (tmp_path / path).write_bytes((tmp_path / name).read_bytes())
        result = audit(replace(study, table=study.table.assign(path=paths)))
        marks = {one.data["mark"]: one.severity for one in result.findings if one.rule == "shortcut"}
        assert marks.get("folder") == ("warning" if folders is sites else None)


def test_chance_is_not_called_a_shortcut() -> None:
    random = np.random.default_rng(0)
    flagged = 0
    for seed in range(4):
        label = random.integers(0, 3, 300)
        found = cross_validated_auc(random.normal(size=(300, 2)), label, np.arange(300), seed)
        assert found is not None
        flagged += found[1] > 0.55
        assert abs(found[0] - 0.5) < 0.12
    assert flagged == 0


def test_marks_that_only_name_the_group_do_not_predict_unseen_groups() -> None:
    random = np.random.default_rng(1)
    group = np.repeat(np.arange(60), 8)
    label = random.integers(0, 2, 60)[group]
    found = cross_validated_auc(random.normal(size=60)[group][:, None], label, group)
    assert found is not None
    assert found[1] < 0.6
    assert cross_validated_auc(np.ones((6, 1)), np.array([0, 0, 0, 1, 1, 1]), np.arange(6)) is None


def test_few_groups_have_an_interval_too() -> None:
    label, values = np.repeat([0, 1], 5), np.random.default_rng(0).normal(size=(10, 1))
    found = [cross_validated_auc(values, label, np.arange(10), seed) for seed in range(10)]
    assert np.isfinite(np.array(found, dtype=float)).all()


def test_a_column_that_tells_the_label_is_a_shortcut_and_one_that_does_not_is_none(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    study = make(tmp_path, count=80)
    sick = (study.table["kind"] == "a").to_numpy()
    days = np.datetime64("2020-01-01") + np.where(sick, 0, 500) + random.integers(0, 400, 80)
    site = np.where(sick ^ (random.random(80) < 0.1), "north", "south")
    study = replace(study, table=study.table.assign(site=site, taken=days.astype(str), coin=random.choice(["x", "y"], 80)))
    found = {one.data["mark"]: one for one in audit(study).findings if one.rule == "shortcut"}
    assert found["column 'site'"].severity == found["column 'taken'"].severity == "warning"
    assert found["column 'taken'"].data["auc"] > 0.95
    assert found["column 'coin'"].severity == "info"
    assert not {"column 'kind'", "column 'note'", "column 'subject'", "column 'group'"} & set(found)


def test_numbers_with_gaps_and_names_of_everybody_are_columns_too(tmp_path: Path) -> None:
    study = make(tmp_path, count=60)
    ages = [str(30 + number / 2) if number % 7 else "" for number in range(60)]
    marks = column_marks(replace(study, table=study.table.assign(age=ages, who=[f"name {number}" for number in range(60)])))
    assert marks["column 'age'"].shape == (60, 3)
    assert np.isfinite(marks["column 'age'"]).all()
    assert marks["column 'age'"][:, 1].sum() == 9
    assert not marks["column 'who'"].any()


@pytest.mark.parametrize("written", ["%Y-%m-%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y %H:%M", "%Y"])
def test_dates_keep_their_order_however_they_are_written_and_however_few_they_are(tmp_path: Path, written: str) -> None:
    days = pd.date_range("2011-02-25", "2019-11-30", periods=40)
    study = make(tmp_path, count=40)
    values = column_marks(replace(study, table=study.table.assign(taken=days.strftime(written))))["column 'taken'"]
    assert (np.diff(values[:, 0]) >= 0).all()
    assert len(np.unique(values[:, 0])) == days.strftime(written).nunique()
    sick = np.arange(40) >= 20
    found = cross_validated_auc(values, sick.astype(int), np.arange(40))
    assert found is not None
    assert found[0] > 0.9
