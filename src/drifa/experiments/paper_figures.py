"""Figures 4 and 5 of the paper from networks that are trained: where each arm looks, and how each arm's readouts lie."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from markupsafe import Markup

from drifa.data import Subjects
from drifa.errors import DrifaError
from drifa.experiments.jobs import HEADER, RECORD, JobRecord
from drifa.explain.asked import batch_of, of_study, on_device, shows_patients, thinned
from drifa.explain.cam import relevance, scaled
from drifa.explain.embedding import knn_accuracy, readouts, silhouette, tsne
from drifa.explain.figures import cloud, overlay
from drifa.explain.whole import MOST_TESTED, MOST_TRAINED
from drifa.files import read_json, write_json, write_text
from drifa.prediction.given import pixels_from
from drifa.prediction.predictor import Predictor
from drifa.progress import Progress
from drifa.report.album import image
from drifa.report.write import page_environment
from drifa.tasks import Classes
from drifa.version import __version__

FIGURES = ("figure4", "figure5")
FORMAT = 1
#: Largest side of a map on the page, pixels.
SIDE = 224


@dataclass(frozen=True)
class Tile:
    """What one arm shows: its name, or what else it is; the figure; and what is measured."""

    name: str
    figure: Markup
    told: str


@dataclass(frozen=True)
class Row:
    """Tiles that are looked at side by side, and what they are of."""

    title: str
    tiles: Sequence[Tile]


@dataclass(frozen=True)
class Drawn:
    """One experiment of a figure: rows of tiles, numbers for the JSON, and whether somebody may be in the pictures."""

    rows: Sequence[Row]
    numbers: Any
    patients: bool = False


def draw_figure(
    name: str, out: str | Path, cases: int = 4, layer: str | None = None, progress: Progress | None = None
) -> tuple[Path, bool]:
    """Draws a figure of finished experiments and writes `FIGURE.html` and `FIGURE.json` into their folder; nothing is trained.

    Of each arm the network of the lowest seed (and fold) that all arms have is shown.

    Args:
        name: ``figure4``: Grad-CAM of the true class on the same test images; ``figure5``: t-SNE of the readouts of the test
            split, with silhouette and accuracy of the nearest training cases.
        out: Folder of `drifa reproduce` or `drifa compare`.
        cases: Test cases per task of figure 4.
        layer: Stage whose maps are read in figure 4; None as in :func:`drifa.explain.cam.stage_of`.
        progress: Called with (done, total, what).

    Returns:
        The page, and whether patients may be on it.

    Raises:
        DrifaError: No experiment is in the folder, arms have no finished network in common, or maps have a single pixel.
    """
    out = Path(out)
    draw: Callable[[Sequence[_Arm]], Drawn] = (
        _clouds if name == "figure5" else lambda arms: _maps(arms, cases, layer)  # the two share nothing but the page
    )
    experiments = experiments_in(out)
    drawn: dict[str, Drawn] = {}
    for place, folder in enumerate(experiments):
        drawn[folder.resolve().name] = draw([_open(arm, run) for arm, run in runs_of(folder).items()])
        if progress:
            progress(place + 1, len(experiments), name)
    patients = any(one.patients for one in drawn.values())
    page = (
        page_environment()
        .get_template("paper_figure.jinja")
        .render(figure=name, experiments=drawn, patients=patients, layer=layer, version=__version__)
    )
    told = {key: one.numbers for key, one in drawn.items()}
    write_json(out / f"{name}.json", {"drifa_figure": FORMAT, "drifa": __version__, "figure": name, "experiments": told})
    return write_text(out / f"{name}.html", page), patients


def experiments_in(out: Path) -> list[Path]:
    """The folder itself, or the parts of a table in it.

    Raises:
        DrifaError: There is no experiment.
    """
    found = [out] if (out / HEADER).is_file() else sorted(path.parent for path in out.glob(f"*/{HEADER}"))
    if not found:
        raise DrifaError(
            f"{out} holds no experiment; give the folder of a finished `drifa reproduce table1` or `drifa compare` with --out"
        )
    return found


def runs_of(folder: Path) -> dict[str, Path]:
    """Arm -> its run of the lowest seed and fold that all arms have finished, in the order of the comparison.

    Raises:
        DrifaError: There is none.
    """
    jobs = [(record, path.parent) for path in sorted(folder.glob(f"jobs/*/{RECORD}")) if (record := JobRecord.read(path))]
    by_draw: dict[tuple[int, int], dict[str, Path]] = {}
    for record, run in jobs:
        by_draw.setdefault((record.seed, record.fold or 0), {})[record.arm] = run
    names = [str(arm["name"]) for arm in (read_json(folder / "comparison.json") or {}).get("arms", [])]
    arms = sorted({record.arm for record, _ in jobs}, key=lambda arm: (names.index(arm) if arm in names else len(names), arm))
    for _, runs in sorted(by_draw.items()):
        if len(runs) == len(arms):
            return {arm: runs[arm] for arm in arms}
    raise DrifaError(
        f"{folder} has no seed that every arm has finished; continue it with the command that began it, then draw the figure"
    )


@dataclass(frozen=True)
class _Arm:
    name: str
    predictor: Predictor
    subjects: Subjects
    source: Any


def _open(name: str, run: Path) -> _Arm:
    predictor = Predictor.open(run)
    if predictor.regions:
        raise DrifaError(f"{run} segments volumes; figures 4 and 5 are of runs that answer about subjects, as of table1")
    study = predictor.run.study()
    return _Arm(name, predictor, study.subjects(), predictor.run.cache(study, None))


def _tasks(arms: Sequence[_Arm]) -> dict[str, Classes]:
    """The tasks of classes that any arm answers."""
    return {
        task: kind for arm in reversed(arms) for task, kind in arm.predictor.subject_kinds.items() if isinstance(kind, Classes)
    }


def _clouds(arms: Sequence[_Arm]) -> Drawn:
    tiles: dict[str, list[Tile]] = {task: [] for task in _tasks(arms)}
    numbers: dict[str, dict[str, Any]] = {task: {} for task in tiles}
    for arm in arms:
        subjects = arm.subjects
        tested, trained = thinned(subjects.in_split("test"), MOST_TESTED), thinned(subjects.in_split("train"), MOST_TRAINED)
        points, train_points = _points(arm, tested), _points(arm, trained)
        if len(points) < 4:
            raise DrifaError(f"the test split of {arm.predictor.run.folder} has {len(points)} cases, too few for a t-SNE")
        flat = tsne(points, arm.predictor.run.config.evaluate.seed)
        for task, kind in _tasks([arm]).items():
            labels, known = subjects.targets[task], subjects.known_of(task)
            own, train_own = known[tested], known[trained]
            if not own.any():
                continue
            near = knn_accuracy(train_points[train_own], labels[trained][train_own], points[own], labels[tested][own])
            apart = silhouette(points[own], labels[tested][own])
            names = [kind.classes[int(label)] for label in labels[tested][own]]
            told = f"silhouette {_told(apart, '.2f')}, nearest cases right {_told(near, '.1%')}"
            figure = Markup(cloud(f"Readouts of {arm.name} by {task}", flat[own], names))
            tiles[task].append(Tile(arm.name, figure, told))
            numbers[task][arm.name] = {"silhouette": apart, "knn_accuracy": near, "cases": int(own.sum())}
    return Drawn([Row(task, row) for task, row in tiles.items() if row], numbers)


def _told(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)


def _points(arm: _Arm, rows: np.ndarray) -> np.ndarray:
    size = arm.predictor.run.config.evaluate.batch_size
    parts = [rows[start : start + size] for start in range(0, len(rows), size)]
    return np.concatenate(
        [
            readouts(arm.predictor.nets, *on_device(arm.predictor, batch_of(arm.subjects, arm.source, part)))
            for part in parts
            if len(part)
        ]
        or [np.zeros((0, 1), dtype=np.float32)]
    )


def _maps(arms: Sequence[_Arm], cases: int, layer: str | None) -> Drawn:
    rows: list[Row] = []
    numbers: dict[str, list[dict[str, Any]]] = {}
    patients = False
    for task, kind in _tasks(arms).items():
        able = [arm for arm in arms if task in arm.predictor.subject_kinds]
        first = able[0]
        subjects, study = first.subjects, first.predictor.run.study()
        tested = subjects.in_split("test")
        chosen = thinned(tested[subjects.known_of(task)[tested]], cases)
        asked = of_study(study, subjects, first.source, chosen)
        patients = patients or shows_patients(asked.files, study)
        maps = {arm.name: _relevance(arm, list(asked.names), task, layer) for arm in able}
        numbers[task] = [{"subject": name, "class": "", "answers": {}} for name in asked.names]
        for row, name in enumerate(asked.names):
            truth = kind.classes[int(subjects.targets[task][chosen[row]])]
            numbers[task][row]["class"] = truth
            for modality, file in asked.files[row].items():
                pixels = pixels_from(file, first.predictor.run.info.modalities[modality])
                width = pixels.shape[1]
                tiles = [Tile("image", image(pixels, f"{modality} of {name}", SIDE), "")]
                for arm, (found, answers) in maps.items():
                    numbers[task][row]["answers"][arm] = float(answers[row])
                    if modality not in found:  # an arm may do without it
                        continue
                    drawn = overlay(pixels, found[modality][row])[:, width:]
                    told = f"probability {answers[row]:.2f}" + (
                        "" if found[modality][row].any() else ", nothing here speaks for it"
                    )
                    words = f"{modality} of {name}, and what {arm} sees for {truth}"
                    tiles.append(Tile(arm, image(drawn, words, SIDE), told))
                rows.append(Row(f"{task}: {truth}, {modality} of {name}", tiles))
    return Drawn(rows, numbers, patients)


def _relevance(arm: _Arm, names: Sequence[str], task: str, layer: str | None) -> tuple[Mapping[str, np.ndarray], np.ndarray]:
    """Maps of the true class by modality ``[B, H, W]``, and its probability ``[B]``, of one network without dropout."""
    predictor, net = arm.predictor, arm.predictor.nets[0]
    place = {str(name): row for row, name in enumerate(arm.subjects.ids)}
    rows = np.array([place[name] for name in names])
    images, present = on_device(predictor, batch_of(arm.subjects, arm.source, rows))
    truth = torch.from_numpy(arm.subjects.targets[task][rows]).to(predictor.device)
    found = relevance(net, images, present, task, truth, layer, "gradcam")
    with torch.inference_mode():
        answers = net.fusion.spec.link(task).answer(net.eval()(net.to_input(images), present)[task])
    picked = answers.gather(1, truth[:, None]).squeeze(1)
    return {name: scaled(maps).cpu().numpy() for name, maps in found.items()}, picked.cpu().numpy()
