"""The sections of a configuration: every setting with its type, default and bounds. Plain data and registry names only."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from drifa.data.splits.protocols import check_split_settings
from drifa.errors import DrifaError
from drifa.yaml_text import MOST, MOST_LISTED, is_plain

#: Samples of a part of a batch, so that the last batch of an epoch, which may be half as large, gives BatchNorm two.
LEAST_PART = 4

ClassWeights = Literal["none", "balanced", "sqrt"]
#: Largest seed: members count on from it, and numpy takes 32 bits.
SEEDS = 2**32 - 1001


def _plain(value: dict[str, Any]) -> dict[str, Any]:
    if not is_plain(value):
        raise ValueError(f"holds a number beyond {MOST}, more than {MOST_LISTED} values in a list, or what is no plain value")
    return value


Plain = Annotated[dict[str, Any], AfterValidator(_plain)]


class Section(BaseModel):
    """A group of settings that refuses unknown keys."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True, allow_inf_nan=False)


class AugmentConfig(Section):
    """How images are augmented in training, see :class:`DataConfig`; None for what is not set."""

    degrees: float | None = Field(None, ge=0, le=180)
    shift: float | None = Field(None, ge=0, le=4096)
    flip: float | None = Field(None, ge=0, le=1)
    flip_vertical: float | None = Field(None, ge=0, le=1)
    quarter_turns: bool | None = None
    intensity: float | None = Field(None, ge=0, lt=1)
    hue: float | None = Field(None, ge=0, le=0.5)


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
        calibration_fraction: Share of the training part that is cut off, by whole groups, for `drifa calibrate` alone; 0 =
            none: it uses the validation part, which also chose the epoch of each network.
        cache: Folder of decoded images; empty = ``.cache`` beside the run.
        maps_gb: What the maps of frozen encoders may take in the cache, 10^9 bytes; 0 = they are never kept, and the encoders
            run every epoch.
        degrees: Random rotation in training, plus or minus, degrees.
        shift: Random shift in training, plus or minus, pixels.
        flip: Probability of swapping left and right in training (of an image, or of the patient in a volume); the paper
            never does.
        flip_vertical: Likewise top and bottom, or front and back.
        quarter_turns: Turn by 0, 90, 180 or 270 degrees in training, each as often: for images without an upright.
        intensity: Random change of contrast and brightness in training, plus or minus, in standard deviations of a volume or
            halves of an image's range; the paper has none.
        hue: Random change of hue in training, plus or minus, as a share of the colour circle, of images of 3 channels; grey
            ones stay as they are. The paper has none.
        augment: Modality -> its own values of the seven keys before: a mirror image is harmless for a cell and wrong for a
            heart.
    """

    study: str | list[str]
    modalities: list[str] = []
    tabular: dict[str, list[str]] = {}
    tasks: list[str] = []
    image_size: int = Field(128, ge=0, le=4096)
    protocol: str = "strict"
    fractions: tuple[float, float, float] = (0.8, 0.1, 0.1)
    sizes: list[int] = []
    folds: int = Field(0, ge=0, le=1000)
    fold: int = Field(0, ge=0, le=1000)
    column: str = ""
    split_seed: int = Field(0, ge=0, le=SEEDS)
    calibration_fraction: float = Field(0.0, ge=0, lt=1)
    cache: str = ""
    maps_gb: float = Field(20.0, ge=0)
    degrees: float = Field(20.0, ge=0, le=180)
    shift: float = Field(5.0, ge=0, le=4096)
    flip: float = Field(0.0, ge=0, le=1)
    flip_vertical: float = Field(0.0, ge=0, le=1)
    quarter_turns: bool = False
    intensity: float = Field(0.0, ge=0, lt=1)
    hue: float = Field(0.0, ge=0, le=0.5)
    augment: dict[str, AugmentConfig] = {}

    def augmentation(self, modality: str) -> AugmentConfig:
        """How the images of a modality are augmented: its own settings, and the common ones for the rest."""
        common = {key: getattr(self, key) for key in AugmentConfig.model_fields}
        own = self.augment.get(modality)
        return AugmentConfig(**(common | (own.model_dump(exclude_none=True) if own else {})))

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
            "calibration": self.calibration_fraction,
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
    attach: Literal["stages", "intermediates"] = "stages"
    fusion: str = "drifa"
    fusion_args: Plain = {}
    mfa_at: Literal["conv", "block", "stage"] = "conv"
    mifa_at: Literal["block", "stage"] | list[str | int] = "block"
    mfa: bool | dict[str, bool | int | str] = True
    mifa: bool | dict[str, bool | int | str] = True
    reduction: int = Field(1, ge=1, le=4096)
    dropout: float = Field(0.25, ge=0, lt=1)
    dropout_at: Literal["blocks", "head", "mifa"] = "blocks"
    pretrained: bool | str | dict[str, bool | str] = False
    freeze: bool = False
    own_stem: bool = False
    conv_bias: bool = False
    backbone_args: Plain = {}
    task_modalities: dict[str, list[str]] = {}
    width: float = Field(1.0, gt=0, le=8)
    indices: Literal["branch", "mean"] = "branch"
    output: Literal["regions", "classes"] = "regions"
    norm: Literal["batch", "group"] = "batch"


class TrainConfig(Section):
    """The paper's recipe by default (section 4).

    Attributes:
        recipe: A key of :data:`drifa.config.recipes.RECIPES`: other defaults for many keys. Each key that is given wins.
        epochs: Passes over the largest modality.
        batch_size: Samples per step and process.
        accumulate: Parts of a batch that are computed one after the other, before its one step, where a device cannot hold
            it whole; must divide ``batch_size``. The same result, but that BatchNorm, class weights and Dice see parts.
        optimizer: ``adam`` (the paper), ``adamw`` or ``sgd`` (with momentum 0.9).
        lr: Initial learning rate.
        weight_decay: Of the weights, never of biases, of normalisation or of the attention's ω.
        trunk_lr: The learning rate of pretrained parts, as a factor of ``lr``.
        freeze_epochs: Pretrained parts stay as they are for so many epochs.
        schedule: ``plateau`` (the paper) or ``cosine``, from ``lr`` down to ``lr_min`` over all epochs.
        warmup: Epochs in which the cosine schedule rises from 0 to ``lr``.
        lr_factor: ReduceLROnPlateau multiplies by this …
        lr_patience: … after so many epochs without a better validation loss …
        lr_min: … down to this.
        gradient_clip: Largest norm of the gradient; 0 = any.
        ema: Decay of a running average of the weights, which is validated, saved and resumed; 0 = none.
        label_smoothing: Share of the probability that the truth of a class gives to all classes.
        class_weights: How the loss weighs rare classes: ``none``, ``balanced`` (by one over their number) or ``sqrt`` (by its
            root); or task -> one of these.
        sampling: ``natural``, or ``balanced``: subjects are drawn so that every class of a task is met as often.
        task_weights: Task -> weight in the loss (eq. 9); 1/t each where not given.
        early_stopping: Stop after so many epochs without a better validation loss; 0 = never.
        modality_dropout: Probability that a modality is hidden from a training sample (one always stays).
        mixup: α of mixup: each training row is blended with another of the same modalities, in shares drawn of Beta(α, α); 0 =
            never. For tasks of subjects.
        members: Networks of the ensemble, each with its own seed.
        seed: Seed of the first member; member n uses ``seed + n``.
        number_loss: Of tasks of the kind number: ``gaussian_nll`` (the network states how far off it may be) or ``mse``.
        precision: ``auto`` = bf16 mixed on hardware that has it, else 32 bit; or a Lightning precision.
        accelerator: ``auto``, ``cpu``, ``gpu`` … as Lightning names them.
        compile: ``blocks``: torch.compile on the repeated blocks; ``none``; ``auto``: on a GPU only, as the tiles of the
            attention are faster on a CPU. The results are the same but for rounding.
        devices: Number of devices of a machine, one process each.
        nodes: Number of machines; more than one need `torchrun` or `srun`, and a folder that all of them see.
        threads: CPU threads; 0 = torch's default.
        calibrate: `drifa train` ends with what `drifa calibrate RUN` does, unless the run was calibrated before.
        logger: Where the curves are also written, of ``tensorboard``, ``mlflow``, ``wandb``: in the member's folder, offline;
            ``csv``, the `history.csv`, is always written.
    """

    recipe: Literal["paper", "standard"] = "paper"
    epochs: int = Field(200, ge=1, le=100_000)
    batch_size: int = Field(32, ge=2, le=65_536)
    accumulate: int = Field(1, ge=1, le=65_536)
    optimizer: Literal["adam", "adamw", "sgd"] = "adam"
    lr: float = Field(1e-3, gt=0, le=1000)
    weight_decay: float = Field(0.0, ge=0, le=1000)
    trunk_lr: float = Field(1.0, gt=0, le=1000)
    freeze_epochs: int = Field(0, ge=0, le=100_000)
    schedule: Literal["plateau", "cosine"] = "plateau"
    warmup: float = Field(0.0, ge=0, le=100_000)
    lr_factor: float = Field(0.2, gt=0, lt=1)
    lr_patience: int = Field(5, ge=0, le=100_000)
    lr_min: float = Field(1e-5, ge=0, le=1000)
    gradient_clip: float = Field(0.0, ge=0, le=1e9)
    ema: float = Field(0.0, ge=0, lt=1)
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    class_weights: ClassWeights | dict[str, ClassWeights] = "none"
    sampling: Literal["natural", "balanced"] = "natural"
    task_weights: dict[str, Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]] = {}
    early_stopping: int = Field(0, ge=0, le=100_000)
    modality_dropout: float = Field(0.0, ge=0, lt=1)
    mixup: float = Field(0.0, ge=0, le=100)
    members: int = Field(5, ge=1, le=100)
    seed: int = Field(0, ge=0, le=SEEDS)
    number_loss: Literal["gaussian_nll", "mse"] = "gaussian_nll"
    precision: Literal["auto", "32-true", "16-mixed", "bf16-mixed"] = "auto"
    accelerator: Literal["auto", "cpu", "gpu", "cuda", "mps"] = "auto"
    compile: Literal["auto", "none", "blocks"] = "auto"
    devices: int = Field(1, ge=1, le=1024)
    nodes: int = Field(1, ge=1, le=1024)
    threads: int = Field(0, ge=0, le=1024)
    calibrate: bool = True
    logger: list[Literal["csv", "tensorboard", "mlflow", "wandb"]] = ["tensorboard"]

    @field_validator("class_weights", mode="before")
    @classmethod
    def _no_numbers(cls, value: Any) -> Any:
        if isinstance(value, dict) and any(isinstance(rule, int | float) for rule in value.values()):
            raise DrifaError(
                f"train.class_weights={value} holds numbers; a task's classes are weighed by none, balanced or sqrt, and tasks "
                f"among each other by the numbers of train.task_weights"
            )
        return value

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.accumulate > 1 and (self.batch_size % self.accumulate or self.batch_size // self.accumulate < LEAST_PART):
            raise ValueError(
                f"accumulate {self.accumulate} does not cut a batch of {self.batch_size} into equal parts of {LEAST_PART} "
                f"samples or more; change one of the two"
            )
        if self.freeze_epochs >= self.epochs:
            raise ValueError(
                f"freeze_epochs {self.freeze_epochs} leaves no epoch that trains all; take less than {self.epochs}"
            )
        if self.warmup > 0 and (self.schedule != "cosine" or self.warmup >= self.epochs):
            raise ValueError(f"warmup {self.warmup:g} belongs to schedule=cosine, and must be less than {self.epochs} epochs")
        return self


class EvaluateConfig(Section):
    """How a run is judged.

    Attributes:
        passes: Monte-Carlo dropout passes (the paper: 20); 0 = none.
        partners: In unpaired studies, training partners per image.
        resamples: Bootstrap resamples over groups.
        seed: Seed of partners, dropout masks and bootstrap.
        batch_size: Images per forward pass; results do not depend on it.
        tta: Test-time augmentation, of ``flip``, ``flip_vertical`` and ``quarter_turns``: the deterministic answer is the mean
            over all views that they lead to, and the passes take the views in turn. All modalities are changed alike.
    """

    passes: int = Field(20, ge=0, le=1000)
    partners: int = Field(8, ge=1, le=1000)
    resamples: int = Field(1000, ge=10, le=100_000)
    seed: int = Field(0, ge=0, le=SEEDS)
    batch_size: int = Field(64, ge=1, le=65_536)
    tta: list[Literal["flip", "flip_vertical", "quarter_turns"]] = []


class Config(Section):
    """Everything a run is made from."""

    data: DataConfig
    model: ModelConfig = ModelConfig()
    train: TrainConfig = TrainConfig()
    evaluate: EvaluateConfig = EvaluateConfig()
