"""Answers of a run by `drifa export`: onnxruntime against eager PyTorch, `torch.compile` and `torch.export`, and in int8.

    python benchmarks/export.py [--run RUN]

`torch.compile` is that of `train.compile=blocks`, block by block, as the whole of a network takes it very long. It and
`torch.export` need minutes before the first answer, which are not counted; `--ways onnxruntime eager int8` does without them.

Printed are medians of the ratios of alternating runs on the CPU. int8 is the dynamic quantisation of onnxruntime; with a run it
is told what that costs on cases of the test split: the accuracy of both (also balanced), the largest change of a probability,
and how many decisions are others. Without a run a network as it begins is asked about noise, and only the times mean something.
"""

from __future__ import annotations

import argparse
import copy
import logging
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from sklearn.metrics import accuracy_score, balanced_accuracy_score
from torch import Tensor

from drifa import create_model, load
from drifa.export.onnx import open_onnx, save_onnx
from drifa.export.program import LIMIT, PRESENT, Arrays, Asked, Program, exported, outputs_of
from drifa.prediction.cases import Case
from drifa.prediction.sources import read_images
from drifa.tasks import Classes
from drifa.training.compiled import compile_blocks

STUDY = {"modalities": {"dermoscopy": 3, "pap_smear": 3}, "tasks": {"skin_lesion": 7, "cell": 5}}

WAYS = ("onnxruntime", "eager", "torch.compile", "torch.export", "int8")

Inputs = dict[str, Tensor]
#: Task -> numbers of the true classes, and which of them are known.
Truths = dict[str, tuple[np.ndarray, np.ndarray]]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--run", type=Path, help="run folder; a new network and noise otherwise")
    parser.add_argument("--cases", type=int, default=200, help="of the run's test split, on which int8 is judged")
    parser.add_argument("--size", type=int, default=64, help="pixels, without a run")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS)
    options = parser.parse_args()
    if options.run:
        nets, cases, truths = run_and_cases(options.run, options.cases)
    else:
        nets = [create_model(**STUDY, backbone_args={"channels": [16, 32, 64, 128]}).eval()]
        cases = {name: 255 * torch.rand(options.batch, 3, options.size, options.size) for name in STUDY["modalities"]}
        cases[PRESENT] = torch.ones(options.batch, 2, dtype=torch.bool)
    tasks = {task: Asked(nets[0].fusion.spec.link(task), lambda draws, whole: {}) for task in nets[0].heads}
    program = Program(nets, tasks).eval()
    inputs = {name: x[: options.batch] for name, x in cases.items()}
    threads = torch.get_num_threads()
    print(f"torch {torch.__version__}, onnxruntime {onnxruntime.__version__}, {threads} threads, {len(nets)} network(s)")
    with tempfile.TemporaryDirectory() as folder:
        ways = ways_to_ask(program, inputs, Path(folder), {"onnxruntime", *options.ways})
    with torch.inference_mode():
        expected = {name: x.numpy() for name, x in program(*split(inputs)).items()}
    for name, way in ways.items():
        off = max(float(abs(values - expected[key]).max()) for key, values in way(inputs).items())
        assert off <= LIMIT or name == "int8", f"{name} is {off:.2g} off"
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(options.rounds):
        for name, way in ways.items():
            seconds[name].append(clock(way, inputs))
    for name in ways:
        if name != "onnxruntime":
            ratios = [one / ours for one, ours in zip(seconds[name], seconds["onnxruntime"], strict=True)]
            print(f"{name} / onnxruntime = {statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})")
    print(f"onnxruntime: {statistics.median(seconds['onnxruntime']) * 1000:.1f} ms for {len(inputs[PRESENT])} rows")
    if options.run and "int8" in ways:
        tell_cost(ways["onnxruntime"], ways["int8"], cases, truths, options.batch)


