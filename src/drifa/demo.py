"""drifa demo: the whole main job on the phantom study."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import Any

from drifa.config import Config, make_config
from drifa.data import Study, make_phantom
from drifa.errors import DrifaError
from drifa.evaluation.calibrate import calibrate
from drifa.evaluation.evaluate import evaluate
from drifa.explain.explain import explain
from drifa.progress import Progress
from drifa.report import write_report
from drifa.training.train import train

#: So many that 50 patients stand in the validation split, which a temperature needs.
SUBJECTS = 640


def demo_config(study: Path) -> Config:
    """Settings that two cores train in about four minutes: small images, a narrow and shallow ResNet, less dropout."""
    return make_config(
        {
            # The mesh on a lesion has a pitch of five pixels: smaller images lose it.
            "data": {"study": str(study), "image_size": 64, "shift": 2, "degrees": 5},
            "model": {
                "backbone": "resnet18",
                "backbone_args": {"layers": [1, 1, 1, 1], "channels": [16, 32, 64, 128]},
                "fusion": "drifa",
                "dropout": 0.1,
                # Behind the blocks it slows learning down, and each pass of the evaluation would begin there.
                "dropout_at": "head",
            },
            # One thread: kernels this small gain nothing from a second one and suffer when the machine is shared.
            "train": {
                "epochs": 6,
                "members": 2,
                "batch_size": 16,
                "optimizer": "adamw",
                "lr": 0.003,
                "schedule": "cosine",
                "warmup": 0.5,
                "modality_dropout": 0.1,
                "threads": 1,
                "accelerator": "cpu",
            },
        }
    )


def run_demo(out: Path, progress: Progress | None = None, quiet: bool = False) -> dict[str, Any]:
    """Phantom study (beside the run) → training → evaluation → calibration → explanations → report.

    Args:
        out: The run folder; must be new or empty. The study goes to ``<out>-study`` and is reused if it is there.
        progress: As in :func:`drifa.training.train.train`.
        quiet: No progress bars.

    Returns:
        ``study``, ``run``, ``report``, ``metrics``, ``trust`` (the content of `calibration.json`), and ``images``: the
        ``--image`` arguments of one test subject.
    """
    folder = out.with_name(f"{out.name}-study")
    if out.exists() and any(out.iterdir()):
        raise DrifaError(f"{out} exists and is not empty; give another --out, or delete it")
    study = Study.load(folder) if (folder / "study.yaml").is_file() else make_phantom(folder, SUBJECTS)
    run = train(demo_config(folder), out, progress, quiet)
    _, metrics = evaluate(out, progress=progress)
    _, trust = calibrate(out, progress=progress)
    explain(out, progress=progress)
    subject = run.study().subjects().in_split("test")[0]
    rows = run.study().subjects().image[subject]
    images = [
        f"--image {quote(f'{name}={study.image_path(int(row))}')}" for name, row in zip(study.modalities, rows, strict=True)
    ]
    told = {"metrics": metrics, "trust": trust, "images": " ".join(images)}
    return {"study": folder, "run": out, "report": write_report(out), **told}
