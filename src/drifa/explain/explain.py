"""drifa explain: why a run answers as it does, for some test cases, one subject, or new images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from drifa.data import Subjects
from drifa.errors import DrifaError, suggest
from drifa.explain import figures
from drifa.explain.asked import Asked, chosen_rows, described, of_case, of_study, on_device, shows_patients, thinned
from drifa.explain.cam import METHODS, Relevance, cells, ensemble_relevance, layer_of, stage_of
from drifa.explain.embedding import nearest, readouts
from drifa.explain.flat import check_embedding
from drifa.explain.record import CaseRecord, Explanation, MapRecord, TaskRecord
from drifa.explain.shapley import Shares, of_nothing, shares
from drifa.explain.trust import faithfulness, randomisation
from drifa.explain.volumes import VolumeExplanation, explain_volumes
from drifa.explain.whole import MOST_TRAINED, Whole
from drifa.files import write_json, write_text
from drifa.names import file_name
from drifa.prediction.cases import Case
from drifa.prediction.given import pixels_from
from drifa.prediction.predictor import Predictor
from drifa.progress import Progress
from drifa.runs.places import Places
from drifa.tasks import Classes


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
    asked = of_case(predictor, case) if case else of_study(study, subjects, source, chosen_rows(subjects, cases, subject))
    single = subject is not None or case is not None
    wanted = [task] if task else list(predictor.subject_kinds)
    if single:
        _check_able(predictor, asked, task)
    none = _none(predictor, subjects)
    whole = Whole(predictor, subjects, source, embedding, progress)
    trained = thinned(subjects.in_split("train"), MOST_TRAINED)
    train_points = whole.readouts(trained)
    found = shares(predictor, *on_device(predictor, asked.batch), none)
    root = predictor.run.folder / "explain"
    out = root / file_name(asked.names[0]) if single else root
    alike = nearest(readouts(predictor.nets, *on_device(predictor, asked.batch)), train_points, list(subjects.ids[trained]))
    near = [[described(one, subjects, predictor.subject_kinds) for one in row] for row in alike]
    pictures: dict[str, np.ndarray] = {}
    drawn: dict[str, str] = {}
    records: list[dict[str, TaskRecord]] = [{} for _ in asked.names]
    for done, name in enumerate(wanted):
        for row, record in _task(predictor, asked, name, found[name], layer, method, pictures).items():
            records[row][name] = record
        if progress:
            progress(done + 1, len(wanted), "maps of relevance")
    explanation = Explanation(
        run=str(predictor.run.folder),
        members=len(predictor.nets),
        method=method,
        layer=None if method == "occlusion" else layer_of(predictor.nets[0], asked.batch.images, layer),
        cases=tuple(
            CaseRecord(name, {key: str(path) for key, path in files.items()}, tasks, tuple(ones))
            for name, files, tasks, ones in zip(asked.names, asked.files, records, near, strict=True)
        ),
        cohort={},
        cohort_cases=0,
        gates=(),
        embedding={},
        by_modality=None,
        patients=shows_patients(asked.files, study),
    )
    if not single:
        explanation = whole.added_to(explanation, wanted, none, trained, train_points, drawn)
    for file, pixels in pictures.items():
        figures.write_png(out / file, pixels)
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


def _task(
    predictor: Predictor,
    asked: Asked,
    task: str,
    found: Shares,
    layer: str | None,
    method: str,
    pictures: dict[str, np.ndarray],
) -> dict[int, TaskRecord]:
    """Row of the case -> why it was answered so; the overlays are added to the pictures by file name."""
    kind = predictor.subject_kinds[task]
    rows = np.flatnonzero(np.isfinite(found.everything[:, 0]))
    if not len(rows):
        return {}
    outputs = found.everything[rows].argmax(axis=1)
    images, present = on_device(predictor, asked.batch)
    asked_rows = torch.from_numpy(rows).to(predictor.device)
    some = ({name: image[asked_rows] for name, image in images.items()}, present[asked_rows])
    target = torch.from_numpy(outputs).to(predictor.device)
    maps = ensemble_relevance(predictor.nets, *some, task, target, layer, method)
    grid = cells(predictor.nets[0], *some, layer, method)
    alike = randomisation(predictor.nets[0], *some, task, target, layer, method)
    drawn: list[dict[str, MapRecord]] = [{} for _ in rows]
    for i, modality in enumerate(predictor.run.info.modalities):
        here = some[1][:, i].nonzero().squeeze(1)
        if modality not in maps or not len(here):
            continue
        one = Relevance(maps[modality].members[:, here])
        areas = None
        if isinstance(kind, Classes):
            part = ({name: image[here] for name, image in some[0].items()}, some[1][here])
            areas = faithfulness(predictor.nets[0], *part, task, target[here], modality, one.mean)
        for k, place in enumerate(here.tolist()):
            row = int(rows[place])
            file = f"maps/{row + 1}-{file_name(asked.names[row])}-{task}-{modality}.png"  # two ids may share a file name
            pixels = pixels_from(asked.files[row][modality], predictor.run.info.modalities[modality])
            pictures[file] = figures.overlay(pixels, one.mean[k].cpu().numpy())
            largest = float(one.mean[k].max())
            drawn[place][modality] = MapRecord(
                file,
                grid[modality],
                largest,
                _number(one.agreement[k]) if largest else None,
                float(one.disagreement[k].mean()),
                _number(alike[modality][place]),
                **({} if areas is None else {name: float(values[k]) for name, values in vars(areas).items()}),
            )
    return {
        int(row): TaskRecord(
            kind.classes[outputs[k]] if isinstance(kind, Classes) else "value",
            float(found.everything[row, outputs[k]]),
            float(found.none[outputs[k]]),
            {name: float(found.values[row, i, outputs[k]]) for i, name in enumerate(found.modalities)},
            {"*".join(pair): float(found.pairs[row, p, outputs[k]]) for p, pair in enumerate(found.names)},
            drawn[k],
        )
        for k, row in enumerate(rows)
    }


def _number(value: torch.Tensor) -> float | None:
    return float(value) if bool(value.isfinite()) else None
