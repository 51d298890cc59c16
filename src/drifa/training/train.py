"""drifa train: from a configuration to a run folder with trained members."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from drifa.config import Config, make_config
from drifa.data import Study, components, split, write_receipt
from drifa.data.tabular import fit_encoders
from drifa.errors import DrifaError
from drifa.files import LOCK_FILE, locked, sweep
from drifa.networks import FusionNet
from drifa.networks.complexity import macs
from drifa.networks.segnet import FusionSegNet
from drifa.progress import Progress
from drifa.runs.encoded import tell_why_not
from drifa.runs.info import RunInfo
from drifa.runs.places import AS_STORED, Places, allow_cache
from drifa.runs.run import Run, build_cache, load_study, use_threads, write_run
from drifa.tasks import Kind, kinds_from, learn_kinds
from drifa.training.job import build_network, check_training_split
from drifa.training.loggers import check_loggers
from drifa.training.mappings import check_mappings
from drifa.training.members import train_members
from drifa.training.processes import check_launch, process_rank, wait_for
from drifa.training.recipe import check_checkpoint

#: What may change when a run is continued: how long and on what, never what is learned.
RESUMABLE = (
    "epochs",
    "members",
    "early_stopping",
    "accelerator",
    "compile",
    "devices",
    "nodes",
    "threads",
    "calibrate",
    "logger",
)

#: What a run folder holds before its `model.json`.
BEFORE_MODEL = ("split.csv", "split_receipt.json", "config.yaml", "environment.json", LOCK_FILE)
_BUSY = "another process is training in {}; wait for its end, or choose another --out"


def train(config: Config, folder: str | Path, progress: Progress | None = None, quiet: bool = False) -> Run:
    """Trains all members of a new run.

    Args:
        config: What to do.
        folder: The run folder; must be new or empty.
        progress: Called with (done, total, modality) while images are decoded.
        quiet: No progress bars.

    Returns:
        The finished run.

    Raises:
        DrifaError: If anything in the configuration, the study or the folder does not fit. Nothing is written before the
            study, the split, the network and every image have been checked.
    """
    folder = Path(folder)
    check_launch(config)
    if process_rank() > 0:  # a process of a distributed training: the first one has made the folder, or is about to
        run = wait_for(folder)
        use_threads(run.config)
        train_members(run, run.study(), None, quiet=True)
        return run
    _check_new(folder)
    config = _absolute(config)
    check_device(config)
    check_loggers(config.train.logger)
    use_threads(config)
    study, receipt = split(load_study(config), **config.data.split_settings)
    check_mappings(config, study)
    study.check_files()
    check_training_split(
        study, tested=config.data.protocol != "strict" or bool(config.data.sizes) or config.data.fractions[2] > 0
    )
    kinds = learn_kinds(study, config)
    net = build_network(config, study, kinds)
    tell_why_not(config, net)
    root = Path(config.data.cache) if config.data.cache else folder.resolve().parent / ".cache"
    build_cache(config, root, study, progress, [net])
    with locked(folder, _BUSY.format(folder)):
        _check_new(folder)  # another training may have begun here in the meantime
        sweep(folder)
        write_receipt(study, receipt, folder)
        run = write_run(folder, config, _placed(_describe(config, study, net, kinds), config))
        train_members(run, study, progress, quiet)
    return run


def resume(
    folder: str | Path,
    overrides: dict[str, Any] | None = None,
    progress: Progress | None = None,
    quiet: bool = False,
    places: Places | None = None,
) -> Run:
    """Continues a run exactly where it stopped; finished members are left alone unless ``epochs`` grows.

    Args:
        folder: The run.
        overrides: New values of ``train`` settings, among :data:`RESUMABLE`.
        progress: As in :func:`train`.
        quiet: As in :func:`train`.
        places: Where its study and its cache are now, if not where the run says; the run says so from then on.
    """
    run = Run.open(folder, places)
    raw = run.config.model_dump(mode="json")
    for key, value in (overrides or {}).items():
        if key not in RESUMABLE:
            raise DrifaError(f"train.{key} cannot change when a run is continued; only {', '.join(RESUMABLE)} can")
        raw["train"][key] = value
    if run.config.train.schedule == "cosine" and raw["train"]["epochs"] != run.config.train.epochs:
        raise DrifaError(
            f"train.epochs cannot change in a run with train.schedule=cosine, which plans all of its {run.config.train.epochs} "
            f"epochs; train a new one"
        )
    config = make_config(raw, "--resume")
    check_launch(config)
    check_device(config)
    check_loggers(config.train.logger)
    use_threads(config)
    study = run.study()
    info = replace(run.info, members=config.train.members)
    if process_rank() > 0:  # the first process holds the folder, and writes to it
        run = replace(run, config=config, info=info)
        train_members(run, study, None, quiet=True)
        return run
    if run.places != AS_STORED:
        config.data.study = list(run.places.study) or config.data.study
        config.data.cache = run.places.cache or config.data.cache
        info = _placed(info, config)
    with locked(run.folder, _BUSY.format(run.folder)):
        sweep(run.folder)
        begun = [number for number in range(config.train.members) if not replace(run, config=config).is_trained(number)]
        paths = [run.member(number) / "last.ckpt" for number in begun]
        checkpoints = [path for path in paths if path.is_file() or path.is_dir()]
        if checkpoints:
            net = build_network(config, study, kinds_from(run.info.tasks))
            for path in checkpoints:  # before anything is written
                check_checkpoint(path, net)
        run = write_run(run.folder, config, info)
        train_members(run, study, progress, quiet)
    return run


def _check_new(folder: Path) -> None:
    """Refuses a folder that holds anything; what a training leaves that was stopped before its first step is nothing."""
    left = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    if folder.is_file() or not all(name in BEFORE_MODEL or name.endswith(".tmp") for name in left):
        remedy = f"continue it with --resume {folder}" if "model.json" in left else "move away what is in it"
        raise DrifaError(f"{folder} exists and is not empty; choose a new --out, or {remedy}")


def check_device(config: Config) -> None:
    """Refuses an accelerator, or a number of them, that this machine does not have."""
    name, wanted, gpus = config.train.accelerator, config.train.devices, torch.cuda.device_count()
    apple = torch.backends.mps.is_available()
    if (name == "cuda" and not gpus) or (name == "mps" and not apple) or (name == "gpu" and not (gpus or apple)):
        raise DrifaError(f"train.accelerator={name}: torch finds no such device here; take train.accelerator=auto")
    if gpus and name in ("auto", "gpu", "cuda") and wanted > gpus:
        raise DrifaError(f"train.devices={wanted} asks for more GPUs than the {gpus} that torch finds here")


def _describe(config: Config, study: Study, net: FusionNet | FusionSegNet, kinds: Mapping[str, Kind]) -> RunInfo:
    own = {name: list(task.modalities) for name, task in study.tasks.items()}
    return RunInfo(
        backbone="vgg16_bn (SegNet)" if isinstance(net, FusionSegNet) else config.model.backbone,
        fusion=config.model.fusion,
        parameters=sum(parameter.numel() for parameter in net.parameters()),
        modalities={name: modality.channels for name, modality in study.modalities.items()},
        tasks={name: kind.to_json() for name, kind in kinds.items()},
        task_modalities=net.config.get("task_modalities", own),
        image_size=config.data.image_size,
        tabular={name: encoder.to_json() for name, encoder in fit_encoders(study).items()},
        components=len(components(study.subjects())),
        members=config.train.members,
        pretrained=list(net.loaded.values()),
        study={key: getattr(study, key) for key in ("name", "licence", "citation", "source", "notes")},
        macs=macs(net, config.data.image_size) if config.data.image_size else None,
    )


def _placed(info: RunInfo, config: Config) -> RunInfo:
    """With where the study and the cache are, the latter marked as one that this run may use."""
    token = allow_cache(Path(config.data.cache), info.token) if config.data.cache else info.token
    return replace(info, places=config.data.studies, token=token)


def _absolute(config: Config) -> Config:
    """Study, cache and weights paths made absolute, so that the run can be used from anywhere."""
    config = config.model_copy(deep=True)
    config.data.study = [str(Path(folder).resolve()) for folder in config.data.studies]
    if config.data.cache:
        config.data.cache = str(Path(config.data.cache).resolve())
    weights = config.model.pretrained
    if isinstance(weights, dict):
        config.model.pretrained = {name: _resolved(source) for name, source in weights.items()}
    else:
        config.model.pretrained = _resolved(weights)
    return config


def _resolved(weights: bool | str) -> bool | str:
    return str(Path(weights).resolve()) if isinstance(weights, str) else weights
