"""A tabular modality from the study to the prediction, on a miniature HAM10000."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import numpy as np
import pytest
import torch

from drifa import create_model
from drifa.data import Study, prepare
from drifa.data.study.merge import merge_studies
from drifa.data.tabular import add_tabular, fit_encoders
from drifa.errors import DrifaError
from drifa.evaluation.evaluate import evaluate
from drifa.prediction.cases import Case, cases_from_arguments
from drifa.prediction.predict import predict
from drifa.runs.run import Run
from drifa.training.train import train
from tests.studies import TINY_NET, tiny_config

GENERATOR = Path(__file__).parents[1] / "data" / "ham10000" / "data.py"
COLUMNS = ["age", "sex", "localization"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ham")
    runpy.run_path(str(GENERATOR))["write"](folder / "raw", per_class=12)
    prepare("ham10000", folder / "raw", folder / "study")
    return folder / "study"


@pytest.fixture(scope="module")
def run(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    config = tiny_config(folder, modality_dropout=0.3)
    config.data.tabular = {"metadata": COLUMNS}
    config.train.members = 1
    run = train(config, tmp_path_factory.mktemp("runs") / "run", quiet=True)
    evaluate(run.folder, subsets=True)
    return run


def test_every_subject_with_a_value_gets_the_modality(folder):
    study = Study.load(folder)
    more = add_tabular(study, "metadata", ["age"])
    here = more.subjects().present[:, list(more.modalities).index("metadata")]
    ages = study.table.set_index("subject")["age"].reindex(more.subjects().ids)
    np.testing.assert_array_equal(here, (ages != "").to_numpy())
    assert more.tasks["skin_lesion"].modalities == ("dermoscopy", "metadata")


def test_a_study_with_a_tabular_modality_is_saved_and_loaded(folder, tmp_path):
    study = Study.load(folder)
    more = add_tabular(study, "metadata", COLUMNS)
    more.save(tmp_path)
    again = Study.load(tmp_path)
    assert again.modalities == more.modalities
    again.check_files()


def test_a_study_with_a_tabular_modality_is_merged_with_one_without(folder, tmp_path):
    runpy.run_path(str(GENERATOR.parents[1] / "sipakmed" / "data.py"))["write"](tmp_path / "raw")
    prepare("sipakmed", tmp_path / "raw", tmp_path / "study")
    tabular = add_tabular(Study.load(folder), "metadata", COLUMNS)
    cells = Study.load(tmp_path / "study")
    merged = merge_studies([tabular, cells])
    assert list(merged.modalities) == ["dermoscopy", "metadata", "pap_smear"]
    merged.check_files()
    subjects, before = merged.subjects(), tabular.subjects()
    from_first = np.char.startswith(subjects.ids.astype(str), f"{tabular.name}/")
    np.testing.assert_array_equal(subjects.present[from_first, :2], before.present)
    np.testing.assert_array_equal(subjects.present[~from_first], [[False, False, True]] * len(cells.subjects()))
    for study in (merged, tabular):
        study.table["split"] = "train"
    assert fit_encoders(merged) == fit_encoders(tabular)


def test_the_encoding_is_kept_with_the_run_and_knows_training_rows_only(run):
    table = run.study().table
    train_rows = table[(table["modality"] == "metadata") & (table["split"] == "train")]
    assert run.encoders == fit_encoders(run.study())
    age = run.encoders["metadata"].columns[0]
    values = train_rows["age"][train_rows["age"] != ""].astype(float)
    assert age.mean == pytest.approx(values.mean())


def test_every_subset_is_judged(run):
    found = json.loads((run.folder / "evaluation.json").read_text())["subsets"]["skin_lesion"]
    assert set(found) == {"dermoscopy", "metadata", "dermoscopy+metadata"}


def test_a_prediction_takes_values_and_any_subset(run):
    image = run.study().image_path(0)
    both = predict(run.folder, [Case("a", {"dermoscopy": image}, {"age": "50", "sex": "male"})]).to_json()
    other = predict(run.folder, [Case("a", {"dermoscopy": image}, {"age": "90", "sex": "male"})]).to_json()
    alone = predict(run.folder, cases_from_arguments([], ["age=50"])).to_json()
    answers = [result["cases"][0]["tasks"]["skin_lesion"]["probabilities"] for result in (both, other, alone)]
    assert answers[0] != answers[1]
    assert all(sum(answer.values()) == pytest.approx(1) for answer in answers)


def test_a_category_never_seen_in_training_is_told(run):
    told = [
        predict(run.folder, cases_from_arguments([], ["age=50", f"sex={value}"])).to_json()["note"]
        for value in ("male", "", "Male")
    ]
    assert told[:2] == ["", ""]
    assert "sex='Male' of subject 'case' was never seen in training" in told[2]
    assert "did you mean 'male'" in told[2]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["agee=50"], r"'agee' of subject 'case' is no modality or column.*did you mean 'age'"),
        (["age="], "subject 'case' has neither an image nor a value"),
        (["age=50", "age=60"], "column 'age' twice"),
    ],
)
def test_values_that_do_not_fit_are_named(run, values, message):
    with pytest.raises(DrifaError, match=message):
        predict(run.folder, cases_from_arguments([], values))


@pytest.mark.parametrize(
    ("name", "columns", "message"),
    [
        ("dermoscopy", ["age"], "has a modality 'dermoscopy' already"),
        ("metadata", ["agee"], "no column 'agee'.*'age'"),
        ("metadata", ["skin_lesion"], "is a task"),
    ],
)
def test_wrong_columns_are_named(folder, name, columns, message):
    with pytest.raises(DrifaError, match=message):
        add_tabular(Study.load(folder), name, columns)


def test_a_fusion_that_needs_maps_of_one_size_refuses():
    with pytest.raises(DrifaError, match=r"'caf'.*tabular modality 'b'"):
        create_model(fusion="caf", modalities={"a": 3, "b": 5}, tasks={"t": 2}, tabular=["b"], backbone_args=TINY_NET)


@pytest.mark.parametrize("fusion", ["drifa", "concat", "se_matched"])
def test_the_vector_reaches_the_answer_and_every_parameter_learns(fusion):
    torch.manual_seed(0)
    net = create_model(fusion=fusion, modalities={"a": 3, "b": 5}, tasks={"t": 2}, tabular=["b"], backbone_args=TINY_NET)
    image, vector = torch.randn(4, 3, 32, 32), torch.randn(4, 5, 1, 1)
    net({"a": image, "b": vector})["t"].square().sum().backward()
    assert all(parameter.grad is not None for parameter in net.parameters())
    net.eval()
    assert not torch.equal(net({"a": image, "b": vector})["t"], net({"a": image, "b": -vector})["t"])
