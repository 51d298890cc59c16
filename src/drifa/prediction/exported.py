"""drifa export: a run as files that other runtimes ask, compared with the run before they appear."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from drifa.data.reading.slicing import NATIVE
from drifa.data.tabular import WithColumns
from drifa.errors import DrifaError, suggest
from drifa.export.draws import HEAD, PREFIX, check_dropout, save_draws
from drifa.export.folder import PREPROCESSING, check_new, whole_folder
from drifa.export.onnx import check_packages, save_onnx
from drifa.export.program import (
    LIMIT,
    PRESENT,
    Arrays,
    Asked,
    Examples,
    Program,
    Step,
    check_close,
    compared,
    exported,
    outputs_of,
    random_examples,
    save_program,
    two_rows,
)
from drifa.export.slices import SHARE, STRAY, SliceProgram
from drifa.files import write_json
from drifa.links import LINKS
from drifa.prediction.cases import Case
from drifa.prediction.exported_slices import described_slices, region_tasks, slice_examples
from drifa.prediction.predictor import Predictor
from drifa.prediction.sources import read_images
from drifa.prediction.trust import TaskTrust, Trust
from drifa.runs.places import Places
from drifa.tasks import Classes, Number
from drifa.uncertainty.calibration import Temperature, VectorScaling

FORMATS = ("onnx", "torch")
MODEL, TORCH = "model.onnx", "model.pt2"
#: Cases of the study on which a program is compared with its run.
CASES = 3


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        folder: Where.
        files: Their names.
        difference: The largest from the run's own answers, see :data:`drifa.export.program.LIMIT`.
        real: Whether it was found on cases of the run's study; on noise otherwise.
        notes: What the reader of the answers should know.
    """

    folder: Path
    files: tuple[str, ...]
    difference: float
    real: bool
    notes: tuple[str, ...]


def export(
    folder: str | Path,
    out: str | Path,
    form: str = "onnx",
    opset: int | None = None,
    draws: bool = False,
    places: Places | None = None,
) -> Exported:
    """Writes a run as a program for other runtimes, whole or not at all.

    Args:
        folder: A run or a model folder.
        out: The folder to write; must be new or empty.
        form: ``onnx``, or ``torch`` for a program of ``torch.export``.
        opset: Version of the ONNX operators; None for the exporter's own choice.
        draws: Also write the networks in two parts with the dropout masks as inputs, for Monte-Carlo passes elsewhere.
        places: Where the run's study is, if not where it says.

    Raises:
        DrifaError: A package is missing, ``out`` holds something, draws are wanted of a run that segments or of a network
            without dropout, the exporter refuses, or the program answers otherwise than the run.
    """
    folder, out = Path(folder), Path(out)
    if form not in FORMATS:
        raise DrifaError(f"format {form!r} is not known{suggest(form, FORMATS)}")
    if form == "torch" and (draws or opset is not None):
        raise DrifaError(f"{'--draws' if draws else f'--opset {opset}'} is of ONNX; leave it out, or give --format onnx")
    if form == "onnx":
        check_packages()
    check_new(out)
    predictor = Predictor.open(folder, "cpu", places)
    if draws and predictor.regions:
        raise DrifaError(f"--draws is not for segmentation, and {folder} segments volumes; leave it out")
    if draws:
        check_dropout(predictor.nets, str(folder))
    if form == "torch" and predictor.regions and predictor.run.info.image_size == NATIVE:
        raise DrifaError(f"{folder} takes slices of any size (data.image_size=0), which only ONNX can say; give --format onnx")
    members, notes = _program(predictor)
    _check_names(members, predictor)
    examples = slice_examples(predictor, CASES) if predictor.regions else _examples(predictor)
    net = predictor.nets[0]
    what = f"{folder} (fusion {net.fusion.name}, backbone {predictor.run.info.backbone})"
    with whole_folder(out) as place:
        images, present = two_rows(examples)
        names = outputs_of(members, images, present)
        if form == "torch":
            files: tuple[str, ...] = (TORCH,)
            run = save_program(exported(members, (images, present), what), place / TORCH)
        else:
            files = (MODEL,)
            run = save_onnx(members, (images, present), place / MODEL, names, what, opset, examples.any_size)
        worst = check_close(compared(run, members, examples), what)
        told: dict[str, Any] = {}
        if draws:
            files = (MODEL, PREFIX, HEAD)
            off, told["draws"] = save_draws(members, place, examples, what, opset)
            worst = max(worst, off)
        write_json(place / PREPROCESSING, _described(predictor, members, examples, names, worst, notes) | told)
    return Exported(out, (*files, PREPROCESSING), worst, examples.real, notes)


def _program(predictor: Predictor) -> tuple[Program, tuple[str, ...]]:
    """The networks with what is asked of them, and what is to be told about it."""
    trust, notes = Trust.read(predictor.run.folder), []
    members = len(predictor.nets)
    if trust is not None and trust.members != members:
        notes.append(f"not calibrated: calibration.json was learned with {trust.members} network(s), and this holds {members}")
        trust = None
    elif trust is not None and trust.mode not in ("ensemble", "deterministic"):
        notes.append(
            f"calibration.json was learned on answers in the mode {trust.mode}, averaged over dropout passes; this answers "
            f"without dropout, for which it holds approximately"
        )
    if predictor.regions:
        return SliceProgram(predictor.nets, region_tasks(predictor, trust)).eval(), tuple(notes)
    tasks: dict[str, Asked] = {}
    for task, kind in predictor.subject_kinds.items():
        if isinstance(kind, Number):
            tasks[task] = Asked(LINKS[kind.link], _expected_number(task, kind), (), kind.mean, kind.std)
            continue
        assert isinstance(kind, Classes)
        own = None if trust is None else trust.tasks.get(task)
        steps = () if own is None else _steps(own)
        if steps is None:
            notes.append(f"{task} is not calibrated: isotonic curves are not exported; calibrate with --method temperature")
        tasks[task] = Asked(LINKS[kind.link], _expected_classes(task, own if steps else None), steps or ())
    return Program(predictor.nets, tasks, predictor.encoders).eval(), tuple(notes)


