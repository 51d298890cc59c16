"""Typed configuration: YAML in, checked values out. Plain data and registry names only."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from drifa.data.splits.protocols import check_split_settings
from drifa.errors import DrifaError, suggest
from drifa.yaml_text import parse_yaml


class Section(BaseModel):
    """A group of settings that refuses unknown keys."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True)


class DataConfig(Section):
    """What is learned from.

    Attributes:
        study: Study folder, or a list of folders that are merged.
        modalities: Keep only these modalities; empty = all.
        tabular: Name of a further modality -> the table's columns that make it up.
        tasks: Keep only these tasks; empty = all that the modalities can answer.
        image_size: Side of the square images, pixels; 0 leaves the slices of volumes as they are.
        protocol: How the study is split: a key of :data:`drifa.data.splits.protocols.PROTOCOLS`.
        fractions: Shares of train, validation, test.
        sizes: Subjects of train, validation, test, instead of shares; empty = by ``fractions``. For ``strict`` and ``paper``.
        folds: Number of folds, for ``kfold`` only; 0 = none.
        fold: Which of them is tested, from 0; the next one validates.
        column: The table's column that holds the split, for ``column`` only.
        split_seed: Seed of the split.
        cache: Folder of decoded images; empty = ``.cache`` beside the run.
        degrees: Random rotation in training, plus or minus, degrees.
        shift: Random shift in training, plus or minus, pixels.
        flip: Probability of swapping left and right in training (of an image, or of the patient in a volume); the paper
            never does.
        intensity: Random change of contrast and brightness in training, plus or minus, in standard deviations of a volume or
            halves of an image's range; the paper has none.
    """

    study: str | list[str]
    modalities: list[str] = []
    tabular: dict[str, list[str]] = {}
    tasks: list[str] = []
    image_size: int = Field(128, ge=0, le=4096)
    protocol: str = "strict"
    fractions: tuple[float, float, float] = (0.8, 0.1, 0.1)
    sizes: list[int] = []
    folds: int = 0
    fold: int = 0
    column: str = ""
    split_seed: int = Field(0, ge=0)
    cache: str = ""
    degrees: float = Field(20.0, ge=0, le=180)
    shift: float = Field(5.0, ge=0)
    flip: float = Field(0.0, ge=0, le=1)
    intensity: float = Field(0.0, ge=0, lt=1)

    @property
    def studies(self) -> list[str]:
        """The study folders as a list."""
        return [self.study] if isinstance(self.study, str) else list(self.study)

    @property
    def split_settings(self) -> dict[str, Any]:
        """What :func:`drifa.data.splits.split.split` is to do, by its argument names."""
        return {
            "protocol": self.protocol,
            "fractions": self.fractions,
            "seed": self.split_seed,
            "sizes": self.sizes or None,
            "folds": self.folds or None,
            "fold": self.fold if self.folds else self.fold or None,
            "column": self.column,
        }

    @model_validator(mode="after")
    def _check(self) -> Self:
        if 0 < self.image_size < 16:
            raise ValueError(
                f"image_size {self.image_size} is too small: 16 pixels at least, or 0 for the slices of volumes as they are"
            )
        check_split_settings(**self.split_settings)
        return self


class ModelConfig(Section):
    """Arguments of :func:`drifa.create_model`, under the same names; ``task_modalities`` defaults to the study's.

    For a segmentation study those of :func:`drifa.create_segmentation_model`; ``width``, ``indices``, ``output``, ``norm``
    are its own.
    """

    backbone: str | dict[str, str] = "resnet18"
    fusion: str = "drifa"
    fusion_args: dict[str, Any] = {}
    mfa_at: Literal["conv", "block", "stage"] = "conv"
    mifa_at: Literal["block", "stage"] | list[str | int] = "block"
    mfa: bool | dict[str, bool | int | str] = True
    mifa: bool | dict[str, bool | int | str] = True
    reduction: int = Field(1, ge=1)
    dropout: float = Field(0.25, ge=0, lt=1)
    dropout_at: Literal["blocks", "head", "mifa"] = "blocks"
    pretrained: bool | str | dict[str, bool | str] = False
    own_stem: bool = False
    conv_bias: bool = False
    backbone_args: dict[str, Any] = {}
    task_modalities: dict[str, list[str]] = {}
    width: float = Field(1.0, gt=0)
    indices: Literal["branch", "mean"] = "branch"
    output: Literal["regions", "classes"] = "regions"
    norm: Literal["batch", "group"] = "batch"


