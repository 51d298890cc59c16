"""What a run says of itself: the content of `model.json`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field

from drifa.config.reading import checked
from drifa.data.targets import TARGETS, Reads
from drifa.errors import DrifaError
from drifa.version import __version__

FORMAT = 2
#: Format 1 told the classes of every task, and beside them the regions of those that have some; it is read as if written today.
READABLE = (1, 2)

#: What a `model.json` may leave out.
OPTIONAL = ("places", "token", "macs")


Count = Annotated[int, Field(ge=0, le=10**12)]
Channels = Annotated[int, Field(ge=1, le=4096)]
#: Folders of a run that something writes to after its training.
WRITTEN = ("members", "evaluations", "predictions", "explain")
#: Files by which a model folder, as `drifa pack` writes it, is known.
CONFIG, PREPROCESSING = "config.json", "preprocessing.json"


@dataclass(frozen=True)
class RunInfo:
    """What was trained, and on what.

    Attributes:
        backbone: Name of the branches' network, or modality -> name.
        fusion: What couples them.
        parameters: Number of weights of one member.
        modalities: Name -> channels, in the order of the columns of ``present``.
        tasks: Name -> ``kind`` and what that kind has learned, see :meth:`drifa.tasks.base.Kind.to_json`.
        task_modalities: Task -> the modalities that can answer it.
        image_size: Side of the images, pixels; 0 for slices as they are.
        tabular: Tabular modality -> how its columns are encoded.
        components: Number of groups of modalities that never share a subject.
        members: Networks of the ensemble.
        pretrained: What was read of weights files, one line per branch.
        study: ``name``, ``licence``, ``citation``, ``source`` and ``notes`` of the study.
        places: Absolute study folders in training, for a run that was moved away from them.
        token: What a cache folder outside holds the name of, where the run may use it; empty for none.
        macs: Multiply-accumulates of one subject with every modality in one member; None for slices of any size, and of a
            run from before they were counted.
    """

    backbone: str | Mapping[str, str]
    fusion: str
    parameters: Count
    modalities: Mapping[str, Channels]
    tasks: Mapping[str, Mapping[str, Any]]
    task_modalities: Mapping[str, Sequence[str]]
    image_size: Annotated[int, Field(ge=0, le=4096)]
    tabular: Mapping[str, Any]
    components: Count
    members: Annotated[int, Field(ge=1, le=100)]
    pretrained: Sequence[str]
    study: Mapping[str, str]
    places: Sequence[str] = field(default_factory=list)
    token: str = ""
    macs: Annotated[int, Field(ge=0, le=10**18)] | None = None

    @property
    def reads(self) -> Reads:
        """What its networks look at: subjects, or pixels of volumes."""
        return next((TARGETS[task["kind"]].reads for task in self.tasks.values()), "subject")

    def to_json(self) -> dict[str, Any]:
        """Plain data; the format number comes first."""
        return {"drifa_run": FORMAT, **vars(self)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any], place: str = "model.json", output: str = "regions") -> Self:
        """Reads what :meth:`to_json` gave.

        Args:
            value: The content of the file.
            place: How errors call it.
            output: ``model.output`` of the run, which format 1 does not tell.

        Raises:
            DrifaError: Another format wrote it, it holds a kind of task that is not known, or it lacks something.
        """
        number = value.get("drifa_run")
        if number not in READABLE:
            raise DrifaError(f"{place} was written in run format {number!r}; this drifa ({__version__}) reads up to {FORMAT}")
        fields = upgraded(value, output)
        known = cls.__dataclass_fields__
        missing = [name for name in known if name not in fields and name not in OPTIONAL]
        if missing:
            raise DrifaError(f"{place} has no {missing[0]!r}; it is not whole: train the run again, or restore the file")
        checked(cls, {name: fields[name] for name in known if name in fields}, place)
        for name, task in fields["tasks"].items():
            if task.get("kind") not in TARGETS:
                raise DrifaError(f"task {name!r} of {place} is of the unknown kind {task.get('kind')!r}; update drifa")
        return cls(**{name: fields[name] for name in known if name in fields})


def upgraded(value: Mapping[str, Any], output: str = "regions") -> dict[str, Any]:
    """The content of a `model.json` of any readable format, whole or not, as today's format has it; see :class:`RunInfo`."""
    fields = {key: entry for key, entry in value.items() if key not in ("drifa_run", "regions")}
    if value.get("drifa_run", FORMAT) != 1:
        return fields
    regions = value.get("regions") or {}
    fields["tasks"] = {
        name: {"kind": "regions", "regions": regions[name], "output": output}
        if name in regions
        else {"kind": "classes", "classes": classes}
        for name, classes in (value.get("tasks") or {}).items()
    }
    return {"tabular": {}, **fields}


def packed(folder: Path) -> DrifaError:
    """Says of a model folder that it is asked for what only its run has."""
    return DrifaError(f"{folder} is a model folder, which holds no images of the training; ask the run itself")


def refuse_packed(folder: Path) -> None:
    """Refuses a model folder where a run is wanted.

    Raises:
        DrifaError: ``folder`` is one.
    """
    if all((folder / name).is_file() for name in (CONFIG, PREPROCESSING)):
        raise packed(folder)
