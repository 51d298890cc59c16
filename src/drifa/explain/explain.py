"""drifa explain: why a run answers as it does, for some test cases, one subject, or new images."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from drifa.data import Subjects
from drifa.errors import DrifaError, suggest
from drifa.explain.asked import Asked, chosen_rows, described, of_case, of_study, on_device, shows_patients, thinned
from drifa.explain.cam import METHODS, layer_of, stage_of
from drifa.explain.embedding import nearest, readouts
from drifa.explain.flat import check_embedding
from drifa.explain.maps import CaseMaps
from drifa.explain.record import CaseRecord, Explanation
from drifa.explain.shapley import of_nothing, shares
from drifa.explain.trust import shuffled
from drifa.explain.volumes import VolumeExplanation, explain_volumes
from drifa.explain.whole import MOST_TRAINED, Whole
from drifa.files import write_bytes, write_json, write_text
from drifa.names import file_name
from drifa.prediction.cases import Case
from drifa.prediction.predictor import Predictor
from drifa.progress import Progress
from drifa.runs.places import Places


def explain(
    folder: str | Path,
    cases: int = 4,
    subject: str | None = None,
    case: Case | None = None,
    task: str | None = None,
    layer: str | None = None,
    method: str = METHODS[0],
    embedding: str = "tsne",
    places: Places | None = None,
    progress: Progress | None = None,
) -> tuple[Path, Explanation | VolumeExplanation]:
    """Explains a run and writes `explain.json` with its figures below RUN/explain, a single case into a folder of its name.

    The images of an unpaired study are explained alone, without partners. Of a run that segments volumes the uncertainty is
    drawn, see :func:`drifa.explain.volumes.explain_volumes`.

    Args:
        folder: The run.
        cases: How many test cases get maps, evenly spread over the test split.
        subject: Explain this subject of the study instead.
        case: Explain these images instead.
        task: Explain this task alone.
        layer: Stage that the maps are read at, by name; None as in :func:`drifa.explain.cam.stage_of`.
        method: One of :data:`drifa.explain.cam.METHODS`.
        embedding: How readouts of the test split are drawn beside their PCA, one of :data:`drifa.explain.flat.EMBEDDINGS`.
        places: Where the run's study and cache are, if not where the run says.
        progress: Called with (done, total, what).

    Returns:
        The folder written to, and what stands in `explain.json`.

    Raises:
        DrifaError: A name is unknown, layer, method or embedding is given for a run that segments volumes, a case cannot
            answer the task, images cannot be read, or what an embedding needs is not installed.
    """
    predictor = Predictor.open(folder, places=places)
    if predictor.regions:
        usual = {"layer": None, "method": METHODS[0], "embedding": "tsne"}
        for name, given in (("layer", layer), ("method", method), ("embedding", embedding)):
            if given != usual[name]:
                raise DrifaError(
                    f"{predictor.run.folder} segments volumes, whose entropy is drawn without {name}; leave {given!r} away"
                )
        _check_count(cases)
        return explain_volumes(predictor, cases, subject, case, task, progress)
    _check(predictor, cases, task, layer, method)
    check_embedding(embedding)
    if embedding != "tsne" and (subject is not None or case is not None):
        raise DrifaError(f"embedding {embedding!r} draws the test split, not a single case; leave it or the case away")
    study = predictor.run.study()
    subjects, source = study.subjects(), predictor.run.cache(study, progress)
    single = subject is not None or case is not None
    wanted = [task] if task else list(predictor.subject_kinds)
    asked: Iterable[Asked]
    if single:
        asked = [of_case(predictor, case) if case else of_study(study, subjects, source, chosen_rows(subjects, 1, subject))]
        _check_able(predictor, asked[0], task)
    else:
        rows, size = chosen_rows(subjects, cases, None), predictor.run.config.evaluate.batch_size
        cases = len(rows)
        asked = (of_study(study, subjects, source, rows[start : start + size]) for start in range(0, cases, size))
    none = _none(predictor, subjects)
    whole = Whole(predictor, subjects, source, embedding, progress)
    trained = thinned(subjects.in_split("train"), MOST_TRAINED)
    train_points = whole.readouts(trained)
    other = shuffled(predictor.nets[0])
    told: list[CaseRecord] = []
    pictures: dict[str, bytes] = {}
    drawn: dict[str, str] = {}
    patients = False
    for part in asked:
        images, present = on_device(predictor, part.batch)
        found = shares(predictor, images, present, none)
        maps = CaseMaps(predictor, other, part, len(told), layer, method)
        records = {name: maps.of_task(name, found[name]) for name in wanted}
        pictures |= maps.pictures
        patients |= shows_patients(part.files, study)
        alike = nearest(readouts(predictor.nets, images, present), train_points, list(subjects.ids[trained]))
        for row, (name, files) in enumerate(zip(part.names, part.files, strict=True)):
            told.append(
                CaseRecord(
                    name,
                    {key: str(path) for key, path in files.items()},
                    {key: each[row] for key, each in records.items() if row in each},
                    tuple(described(one, subjects, predictor.subject_kinds) for one in alike[row]),
                )
            )
        if progress:
            progress(len(told), 1 if single else cases, "maps of relevance")
    root = predictor.run.folder / "explain"
    out = root / file_name(told[0].subject) if single else root
    explanation = Explanation(
        run=str(predictor.run.folder),
        members=len(predictor.nets),
        method=method,
        layer=None if method == "occlusion" else layer_of(predictor.nets[0], part.batch.images, layer),
        cases=tuple(told),
        cohort={},
        cohort_cases=0,
        gates=(),
        embedding={},
        by_modality=None,
        patients=patients,
    )
    if not single:
        explanation = whole.added_to(explanation, wanted, none, trained, train_points, drawn)
    for file, picture in pictures.items():
        write_bytes(out / file, picture)
    for file, figure in drawn.items():
        write_text(out / file, figure)
    write_json(out / "explain.json", explanation.to_json())
    return out, explanation


def _check_count(cases: int) -> None:
    if cases < 1:
        raise DrifaError(f"--cases {cases} explains nothing; name 1 or more")


def _check(predictor: Predictor, cases: int, task: str | None, layer: str | None, method: str) -> None:
    _check_count(cases)
    if method not in METHODS:
        raise DrifaError(f"method {method!r} is not known{suggest(method, METHODS)}")
    if task is not None and task not in predictor.subject_kinds:
        raise DrifaError(f"task {task!r} is not one of this run{suggest(task, predictor.subject_kinds)}")
    stage_of(predictor.nets[0], layer, {})


def _check_able(predictor: Predictor, asked: Asked, task: str | None) -> None:
    has = [name for name, there in zip(predictor.run.info.modalities, asked.batch.present[0].tolist(), strict=True) if there]
    able = predictor.run.info.task_modalities
    for name in [task] if task else []:
        if not set(has) & set(able[name]):
            raise DrifaError(
                f"task {name!r} cannot be answered from {' and '.join(has)} of {asked.names[0]!r}; "
                f"it needs {' or '.join(able[name])}"
            )


def _none(predictor: Predictor, subjects: Subjects) -> dict[str, np.ndarray]:
    train = subjects.in_split("train")
    return {
        task: of_nothing(kind, subjects.targets[task][train], subjects.known_of(task)[train])
        for task, kind in predictor.subject_kinds.items()
    }