class TrainConfig(Section):
    """The paper's recipe by default (section 4).

    Attributes:
        epochs: Passes over the largest modality.
        batch_size: Samples per step and process.
        lr: Initial learning rate of Adam.
        lr_factor: ReduceLROnPlateau multiplies by this …
        lr_patience: … after so many epochs without a better validation loss …
        lr_min: … down to this.
        task_weights: Task -> weight in the loss (eq. 9); 1/t each where not given.
        early_stopping: Stop after so many epochs without a better validation loss; 0 = never.
        modality_dropout: Probability that a modality is hidden from a training sample (one always stays).
        members: Networks of the ensemble, each with its own seed.
        seed: Seed of the first member; member n uses ``seed + n``.
        number_loss: Of tasks of the kind number: ``gaussian_nll`` (the network states how far off it may be) or ``mse``.
        precision: ``auto`` = bf16 mixed on hardware that has it, else 32 bit; or a Lightning precision.
        accelerator: ``auto``, ``cpu``, ``gpu`` … as Lightning names them.
        devices: Number of devices, one process each.
        threads: CPU threads; 0 = torch's default.
    """

    epochs: int = Field(200, ge=1)
    batch_size: int = Field(32, ge=2)
    lr: float = Field(1e-3, gt=0)
    lr_factor: float = Field(0.2, gt=0, lt=1)
    lr_patience: int = Field(5, ge=0)
    lr_min: float = Field(1e-5, ge=0)
    task_weights: dict[str, float] = {}
    early_stopping: int = Field(0, ge=0)
    modality_dropout: float = Field(0.0, ge=0, lt=1)
    members: int = Field(5, ge=1)
    seed: int = Field(0, ge=0)
    number_loss: Literal["gaussian_nll", "mse"] = "gaussian_nll"
    precision: Literal["auto", "32-true", "16-mixed", "bf16-mixed"] = "auto"
    accelerator: Literal["auto", "cpu", "gpu", "cuda", "mps"] = "auto"
    devices: int = Field(1, ge=1)
    threads: int = Field(0, ge=0)


class EvaluateConfig(Section):
    """How a run is judged.

    Attributes:
        passes: Monte-Carlo dropout passes (the paper: 20); 0 = none.
        partners: In unpaired studies, training partners per image.
        resamples: Bootstrap resamples over groups.
        seed: Seed of partners, dropout masks and bootstrap.
        batch_size: Images per forward pass; results do not depend on it.
    """

    passes: int = Field(20, ge=0)
    partners: int = Field(8, ge=1)
    resamples: int = Field(1000, ge=10)
    seed: int = Field(0, ge=0)
    batch_size: int = Field(64, ge=1)


class Config(Section):
    """Everything a run is made from."""

    data: DataConfig
    model: ModelConfig = ModelConfig()
    train: TrainConfig = TrainConfig()
    evaluate: EvaluateConfig = EvaluateConfig()


def load_config(path: str | Path, overrides: list[str] | None = None) -> Config:
    """Reads a YAML file and applies ``section.key=value`` overrides.

    Relative study and weights paths count from the working directory, as on the command line.

    Raises:
        DrifaError: If the file is missing or not YAML, or a key or value is wrong; names key, value and remedy.

    Examples:
        >>> from pathlib import Path
        >>> _ = Path("config.yaml").write_text("data: {study: studies/phantom}")
        >>> config = load_config("config.yaml", ["train.epochs=3"])
        >>> config.data.study, config.model.fusion, config.train.epochs
        ('studies/phantom', 'drifa', 3)
        >>> load_config("config.yaml", ["train.epoch=3"])
        Traceback (most recent call last):
        drifa.errors.DrifaError: ...did you mean 'epochs'...
    """
    path = Path(path)
    if not path.is_file():
        raise DrifaError(f"config file {path} does not exist")
    try:
        raw = parse_yaml(path.read_text(encoding="utf-8-sig"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise DrifaError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(raw, dict):
        raise DrifaError(f"{path} must hold the sections {', '.join(Config.model_fields)}")
    for override in overrides or []:
        _override(raw, override)
    return make_config(raw, f"{path} with the overrides" if overrides else str(path))


def make_config(raw: dict[str, Any], place: str = "config") -> Config:
    """Checks plain data; errors say where (``place``) and what."""
    try:
        return Config.model_validate(raw)
    except DrifaError as error:
        raise DrifaError(f"{place}: {error}") from None
    except ValidationError as error:
        raise DrifaError(f"{place}: {_explain(error)}") from error


def parse_override(text: str) -> tuple[list[str], Any]:
    """Splits ``section.key=value`` into the key's parts and the value, read as YAML."""
    key, equals, value = text.partition("=")
    parts = key.split(".")
    if not equals or len(parts) < 2 or not all(parts):
        raise DrifaError(f"override {text!r} must look like section.key=value, for example train.epochs=5")
    try:
        return parts, _number(yaml.safe_load(value))
    except yaml.YAMLError as error:
        raise DrifaError(f"override {text!r}: {value!r} is not valid YAML") from error


def _number(value: Any) -> Any:
    """YAML 1.1 reads 1e-3 as text; a person means a number."""
    try:
        return float(value) if isinstance(value, str) and "e" in value.lower() else value
    except ValueError:
        return value


def _override(raw: dict[str, Any], text: str) -> None:
    parts, value = parse_override(text)
    node = raw
    for part in parts[:-1]:
        child = node.setdefault(part, {})
        if not isinstance(child, dict):
            raise DrifaError(f"override {text!r}: {part!r} is not a section")
        node = child
    node[parts[-1]] = value


def _explain(error: ValidationError) -> str:
    problems = error.errors()
    first = problems[0]
    location = [str(part) for part in first["loc"]]
    dotted = ".".join(location)
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    if first["type"] == "extra_forbidden":
        return f"unknown key {dotted!r}{suggest(location[-1], _keys(location[:-1]))}{more}"
    if first["type"] == "missing":
        return f"key {dotted!r} is missing{more}"
    return f"{dotted} = {first['input']!r}: {first['msg'][0].lower()}{first['msg'][1:]}{more}"


def _keys(location: list[str]) -> list[str]:
    model: Any = Config
    for part in location:
        annotation = model.model_fields[part].annotation
        model = next((kind for kind in (annotation, *get_args(annotation)) if hasattr(kind, "model_fields")), model)
    return list(model.model_fields)


def dump_config(config: Config) -> str:
    """The resolved configuration as YAML."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