def ways_to_ask(program: Program, inputs: Inputs, folder: Path, wanted: set[str]) -> dict[str, Callable[[Inputs], Arrays]]:
    """One program in every wanted form, each ready to be asked."""
    arguments = split({name: x[:2] for name, x in inputs.items()})
    names = outputs_of(program, *arguments)

    def of_module(module: Callable[..., dict[str, Tensor]]) -> Callable[[Inputs], Arrays]:
        def run(given: Inputs) -> Arrays:
            with torch.inference_mode():
                return {name: x.numpy() for name, x in module(*split(given)).items()}

        return run

    ways = {"onnxruntime": save_onnx(program, arguments, folder / "model.onnx", names, "the network")}
    if "eager" in wanted:
        ways["eager"] = of_module(program)
    if "torch.compile" in wanted:
        compiled = copy.deepcopy(program)
        sides = next((x.shape[2], x.shape[3]) for x in arguments[0].values())
        if all(compile_blocks(net, sides) for net in compiled.members):
            ways["torch.compile"] = of_module(compiled)
    if "torch.export" in wanted:
        ways["torch.export"] = of_module(exported(program, arguments, "the network").module())
    if "int8" in wanted:
        logging.getLogger().setLevel(logging.ERROR)  # the quantiser advises a step that changes nothing here
        # Convolutions of onnxruntime take unsigned weights alone.
        quantize_dynamic(folder / "model.onnx", folder / "int8.onnx", weight_type=QuantType.QUInt8)
        ways["int8"] = open_onnx(folder / "int8.onnx")
    return ways


def split(given: Inputs) -> tuple[Inputs, Tensor]:
    return {name: x for name, x in given.items() if name != PRESENT}, given[PRESENT]


def run_and_cases(folder: Path, count: int) -> tuple[list[torch.nn.Module], Inputs, Truths]:
    """The networks of a run, and subjects of its test split with what they have; zeros in place of what they lack."""
    predictor = load(folder, device="cpu")
    info, study = predictor.run.info, predictor.run.study()
    if info.tabular:
        raise SystemExit(f"{folder} reads columns of a table, and this asks about images alone; give a run of images")
    subjects = study.subjects()
    test = subjects.in_split("test")
    chosen = test[np.linspace(0, len(test) - 1, min(count, len(test))).astype(int)]  # evenly, as studies lie one behind another
    rows = subjects.image[chosen]
    columns = [subjects.modalities.index(name) for name in info.modalities]
    cases: Inputs = {PRESENT: torch.from_numpy(rows[:, columns] >= 0)}
    for name, column in zip(info.modalities, columns, strict=True):
        images = torch.zeros(len(rows), info.modalities[name], info.image_size, info.image_size)
        for position, row in enumerate(rows[:, column]):
            if row >= 0:
                case = Case(str(row), {name: study.image_path(int(row))})
                images[position] = read_images(case, info.modalities, info.image_size)[name].float()
        cases[name] = images
    asked = [task for task, kind in predictor.kinds.items() if isinstance(kind, Classes)]
    return (
        list(predictor.nets),
        cases,
        {task: (subjects.targets[task][chosen], subjects.known_of(task)[chosen]) for task in asked},
    )


def tell_cost(
    whole: Callable[[Inputs], Arrays], int8: Callable[[Inputs], Arrays], cases: Inputs, truths: Truths, batch: int
) -> None:
    """What int8 changes, task by task."""
    for task, (truth, known) in truths.items():
        name, before, after = f"probabilities_{task}", [], []
        for start in range(0, len(truth), batch):
            given = {key: x[start : start + batch] for key, x in cases.items()}
            before.append(whole(given)[name])
            after.append(int8(given)[name])
        p, q = np.concatenate(before)[known], np.concatenate(after)[known]
        told = []
        for metric in (accuracy_score, balanced_accuracy_score):
            told.append(" -> ".join(f"{100 * metric(truth[known], x.argmax(axis=1)):.1f}" for x in (p, q)))
        off, others = abs(p - q).max(axis=1), 100 * (p.argmax(axis=1) != q.argmax(axis=1)).mean()
        print(
            f"int8, {task}, {known.sum()} cases: accuracy {told[0]} %, balanced {told[1]} %, other decisions {others:.1f} %, "
            f"change of a probability at most {off.max():.3f}, median {np.median(off):.4f}"
        )


def clock(run: Callable[[Inputs], Arrays], inputs: Inputs) -> float:
    start = time.perf_counter()
    run(inputs)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
