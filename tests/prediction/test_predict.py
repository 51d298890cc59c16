"""Prediction: the same answers as the evaluation gives, for any subset of the modalities."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import drifa
from drifa import DrifaError
from drifa.prediction import sources
from drifa.prediction.answers import Answer, as_table
from drifa.prediction.cases import Case, cases_from_arguments, cases_from_table
from drifa.prediction.predict import predict
from drifa.runs.run import Run


def case(run: Run, position: int = 0, modalities: tuple[str, ...] = ("photo", "ultrasound")) -> Case:
    study = run.study()
    subjects = study.subjects()
    index = subjects.in_split("test")[position]
    rows = {name: subjects.image[index, i] for i, name in enumerate(subjects.modalities)}
    return Case(
        subjects.ids[index], {name: study.image_path(int(row)) for name, row in rows.items() if row >= 0 and name in modalities}
    )


def test_a_paired_subject_gets_the_answers_of_the_evaluation(paired_run: Run) -> None:
    one = case(paired_run)
    answer = predict(paired_run.folder, [one]).to_json()
    assert answer["mode"] == "ensemble_mc"
    table = pd.read_parquet(paired_run.folder / "predictions.parquet")
    rows = table[(table.subject == one.subject) & (table["mode"] == "ensemble_mc")].set_index("task")
    for task, found in answer["cases"][0]["tasks"].items():
        np.testing.assert_allclose(list(found["probabilities"].values()), rows.loc[task, "probabilities"], atol=1e-5)
        assert found["mutual_information"] == pytest.approx(rows.loc[task, "mutual_information"], abs=1e-5)


def test_an_unpaired_image_gets_the_answers_of_the_evaluation(unpaired_run: Run) -> None:
    one = case(unpaired_run)
    table = pd.read_parquet(unpaired_run.folder / "predictions.parquet")
    for partners, condition in ((True, "partners"), (False, "alone")):
        rows = table[(table.subject == one.subject) & (table["mode"] == "ensemble_mc") & (table.condition == condition)]
        for task, found in predict(unpaired_run.folder, [one], partners).to_json()["cases"][0]["tasks"].items():
            expected = rows.set_index("task").loc[task, "probabilities"]
            np.testing.assert_allclose(list(found["probabilities"].values()), expected, atol=1e-5)


def test_the_networks_that_name_another_class_are_counted(paired_run: Run) -> None:
    cases = [case(paired_run, position) for position in range(7)]
    predictor = drifa.load(paired_run.folder)
    together, alone = predictor.predict(cases).cases, []
    for net in predictor.nets:
        one = drifa.load(paired_run.folder)
        one.nets = [net]
        alone.append(one.predict(cases).cases)
    found = []
    for number, answer in enumerate(together):
        for task, told in answer.tasks.items():
            own = [each[number].tasks[task] for each in alone]
            assert told.members == len(predictor.nets) > 1
            assert told.disagree == sum(each.predicted != told.predicted for each in own)
            assert told.agreement in told.words()
            assert [(each.members, each.agreement, answer.to_dict()["tasks"][task]["agreement"]) for each in own] == [
                (None, None, told.agreement)
            ] * len(own)
            found.append(told.disagree)
    assert {0, 1} <= set(found)


def test_each_task_has_the_warnings_about_what_it_reads(paired_run: Run) -> None:
    picture = case(paired_run).images["photo"]
    predictor = drifa.load(paired_run.folder)
    answer = predictor.predict([Case("a", {"photo": picture, "ultrasound": picture})]).cases[0]
    assert answer.warnings
    for task, told in answer.tasks.items():
        read = predictor.run.info.task_modalities[task]
        assert told.warnings == tuple(one for one in answer.warnings if one.modality in read)
    assert {len(told.warnings) for told in answer.tasks.values()} > {0}


def test_one_modality_is_enough_and_answers_its_own_tasks(paired_run: Run, unpaired_run: Run) -> None:
    answer = predict(paired_run.folder, [case(paired_run, modalities=("photo",))]).to_json()["cases"][0]
    assert set(answer["tasks"]) == {"surface", "spread"}
    assert answer["condition"] == "partial"
    found = predict(unpaired_run.folder, [case(unpaired_run)]).to_json()["cases"][0]
    assert len(found["tasks"]) == 1
    assert found["condition"] == "partners"


def test_without_partners_or_without_training_images_the_rest_stays_absent(unpaired_run: Run, tmp_path: Path) -> None:
    one = case(unpaired_run)
    alone = predict(unpaired_run.folder, [one], partners=False).to_json()["cases"][0]
    assert alone["condition"] == "alone"
    copy = tmp_path / "run"
    shutil.copytree(unpaired_run.folder, copy)
    # The copy finds its study neither beside it nor where it lay in training.
    text = (copy / "model.json").read_text()
    (copy / "model.json").write_text(text.replace(str(unpaired_run.folder.parent / "study"), str(tmp_path / "gone")))
    elsewhere = predict(copy, [one]).to_json()
    assert "cannot be read" in elsewhere["note"]
    assert elsewhere["cases"][0]["tasks"] == alone["tasks"]


def test_several_cases_equal_one_at_a_time(paired_run: Run) -> None:
    cases = [case(paired_run, 0), case(paired_run, 1, ("ultrasound",)), case(paired_run, 2)]
    together = predict(paired_run.folder, cases).cases
    for answer, one in zip(together, cases, strict=True):
        assert_same(answer, predict(paired_run.folder, [one]).cases[0])


def assert_same(one: Answer, other: Answer) -> None:
    assert (one.subject, one.condition, one.images, list(one.tasks)) == (
        other.subject,
        other.condition,
        other.images,
        list(other.tasks),
    )
    for task, answer in one.tasks.items():
        left, right = answer.row(), other.tasks[task].row()
        for key, value in left.items():
            assert value == right[key] if isinstance(value, str) else value == pytest.approx(right[key], abs=1e-6), key


def test_cases_with_and_without_partners_share_a_batch_and_equal_one_at_a_time(unpaired_run: Run) -> None:
    photos = [case(unpaired_run, position) for position in range(4)]
    both = Case("both", {name: path for one in photos for name, path in one.images.items()})
    assert len(both.images) == 2, "the first test subjects have one modality each"
    predictor = drifa.load(unpaired_run.folder)
    together = predictor.predict([photos[0], both, *photos[1:]]).cases
    assert {answer.condition for answer in together} == {"partners", "paired"}
    for answer, one in zip(together, [photos[0], both, *photos[1:]], strict=True):
        assert_same(answer, predictor.predict([one]).cases[0])


def bad_table(run: Run, folder: Path) -> Path:
    """Three subjects; the image of the second is a PDF, and the third has a modality that nobody knows."""
    good = case(run)
    (folder / "letter.png").write_bytes(b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n")
    lines = ["subject,modality,path"]
    lines += [f"good,{name},{path.absolute()}" for name, path in good.images.items()]
    lines += ["bad,photo,letter.png", f"odd,fotos,{good.images['photo'].absolute()}"]
    (folder / "cases.csv").write_text("\n".join(lines) + "\n")
    return folder / "cases.csv"


def test_a_bad_file_costs_its_own_subject_the_answer_and_no_other(paired_run: Run, tmp_path: Path) -> None:
    cases = cases_from_table(bad_table(paired_run, tmp_path))
    result = predict(paired_run.folder, cases, strict=False)
    assert_same(result.cases[0], predict(paired_run.folder, cases[:1]).cases[0])
    assert len(result.cases) == 1
    letter, odd = result.failures
    assert (letter.subject, letter.row, letter.file) == ("bad", 4, str(tmp_path / "letter.png"))
    assert "letter.png" in letter.reason
    assert (odd.subject, odd.row) == ("odd", 5)
    assert "did you mean 'photo'" in odd.reason
    assert [failure["row"] for failure in result.to_json()["failures"]] == [4, 5]
    table = as_table(result)
    assert list(table["subject"]) == ["good"] * 3 + ["bad", "odd"]
    assert table["failure"].isna().tolist() == [True] * 3 + [False] * 2


@pytest.mark.parametrize(
    ("rows", "number", "word"),
    [
        ("bad,photo,,", 4, "it has no path; fill it, or remove the row"),
        ("bad,photo, ,", 4, "it has no path"),
        ("bad,,letter.png,", 4, "it has no modality"),
        ("bad,photo,x.png,\nbad,photo,y.png,", 5, "two images of modality 'photo' for subject 'bad'"),
        ("bad,photo,x.png,4\nbad,ultrasound,y.png,5", 5, "'4' and '5' in the column 'age' of subject 'bad'"),
    ],
)
def test_a_faulty_row_costs_its_own_subject_the_answer_and_no_other(
    paired_run: Run, tmp_path: Path, rows: str, number: int, word: str
) -> None:
    good = case(paired_run)
    lines = ["subject,modality,path,age", *(f"good,{name},{path.absolute()}," for name, path in good.images.items())]
    (tmp_path / "cases.csv").write_text("\n".join([*lines, rows]) + "\n")
    cases = [replace(one, values={}) for one in cases_from_table(tmp_path / "cases.csv")]
    result = predict(paired_run.folder, cases, strict=False)
    assert [answer.subject for answer in result.cases] == ["good"]
    assert [(failure.subject, failure.row) for failure in result.failures] == [("bad", number)]
    assert word in result.failures[0].reason
    with pytest.raises(DrifaError, match=f"row {number}, subject 'bad': "):
        predict(paired_run.folder, cases)


def test_all_or_nothing_names_the_row_and_the_subject(paired_run: Run, tmp_path: Path) -> None:
    cases = cases_from_table(bad_table(paired_run, tmp_path))
    with pytest.raises(DrifaError, match=r"row 4, subject 'bad': .*letter\.png"):
        predict(paired_run.folder, cases[:2])
    with pytest.raises(DrifaError, match=r"row 5, subject 'odd': 'fotos' of subject 'odd' is no modality"):
        predict(paired_run.folder, cases)


def test_images_are_read_as_they_are_needed(paired_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    predictor = drifa.load(paired_run.folder)
    size = predictor.run.config.evaluate.batch_size
    cases = [replace(case(paired_run), subject=str(number)) for number in range(size + 1)]
    events: list[str] = []
    read, drawn = sources.pixels_from, predictor.draw
    monkeypatch.setattr(sources, "pixels_from", lambda *given: events.append("read") or read(*given))
    monkeypatch.setattr(predictor, "draw", lambda *given: events.append("draw") or drawn(*given))
    steps: list[tuple[int, int, str]] = []
    predictor.predict(cases, progress=lambda *step: steps.append(step))
    images = len(cases[0].images)
    assert events == ["read"] * (images * size) + ["draw"] + ["read"] * images + ["draw"]
    assert steps == [(done, size + 1, "predicting cases") for done in (size, size + 1)]


def test_a_table_of_images_becomes_a_table_of_answers(paired_run: Run, tmp_path: Path) -> None:
    one = case(paired_run)
    rows = [{"subject": "p1", "modality": name, "path": str(path)} for name, path in one.images.items()]
    pd.DataFrame(rows).to_csv(tmp_path / "cases.csv", index=False)
    table = as_table(predict(paired_run.folder, cases_from_table(tmp_path / "cases.csv")))
    assert list(table["subject"]) == ["p1"] * 3
    assert table.filter(like="p(").sum(axis=1).to_numpy() == pytest.approx(1)


@pytest.mark.parametrize(
    ("images", "word"),
    [
        ([], "there is no case to answer; give one with photo or ultrasound"),
        (["photo"], "MODALITY=PATH"),
        (["photo=a.png", "photo=b.png"], "twice"),
        (["phto=a.png"], "did you mean 'photo'"),
        (["photo=missing.png"], "missing.png"),
    ],
)
def test_wrong_images_are_refused(paired_run: Run, images: list[str], word: str) -> None:
    with pytest.raises(DrifaError, match=word):
        predict(paired_run.folder, cases_from_arguments(images))


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("subject,path\na,b\n", "no column 'modality'"),
        ("", "is empty"),
        ("subject,modality,path\n,photo,x\n", "row 2 of table .* has no subject"),
        ("subject,modality,path\na,photo\n", "row 2 of .* has 2 cells"),
    ],
)
def test_wrong_tables_are_refused(tmp_path: Path, text: str, word: str) -> None:
    (tmp_path / "cases.csv").write_text(text)
    with pytest.raises(DrifaError, match=word):
        cases_from_table(tmp_path / "cases.csv")


def test_a_value_may_stand_on_any_row_of_its_subject(tmp_path: Path) -> None:
    (tmp_path / "cases.csv").write_text("subject,modality,path,age\na,photo,x,\na,scan,y,5\nb,photo,z,\n")
    assert [dict(case.values) for case in cases_from_table(tmp_path / "cases.csv")] == [{"age": "5"}, {"age": ""}]


def test_something_that_is_no_image_is_named(paired_run: Run, tmp_path: Path) -> None:
    (tmp_path / "note.png").write_text("hello")
    with pytest.raises(DrifaError, match=r"note\.png"):
        predict(paired_run.folder, cases_from_arguments([f"photo={tmp_path / 'note.png'}"]))


@pytest.mark.parametrize(
    ("text", "subject"),
    [
        ("flair=cases/P7/flair.nii.gz", "P7"),
        ("flair=cases/P7_flair.nii.gz", "P7_flair"),
        ("photo=P7.left.jpg", "P7.left"),
        ("scan=IM0001", "IM0001"),
    ],
)
def test_a_case_is_named_after_its_file_or_folder(text: str, subject: str) -> None:
    assert cases_from_arguments([text])[0].subject == subject


def test_a_table_names_files_outside_of_its_folder(tmp_path: Path) -> None:
    (tmp_path / "tables").mkdir()
    table, image = tmp_path / "tables" / "cases.csv", tmp_path / "images" / "a.png"
    image.parent.mkdir()
    image.touch()
    for path in (str(image), "../images/a.png"):
        table.write_text(f"subject,modality,path\na,photo,{path}\n")
        assert Path(cases_from_table(table)[0].images["photo"]).samefile(image)