def _steps(trust: TaskTrust) -> tuple[Step, ...] | None:
    """Calibration as affine maps of log-probabilities; None for one that is none."""
    steps: list[Step] = []
    if trust.prior is not None:
        shift = np.log(np.array(trust.prior.natural) / np.array(trust.prior.trained))
        steps.append(((1.0,) * len(shift), tuple(shift.tolist())))
    calibration = trust.calibration
    if isinstance(calibration, Temperature):
        count = len(calibration.classes)
        steps.append(((1 / calibration.temperature,) * count, (0.0,) * count))
    elif isinstance(calibration, VectorScaling):
        steps.append((calibration.scale, calibration.shift))
    elif calibration is not None:
        return None
    return tuple(steps)


def _expected_classes(task: str, trust: TaskTrust | None) -> Any:
    def expected(draws: np.ndarray, whole: bool) -> Arrays:
        p = draws.mean(axis=0)
        if trust is None:
            return {f"probabilities_{task}": p}
        return {f"probabilities_{task}": trust(p) if whole else p, f"raw_{task}": p}

    return expected


def _expected_number(task: str, kind: Number) -> Any:
    def expected(draws: np.ndarray, whole: bool) -> Arrays:
        summary = kind.summarise(draws)
        return {f"value_{task}": summary.value} | (
            {f"std_{task}": summary.std} if kind.link == "gaussian" and summary.std is not None else {}
        )

    return expected


def _check_names(members: Program, predictor: Predictor) -> None:
    """Refuses a modality whose name is that of something else in the program."""
    kinds = ("probabilities", "raw", "value", "std")
    taken = {PRESENT, *(f"{kind}_{task}" for task in members.tasks for kind in kinds)}
    for name in predictor.run.info.modalities:
        if name in taken:
            raise DrifaError(
                f"modality {name!r} has the name of another input or output of the program; call it otherwise in the study"
            )


def _examples(predictor: Predictor) -> Examples:
    """Cases of the run's study, the test split's first; noise where there is none at hand."""
    run = predictor.run
    channels, size = run.info.modalities, run.info.image_size
    try:
        study = run.study()
        subjects = study.subjects()
        order = [*subjects.in_split("test"), *subjects.in_split("val"), *subjects.in_split("train")]
        columns = WithColumns(None, study.table, predictor.encoders) if predictor.encoders else None
        images = {}
        for name in channels:
            own = subjects.image[order, subjects.modalities.index(name)]
            rows = own[own >= 0][:CASES]
            if columns is not None and name in predictor.encoders:
                images[name] = columns.read(name, np.resize(rows, CASES))
            else:
                pixels = [read_images(Case(str(row), {name: study.image_path(int(row))}), channels, size)[name] for row in rows]
                images[name] = torch.stack([pixels[i % len(pixels)] for i in range(CASES)])
        return Examples(images, real=True)
    except DrifaError:
        return random_examples(channels, predictor.encoders, size)


def _described(
    predictor: Predictor, members: Program, examples: Examples, names: list[str], worst: float, notes: tuple[str, ...]
) -> dict[str, Any]:
    """What a program of another language needs to know to ask."""
    checked: dict[str, Any] = {
        "largest_difference": worst,
        "allowed": LIMIT,
        "on": "cases of the study" if examples.real else "noise",
    }
    about = {"compared": checked, "notes": list(notes)}
    if isinstance(members, SliceProgram):
        checked["pixels"] = {"share": SHARE, "others_allowed": STRAY}
        return described_slices(predictor, members, names) | about
    info = predictor.run.info
    inputs: dict[str, Any] = {}
    for name, channels in info.modalities.items():
        shape = ["batch", *examples.images[name].shape[1:]]
        if name in info.tabular:
            inputs[name] = {"type": "float32", "shape": shape, "columns": info.tabular[name]}
        else:
            inputs[name] = {"type": "float32", "shape": shape, "order": "RGB" if channels == 3 else "grey", "range": [0, 255]}
    inputs[PRESENT] = {"type": "bool", "shape": ["batch", len(info.modalities)], "columns": list(info.modalities)}
    return {
        "resize": {"height": info.image_size, "width": info.image_size, "filter": "bilinear, antialiased, stretched"},
        "standardise": "done by the program",
        "inputs": inputs,
        "outputs": {name: _output(predictor, members, name) for name in names},
        "calibration": {
            task: [{"scale": list(scale), "shift": list(shift)} for scale, shift in asked.steps]
            for task, asked in members.tasks.items()
            if isinstance(asked, Asked) and asked.steps
        },
        **about,
    }


def _output(predictor: Predictor, members: Program, name: str) -> Mapping[str, Any]:
    kind, task = name.split("_", 1)
    about = predictor.subject_kinds[task]
    if isinstance(about, Number):
        return {"task": task, "unit": about.unit}
    assert isinstance(about, Classes)
    asked = members.tasks[task]
    calibrated = kind == "probabilities" and isinstance(asked, Asked) and bool(asked.steps)
    return {"task": task, "classes": list(about.classes), "calibrated": calibrated}
