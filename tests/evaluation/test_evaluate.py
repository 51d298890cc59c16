"""Evaluation of a run: what is written, and what must not change it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from drifa import DrifaError
from drifa.data import Study, make_phantom
from drifa.evaluation.evaluate import evaluate
from drifa.metrics.classification import METRICS
from drifa.runs.run import Run
from drifa.uncertainty.modes import MODES


def read(folder: Path) -> tuple[dict, dict, pd.DataFrame]:
    metrics, evaluation = (json.loads((folder / f"{name}.json").read_text()) for name in ("metrics", "evaluation"))
    return metrics, evaluation, pd.read_parquet(folder / "predictions.parquet")


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


class TestExternal:
    def test_the_own_images_as_another_study_give_the_own_answers(self, unpaired_run: Run, tmp_path: Path) -> None:
        own = unpaired_run.study()
        own.save(tmp_path / "other")
        where, _ = evaluate(unpaired_run.folder, study=tmp_path / "other", split="test", out=tmp_path / "out")
        inside, outside = read(unpaired_run.folder)[2], read(where)[2]
        rows = [
            table[(table.condition == "alone") & (table["mode"] == "deterministic") & (table.member == 0)].sort_values(
                "subject"
            )
            for table in (inside, outside)
        ]
        np.testing.assert_allclose(np.stack(rows[0]["confidence"]), np.stack(rows[1]["confidence"]), atol=1e-5)

    def test_classes_are_matched_by_name(self, paired_run: Run, tmp_path: Path) -> None:
        other = paired_run.study()
        other.save(tmp_path / "other")
        text = yaml.safe_load((tmp_path / "other" / "study.yaml").read_text())
        for task in text["tasks"].values():
            task["classes"] = task["classes"][::-1]
        (tmp_path / "other" / "study.yaml").write_text(yaml.safe_dump(text))
        _, metrics = evaluate(paired_run.folder, study=tmp_path / "other", split="test", out=tmp_path / "out")
        own = read(paired_run.folder)[0]
        for task in own:
            assert metrics[task]["ensemble"]["accuracy"]["value"] == pytest.approx(own[task]["ensemble"]["accuracy"]["value"])

    def test_one_modality_of_a_paired_run_is_enough(self, paired_run: Run, tmp_path: Path) -> None:
        paired_run.study().select(["photo"]).save(tmp_path / "photos")
        _, metrics = evaluate(paired_run.folder, study=tmp_path / "photos", split="all", out=tmp_path / "out")
        assert "surface" in metrics
        assert "depth" not in metrics

    def test_a_class_that_the_run_does_not_know_is_named(self, paired_run: Run, tmp_path: Path) -> None:
        other = make_phantom(tmp_path / "other", subjects=40, image_size=32)
        other.save(tmp_path / "other")
        for name in ("study.yaml", "study.csv"):
            path = tmp_path / "other" / name
            path.write_text(path.read_text().replace("ragged", "raggedy"))
        with pytest.raises(DrifaError, match=r"'raggedy'.*did you mean 'ragged'"):
            evaluate(paired_run.folder, study=tmp_path / "other", split="all")

    def test_a_study_without_a_split_asks_for_all(self, paired_run: Run, tmp_path: Path) -> None:
        make_phantom(tmp_path / "other", subjects=40, image_size=32)
        with pytest.raises(DrifaError, match="--split all"):
            evaluate(paired_run.folder, study=tmp_path / "other")

    def test_a_study_with_nothing_in_common_is_refused(self, unpaired_run: Run, tmp_path: Path) -> None:
        study = make_phantom(tmp_path / "other", subjects=40, image_size=32)
        text = (tmp_path / "other" / "study.yaml").read_text()
        for name in ("surface", "depth"):
            text = text.replace(f"{name}:", f"{name}2:")
        (tmp_path / "other" / "study.yaml").write_text(text)
        table = study.table.rename(columns={"surface": "surface2", "depth": "depth2"})
        table.to_csv(tmp_path / "other" / "study.csv", index=False)
        assert "surface2" in Study.load(tmp_path / "other").tasks
        with pytest.raises(DrifaError, match="surface2"):
            evaluate(unpaired_run.folder, study=tmp_path / "other", split="all")


def test_an_unknown_split_is_refused(paired_run: Run) -> None:
    with pytest.raises(DrifaError, match="choices: test"):
        evaluate(paired_run.folder, split="tset")
