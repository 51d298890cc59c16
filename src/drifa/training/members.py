"""The members of a run, trained one after another: each is complete once its config.json is written."""

from __future__ import annotations

import errno
import logging
import warnings
from typing import Any

import lightning as L
import torch
from lightning.pytorch.strategies import DDPStrategy, Strategy

from drifa.config import Config
from drifa.data import Study
from drifa.errors import DrifaError
from drifa.networks.folder import load_weights, save_model
from drifa.progress import Progress
from drifa.runs.run import Run
from drifa.tasks import kinds_from
from drifa.training.bar import EpochBar
from drifa.training.job import build_network, common_shares, make_loaders
from drifa.training.loggers import close_loggers, make_loggers
from drifa.training.module import MultitaskModule
from drifa.training.processes import process_count, process_rank


def train_members(run: Run, study: Study, progress: Progress | None, quiet: bool) -> None:
    """Trains the members of a run that are not complete, each from its last checkpoint.

    Args:
        run: With the configuration to train by.
        study: With its split.
        progress: Called with (done, total, modality) while images are decoded.
        quiet: No progress bars.

    Raises:
        DrifaError: The disk is full, or a validation loss was never a number.
    """
    for number in range(run.config.train.members):
        if run.is_trained(number):
            continue
        if process_rank() == 0:
            # What was learned of the answers of other networks is not true of these.
            for name in ("calibration.json", "strangers.npz"):
                (run.folder / name).unlink(missing_ok=True)
            # Written last, and so the one record that a member is complete.
            (run.member(number) / "config.json").unlink(missing_ok=True)
        try:
            _train_member(run, study, number, progress, quiet)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise DrifaError(
                    f"the disk of {run.folder} is full; the last whole checkpoint is kept: make room, then "
                    f"`drifa train --resume {run.folder}`"
                ) from error
            raise


def _train_member(run: Run, study: Study, number: int, progress: Progress | None, quiet: bool) -> None:
    config, folder = run.config, run.member(number)
    seed = config.train.seed + number
    L.seed_everything(seed, verbose=False)
    # As they were learned when the run began, whatever has become of the study since.
    kinds = kinds_from(run.info.tasks)
    net = build_network(config, study, kinds)
    source = run.cache(study, progress, [net])
    folder.mkdir(parents=True, exist_ok=True)
    module = MultitaskModule(net, config, seed, folder, kinds, common_shares(study, "val"))
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    trainer = L.Trainer(
        max_epochs=config.train.epochs,
        precision=choose_precision(config),
        accelerator=config.train.accelerator,
        devices=config.train.devices,
        num_nodes=config.train.nodes,
        strategy=_strategy(config),
        logger=make_loggers(config.train.logger, folder, number),
        callbacks=[] if quiet else [EpochBar(number, config.train.members)],
        enable_progress_bar=not quiet,
        enable_model_summary=False,
        enable_checkpointing=False,
        num_sanity_val_steps=0,
        accumulate_grad_batches=config.train.accumulate,
        gradient_clip_val=config.train.gradient_clip or None,
        log_every_n_steps=10,
        use_distributed_sampler=False,
        deterministic="warn" if torch.cuda.is_available() else False,
    )
    training, validation = make_loaders(config, study, source, module, seed, trainer.global_rank, trainer.world_size)
    last = folder / "last.ckpt"
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="lightning")
        try:
            trainer.fit(module, training, validation, ckpt_path=str(last) if last.is_file() else None, weights_only=True)
        except SystemExit:  # what Lightning makes of Ctrl-C
            raise KeyboardInterrupt from None
        finally:
            close_loggers(trainer.loggers)
    if not (folder / "model.safetensors").is_file():
        raise DrifaError(f"member {number}: the validation loss was never a number; lower train.lr ({config.train.lr})")
    if trainer.is_global_zero:
        load_weights(net, folder / "model.safetensors")
        best = min(module.history, key=lambda row: row["val_loss"])
        save_model(
            net,
            folder,
            extra={
                "classes": {name: list(task.classes) for name, task in study.tasks.items()},
                "image_size": config.data.image_size,
                "training": {
                    "seed": seed,
                    "epochs": len(module.history),
                    "stopped_early": len(module.history) < config.train.epochs,
                    "best_epoch": best["epoch"],
                    "best_val_loss": best["val_loss"],
                    "seconds": sum(row["seconds"] for row in module.history),
                    **({"notes": module.notes} if module.notes else {}),
                },
            },
        )


def _strategy(config: Config) -> Strategy | str:
    # Buffers are pooled once an epoch, by the module: processes with fewer validation batches than others could not take part
    # in a broadcast of each batch.
    return DDPStrategy(find_unused_parameters=True, broadcast_buffers=False) if process_count(config) > 1 else "auto"


def choose_precision(config: Config) -> Any:
    """The Lightning precision: bf16 only where the hardware computes in it (on other CPUs it is several times slower)."""
    if config.train.precision != "auto":
        return config.train.precision
    on_gpu = config.train.accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available()
    return "bf16-mixed" if on_gpu and torch.cuda.is_bf16_supported(including_emulation=False) else "32-true"
