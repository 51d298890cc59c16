"""Evaluation of a run: what is written, and what must not change it."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from drifa import DrifaError
from drifa.data import split, write_receipt
from drifa.evaluation.evaluate import _where, evaluate
from drifa.files import write_json
from drifa.metrics.classification import METRICS
from drifa.runs.run import Run
from drifa.uncertainty.modes import MODES
from tests.evaluation.outputs import read


def test_metrics_are_nested_by_task_and_mode_with_intervals(paired_run: Run) -> None:
    metrics, evaluation, _ = read(paired_run.folder)
    assert set(metrics) == {"surface", "depth", "spread"}
    for modes in metrics.values():
        assert tuple(modes) == MODES
        for values in modes.values():
            assert set(METRICS) <= set(values)
            for interval in values.values():
                if interval["low"] is not None:
                    assert interval["low"] <= interval["high"]
    assert evaluation["partners"] == 0


def test_metrics_follow_from_the_written_predictions(unpaired_run: Run) -> None:
    metrics, evaluation, table = read(unpaired_run.folder)
    for task, modes in metrics.items():
        for mode, values in modes.items():
            rows = table[(table.task == task) & (table["mode"] == mode)]
            main, alone = (rows[rows.condition == condition] for condition in ("partners", "alone"))
            assert values["accuracy"]["value"] == pytest.approx(main["correct"].astype(float).mean())
            assert values["accuracy_alone"]["value"] == pytest.approx(alone["correct"].astype(float).mean())
            assert len(main) == evaluation["tasks"][task]["count"] * main["member"].nunique()
        flips = table[(table.task == task) & (table["mode"] == "deterministic") & (table.condition == "partners")]
        assert modes["deterministic"]["partner_flip_rate"]["value"] == pytest.approx(flips["flip_rate"].mean())


def test_every_target_is_judged_once_and_only_on_its_own_task(unpaired_run: Run) -> None:
    study = unpaired_run.study()
    subjects = study.subjects()
    _, _, table = read(unpaired_run.folder)
    for task, modality in (("surface", "photo"), ("depth", "ultrasound")):
        column = subjects.modalities.index(modality)
        expected = {subjects.ids[i] for i in subjects.in_split("test") if subjects.image[i, column] >= 0}
        rows = table[(table.task == task) & (table["mode"] == "ensemble_mc") & (table.condition == "partners")]
        assert sorted(rows["subject"]) == sorted(expected)


def test_the_ensemble_is_the_mean_of_its_members(paired_run: Run) -> None:
    _, _, table = read(paired_run.folder)
    spread = table[table.task == "spread"]
    for single, joint in (("deterministic", "ensemble"), ("mc", "ensemble_mc")):
        rows = {
            member: np.stack(spread[(spread["mode"] == mode) & (spread.member == member)]["probabilities"])
            for mode, member in ((single, 0), (single, 1), (joint, -1))
        }
        np.testing.assert_allclose((rows[0] + rows[1]) / 2, rows[-1], atol=1e-9)


@pytest.mark.parametrize("kind", ["paired_run", "unpaired_run"])
def test_results_do_not_depend_on_the_batch_size(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    run: Run = request.getfixturevalue(kind)
    copy = tmp_path / "run"
    shutil.copytree(run.folder, copy)
    config = yaml.safe_load((copy / "config.yaml").read_text())
    config["evaluate"]["batch_size"] = 3
    config["data"]["cache"] = str(run.folder.parent / ".cache")
    (copy / "config.yaml").write_text(yaml.safe_dump(config))
    evaluate(copy)
    first, second = (read(folder)[2] for folder in (run.folder, copy))
    for column in ("predictive_entropy", "mutual_information", "std", "confidence"):
        np.testing.assert_allclose(first[column], second[column], atol=2e-5)
    assert (first["predicted"] == second["predicted"]).all()


def test_evaluating_twice_gives_the_same_files(unpaired_run: Run, tmp_path: Path) -> None:
    evaluate(unpaired_run.folder, out=tmp_path)
    assert (tmp_path / "metrics.json").read_text() == (unpaired_run.folder / "metrics.json").read_text()


def test_another_split_goes_to_its_own_folder(paired_run: Run) -> None:
    before = (paired_run.folder / "metrics.json").read_text()
    where, _ = evaluate(paired_run.folder, split="val")
    assert where == paired_run.folder / "evaluations" / "own-val"
    assert set(read(where)[2]["split"]) == {"val"}
    assert (paired_run.folder / "metrics.json").read_text() == before


def test_an_evaluation_of_a_study_of_any_name_stays_in_the_run(paired_run: Run) -> None:
    places = {}
    for name in ("../../x", "/any/place", "..", "a b", "a/b"):
        where = _where(paired_run, replace(paired_run.study(), name=name), "all")
        assert where.resolve().parent == (paired_run.folder / "evaluations").resolve()
        places[name] = where
    assert places["a b"] == places["a/b"]
    write_json(places["a b"] / "evaluation.json", {"study": "a b"})
    with pytest.raises(DrifaError, match=r"a_b-all holds the evaluation of study 'a b', not of 'a/b'; choose another --out"):
        _where(paired_run, replace(paired_run.study(), name="a/b"), "all")
    shutil.rmtree(places["a b"])


def test_an_unknown_split_is_refused(paired_run: Run) -> None:
    with pytest.raises(DrifaError, match="choices: test"):
        evaluate(paired_run.folder, split="tset")


def test_all_leaves_out_what_was_set_aside(paired_run: Run, tmp_path: Path) -> None:
    run = Path(shutil.copytree(paired_run.folder, tmp_path / "run"))
    config = yaml.safe_load((run / "config.yaml").read_text())
    config["data"]["cache"] = str(paired_run.folder.parent / ".cache")
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    study = paired_run.study()
    group = study.subjects().group[study.subjects().in_split("train")[0]]
    table = study.table.assign(split=study.table["split"].where(study.table["group"] != group, "unused"))
    made = replace(study, table=table)
    write_receipt(made, split(made, "given")[1], run)
    where, _ = evaluate(run, split="all")
    subjects = made.subjects()
    assert set(read(where)[2]["subject"]) == set(subjects.ids[subjects.group != group])
    assert read(where)[1]["subjects"] == (subjects.group != group).sum() < len(subjects)


def test_settings_told_anew_are_used_and_written_and_the_run_stays(paired_run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    before = (paired_run.folder / "config.yaml").read_bytes()
    _, metrics = evaluate(paired_run.folder, out=folder, settings={"passes": 0, "tta": ["flip"]})
    told = json.loads((folder / "evaluation.json").read_text())
    assert (told["passes"], told["tta"]) == (0, ["flip"])
    assert all("mc" not in modes for modes in metrics.values())
    assert (paired_run.folder / "config.yaml").read_bytes() == before
    with pytest.raises(DrifaError, match=r"evaluate\.passs.*did you mean 'passes'|evaluate\.passs.*passes"):
        evaluate(paired_run.folder, out=folder, settings={"passs": 0})


def test_what_it_will_cost_is_told_before_it_costs(paired_run: Run, tmp_path: Path) -> None:
    steps: list[tuple[int, int, str]] = []
    evaluate(paired_run.folder, out=tmp_path / "out", progress=lambda *step: steps.append(step))
    settings, members = paired_run.config.evaluate, len(paired_run.trained_members())
    asked = [step for step in steps if step[2].startswith("asking ")]
    count = len(paired_run.study().subjects().in_split("test"))
    assert asked[0] == (0, count, f"asking photo+ultrasound {members * (1 + settings.passes)} times")
    assert asked[-1][:2] == (count, count)
