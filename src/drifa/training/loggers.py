"""Where the curves of a training are also written: TensorBoard, MLflow, Weights & Biases, all of them without a network."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from lightning.pytorch.loggers import Logger, TensorBoardLogger

from drifa.errors import DrifaError

#: Loggers that are an extra of the same name, and a package of it. `csv` is the `history.csv`, which is written anyway.
EXTRAS = ("mlflow", "wandb")


def check_loggers(names: Sequence[str]) -> None:
    """Looks whether the packages behind some loggers are installed.

    Args:
        names: Values of ``train.logger``.

    Raises:
        DrifaError: One is not; names the command that installs it.
    """
    for name in names:
        if name in EXTRAS and importlib.util.find_spec(name) is None:
            raise DrifaError(
                f'train.logger names {name}, which is not installed here; run `pip install "drifa[{name}]"`, or leave it out'
            )


def make_loggers(names: Sequence[str], folder: Path, number: int) -> list[Logger]:
    """The loggers of one member, each with a folder of its name in the member's.

    Args:
        names: Values of ``train.logger``.
        folder: The member's folder.
        number: Of the member.
    """
    return [_MAKE[name](folder, number) for name in dict.fromkeys(names) if name in _MAKE]


def close_loggers(loggers: Sequence[Logger]) -> None:
    """Ends what would go on into the next member: Weights & Biases has one run for a process."""
    from lightning.pytorch.loggers import WandbLogger

    for logger in loggers:
        if isinstance(logger, WandbLogger):
            logger.experiment.finish()


def _tensorboard(folder: Path, number: int) -> Logger:
    return TensorBoardLogger(folder, name="", version="tensorboard")


def _mlflow(folder: Path, number: int) -> Logger:
    from lightning.pytorch.loggers import MLFlowLogger

    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    where = folder.resolve() / "mlflow"
    where.mkdir(exist_ok=True)
    # MLflow keeps records in a database, as its stores of plain files end; artefacts lie beside it.
    return MLFlowLogger(
        experiment_name=folder.resolve().parents[1].name,
        run_name=f"member {number}",
        tracking_uri=f"sqlite:///{(where / 'mlflow.db').as_posix()}",
        artifact_location=where.as_uri(),
    )


def _wandb(folder: Path, number: int) -> Logger:
    from lightning.pytorch.loggers import WandbLogger

    os.environ.setdefault("WANDB_SILENT", "true")
    return WandbLogger(
        project=folder.resolve().parents[1].name,
        name=f"member {number}",
        save_dir=folder,
        mode="offline",
    )


_MAKE: dict[str, Callable[[Path, int], Logger]] = {"tensorboard": _tensorboard, "mlflow": _mlflow, "wandb": _wandb}
