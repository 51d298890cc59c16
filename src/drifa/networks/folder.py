"""A network as a folder: config.json + model.safetensors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from drifa.backbones.cut import FAILURES
from drifa.config.reading import checked
from drifa.config.sections import ModelConfig
from drifa.errors import DrifaError, short, suggest
from drifa.files import atomic_path, read_json, write_json
from drifa.networks.arguments import mapping_of, path_of, told
from drifa.networks.factory import create_model
from drifa.networks.fusionnet import FusionNet
from drifa.networks.segmentation_factory import SEGMENTATION, create_segmentation_model
from drifa.networks.segnet import FusionSegNet
from drifa.networks.undrawn import undrawn

FORMAT = 1

Channels = Annotated[int, Field(ge=1, le=4096)]
Outputs = Annotated[int, Field(ge=1, le=10_000)]


class StoredNetwork(ModelConfig):
    """What a `config.json` says of a network, with its bounds: a folder may come from anybody.

    Its weights lie beside it, so that none are fetched from anywhere else: ``pretrained`` has no other value than false.
    """

    pretrained: Literal[False] = False
    modalities: dict[str, Channels]
    tasks: dict[str, Outputs] = Field({})
    regions: dict[str, Outputs] = Field({})
    tabular: list[str] = Field([])
    links: dict[str, str] = Field({})
    normalisation: dict[str, tuple[list[float], list[float]]] = Field({})


def save_model(net: FusionNet | FusionSegNet, folder: str | Path, extra: dict[str, Any] | None = None) -> Path:
    """Writes the network; each file appears whole or not at all.

    Args:
        net: A network from :func:`drifa.create_model` or :func:`drifa.create_segmentation_model`.
        folder: Created if missing.
        extra: Further plain data for config.json, such as class names.

    Raises:
        DrifaError: ``net`` is no such network, ``folder`` no path, or ``extra`` no plain data under names of its own.

    Examples:
        >>> from drifa import create_model, load_model, save_model
        >>> tiny = {"layers": [1, 1, 1, 1], "channels": [4, 4, 8, 8]}
        >>> net = create_model(modalities={"photo": 3}, tasks={"lesion": 7}, backbone_args=tiny)
        >>> folder = save_model(net, "model", extra={"classes": ["mel", "nv"]})
        >>> sorted(path.name for path in folder.iterdir())
        ['config.json', 'model.safetensors']
        >>> load_model("model").config == net.config
        True
    """
    folder = path_of("save_model", folder)
    if not isinstance(net, FusionNet | FusionSegNet):
        raise DrifaError(f"save_model needs a network of create_model or create_segmentation_model, and got {told(net)}")
    further, own = mapping_of("extra", extra, '{"classes": ["mel", "nv"]}'), {"drifa_model": FORMAT, "model": net.config}
    taken = next((name for name in further if name in own), None)
    if taken is not None:
        raise DrifaError(f"extra has the name {taken!r}, which config.json needs itself; choose another")
    try:
        json.dumps(further, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise DrifaError(
            f"extra holds what JSON cannot ({short(error)}); give texts, finite numbers, lists and mappings"
        ) from error
    save_weights(net, folder / "model.safetensors")
    write_json(folder / "config.json", {**own, **further})
    return folder


def save_weights(net: nn.Module, path: str | Path) -> None:
    """Writes the weights alone.

    Raises:
        OSError: The disk is full, or the place cannot be written to.
    """
    with atomic_path(path) as temporary:
        save_file({key: value.contiguous() for key, value in net.state_dict().items()}, temporary)


def load_model(folder: str | Path) -> Any:
    """Reads what :func:`save_model` wrote, in evaluation mode: a :class:`drifa.FusionNet` or :class:`drifa.FusionSegNet`.

    Raises:
        DrifaError: If ``folder`` is no path, or a file is missing or broken, was written by another format version, or does not
            fit.

    Examples:
        >>> from drifa import create_segmentation_model, load_model, save_model
        >>> net = create_segmentation_model(modalities={"flair": 1}, regions={"tumour": 3}, width=1 / 16)
        >>> again = load_model(save_model(net, "segmentation_model"))
        >>> type(again).__name__, again.training
        ('FusionSegNet', False)
        >>> load_model("nowhere")
        Traceback (most recent call last):
        drifa.errors.DrifaError: nowhere is not a model folder: config.json is missing
    """
    folder = path_of("load_model", folder)
    config = read_config(folder)
    if not isinstance(config.get("model"), dict):
        raise DrifaError(f"{folder / 'config.json'} describes no network (it has no mapping 'model'); restore the file")
    net = build_undrawn(config["model"], folder / "config.json")
    load_weights(net, folder / "model.safetensors")
    return net.eval()


def build_undrawn(config: Mapping[str, Any], place: Path) -> FusionNet | FusionSegNet:
    """As :func:`build_model`, for weights that come from a file: its parameters hold whatever memory held.

    Args:
        config: As for :func:`build_model`.
        place: The file that it comes from, for errors.
    """
    try:
        with undrawn():
            return build_model(config)
    except DrifaError as error:
        raise DrifaError(f"{place}: {error}") from error


def build_model(config: Mapping[str, Any]) -> FusionNet | FusionSegNet:
    """The network of a ``net.config``, randomly initialised.

    Args:
        config: Arguments of :func:`drifa.create_model`; with ``kind="segmentation"`` those of
            :func:`drifa.create_segmentation_model`.

    Raises:
        DrifaError: For an unknown kind, and whatever the factories refuse.
    """
    arguments = dict(config)
    kind = arguments.pop("kind", None)
    if kind not in (None, SEGMENTATION):
        raise DrifaError(f"kind={kind!r} of a network is not known{suggest(kind, [SEGMENTATION])}")
    checked(StoredNetwork, arguments, "the network")
    try:
        return _built(kind, arguments)
    except FAILURES as error:
        raise DrifaError(f"the network cannot be built as it is described: {short(error)}; restore the file") from error


def _built(kind: str | None, arguments: dict[str, Any]) -> FusionNet | FusionSegNet:
    if kind == SEGMENTATION:
        return create_segmentation_model(**arguments)
    frozen = arguments.pop("freeze", False)  # its weights come of the folder, and no longer of where they were pretrained
    net = create_model(**arguments)
    if frozen:
        net.freeze()
    return net


def read_config(folder: str | Path) -> dict[str, Any]:
    """The content of config.json, checked for its version."""
    path = Path(folder) / "config.json"
    config = read_json(path, "restore it, or train again")
    if config is None:
        raise DrifaError(f"{folder} is not a model folder: config.json is missing")
    if config.get("drifa_model") != FORMAT:
        raise DrifaError(f"{path} has model format {config.get('drifa_model')!r}; this version of drifa reads format {FORMAT}")
    return config


def load_weights(net: nn.Module, path: str | Path) -> None:
    """Loads weights into a network that must fit them exactly."""
    path = Path(path)
    if not path.is_file():
        raise DrifaError(f"weights file {path} does not exist")
    try:
        load_state(net, load_file(path), path)
    except (SafetensorError, RuntimeError) as error:
        raise DrifaError(f"weights file {path} is broken or truncated: {error}") from error


def load_state(net: nn.Module, state: Mapping[str, Tensor], path: Path) -> None:
    """Loads the tensors of a weights file, or those of one network in it, into a network that must fit them exactly."""
    try:
        broken = next((name for name, value in state.items() if not value.isfinite().all()), None)
        if broken is not None:
            raise DrifaError(f"weights file {path} holds what is no number in {short(broken)}; restore it, or train again")
        net.load_state_dict(state)
    except RuntimeError as error:
        first = next((line.strip() for line in str(error).splitlines()[1:]), str(error))
        raise DrifaError(f"weights file {path} does not fit the network of its config.json: {first}") from error
