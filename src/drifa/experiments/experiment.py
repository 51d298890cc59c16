"""What an experiment is: arms, seeds, folds, and the one comparison that was decided beforehand."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from drifa.config.reading import apply_override, checked, parse_override, read_plain
from drifa.config.sections import SEEDS, Config, Section
from drifa.errors import DrifaError, short, suggest
from drifa.fusion import FUSIONS

#: Seeds below which no interval over seeds is told: of two, it would be thirteen times as wide as their distance.
LEAST_SEEDS = 3
#: What an experiment sets itself, once per network.
OWN_KEYS = {
    "train.seed": "the seeds of an experiment are its 'seeds'",
    "train.members": "each network of an experiment is a run of its own, so give more 'seeds'",
    "data.fold": "the folds of an experiment are its 'folds'",
}


class Primary(Section):
    """The comparison that counts: the first arm minus the second, on one metric of one task (or the mean over its tasks)."""

    arms: tuple[str, str]
    metric: str
    task: str = ""


class Experiment(Section):
    """The keys of an experiment file.

    Attributes:
        config: The configuration that all arms share: a path, beside the experiment's file or from the working directory, or
            its sections.
        overrides: ``section.key=value``, for all arms.
        arms: Name -> what it sets: ``section.key=value`` texts, or sections. The first one is what others are compared with.
        seeds: Of the networks; the split's seed is that of the configuration.
        folds: Number of folds of a cross-validation; 0 keeps the split of the configuration.
        metrics: Those that are compared; empty for the headlines of each kind of task.
        primary: ``{arms: [a, b], metric: …, task: …}``, or the text ``a - b, metric, task``; by default the first two arms.
        interval: Over ``seeds`` (Student t, at least three), over ``groups`` of the test set (bootstrap), or ``auto``: over
            seeds where there are three.
        resamples: Of the bootstrap, at least.
        subsets: Also ask every network with every subset of the modalities.
    """

    config: str | dict[str, Any]
    overrides: list[str] = Field([])
    arms: dict[str, list[str | dict[str, Any]] | dict[str, Any]]
    seeds: list[int]
    folds: int = Field(0, ge=0, le=1000)
    metrics: list[str] = Field([])
    primary: Primary | None = None
    interval: Literal["auto", "seeds", "groups"] = "auto"
    resamples: int = Field(2000, ge=100, le=1_000_000)
    subsets: bool = False


@dataclass(frozen=True)
class Asked:
    """An experiment with the plain data of its arms.

    Attributes:
        name: Of the file.
        experiment: As written.
        arms: Arm -> plain data of its configuration, without seed and fold.
        told: Arm -> what it sets, as ``section.key=value``.
    """

    name: str
    experiment: Experiment
    arms: dict[str, dict[str, Any]]
    told: dict[str, list[str]]


def read_experiment(
    path: str | Path,
    overrides: Sequence[str] = (),
    fusions: Sequence[str] | None = None,
    seeds: Sequence[int] | None = None,
    folds: int | None = None,
) -> Asked:
    """Reads an experiment file, or makes one of a configuration.

    Args:
        path: A YAML file with ``arms``, or a configuration, with ``data``.
        overrides: ``section.key=value`` for all arms, on top of the file's own; what an arm sets itself wins.
        fusions: For a configuration: one arm each.
        seeds: For a configuration: those of its networks, 0, 1 and 2 by default.
        folds: For a configuration: of a cross-validation; without them its own split is kept.

    Raises:
        DrifaError: The file is neither, or a key, an arm or a seed does not fit; names it.
    """
    raw = read_plain(path)
    if "arms" in raw:
        for option, value in (("--fusions", fusions), ("--seeds", seeds), ("--folds", folds)):
            if value is not None:
                raise DrifaError(f"{path} is an experiment with arms, seeds and folds of its own; leave {option} away")
        experiment = _experiment(_beside(raw, Path(path)), str(path))
    elif "data" in raw:
        if not fusions:
            raise DrifaError(f"{path} is a configuration; say what to compare with --fusions drifa,concat")
        unknown = [name for name in fusions if name not in FUSIONS]
        if unknown:
            raise DrifaError(f"--fusions {unknown[0]!r} is no fusion{suggest(unknown[0], FUSIONS)}")
        if len(set(fusions)) < len(fusions):
            raise DrifaError(f"--fusions {','.join(fusions)} names one twice; give each once")
        arms: dict[str, list[str | dict[str, Any]] | dict[str, Any]] = {name: [f"model.fusion={name}"] for name in fusions}
        experiment = Experiment(config=raw, arms=arms, seeds=[0, 1, 2] if seeds is None else list(seeds), folds=folds or 0)
    else:
        raise DrifaError(f"{path} is neither an experiment (it has no 'arms') nor a configuration (it has no 'data')")
    return ask(Path(path).stem, experiment, overrides, str(path))


def ask(name: str, experiment: Experiment, overrides: Sequence[str] = (), place: str = "the experiment") -> Asked:
    """Checks an experiment, and gives each arm the plain data of its configuration.

    Args:
        name: Of the experiment.
        experiment: As written.
        overrides: ``section.key=value`` for all arms; what an arm sets itself wins.
        place: How errors call it.

    Raises:
        DrifaError: An arm or a seed does not fit.
    """
    _check(experiment, place)
    base = read_plain(experiment.config) if isinstance(experiment.config, str) else experiment.config
    plain, told = {}, {}
    for arm, settings in experiment.arms.items():
        sets = _as_pairs(settings, f"arm {arm!r} of {place}")
        plain[arm] = _with([*_texts([*experiment.overrides, *overrides], place), *sets], base)
        told[arm] = [f"{'.'.join(keys)}={_told(value)}" for keys, value in sets]
    return Asked(name, experiment, plain, told)


Pair = tuple[list[str], Any]


def _beside(raw: dict[str, Any], path: Path) -> dict[str, Any]:
    """With the path of a configuration that stands beside the experiment's file; another counts from the working directory."""
    config = raw.get("config")
    if isinstance(config, str) and (path.parent / config).is_file():
        return {**raw, "config": str(path.parent / config)}
    return raw


def _experiment(raw: dict[str, Any], place: str) -> Experiment:
    _known(raw, list(Experiment.model_fields), place)
    for name in raw["arms"] if isinstance(raw.get("arms"), dict) else ():
        if not isinstance(name, str):
            raise DrifaError(f"{place}: to YAML the arm {name!r} is no text; write its name in quotes")
    primary = raw.get("primary")
    if isinstance(primary, str):
        raw = {**raw, "primary": _primary(primary, place)}
    elif isinstance(primary, dict):
        _known(primary, list(Primary.model_fields), f"{place}: primary")
    return checked(Experiment, raw, place)


def _known(raw: Mapping[str, Any], names: Sequence[str], place: str) -> None:
    for key in raw:
        if key not in names:
            raise DrifaError(f"{place}: unknown key {key!r}{suggest(key, names)}")


def _primary(text: str, place: str) -> dict[str, Any]:
    parts = [part.strip() for part in text.split(",")]
    arms = [name.strip() for name in parts[0].split(" - ")]
    if len(arms) != 2 or len(parts) not in (2, 3) or not all([*arms, *parts]):
        raise DrifaError(
            f"{place}: primary {text!r} must look like 'drifa - concat, balanced_accuracy', with a task behind or not"
        )
    return {"arms": arms, "metric": parts[1], **({"task": parts[2]} if len(parts) == 3 else {})}


def _check(experiment: Experiment, place: str) -> None:
    arms, seeds = list(experiment.arms), experiment.seeds
    if len(arms) < 2:
        raise DrifaError(
            f"{place} has {len(arms)} arm, and a comparison needs two; add a control, such as concat: [model.fusion=concat]"
        )
    for name in arms:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,59}", name):
            raise DrifaError(
                f"{place}: {name!r} cannot name an arm, nor its folders; use letters, digits, '_', '-', '+' and '.'"
            )
    alike = {name.lower(): name for name in arms}
    for name in arms:
        other = alike[name.lower()]
        if other != name:
            raise DrifaError(
                f"{place}: the arms {name!r} and {other!r} would share folders where case does not count; rename one"
            )
    if not seeds:
        raise DrifaError(f"{place} has no seeds, so there is nothing to train; give seeds: [0, 1, 2]")
    wrong = [seed for seed in seeds if not 0 <= seed <= SEEDS or seeds.count(seed) > 1]
    if wrong:
        raise DrifaError(f"{place}: seed {wrong[0]} is used twice or not between 0 and {SEEDS}; give each network its own")
    twice = [name for name in experiment.metrics if experiment.metrics.count(name) > 1]
    if twice:
        raise DrifaError(f"{place} names the metric {twice[0]!r} twice, and would adjust for it twice; name it once")
    if experiment.interval == "seeds" and len(seeds) < LEAST_SEEDS:
        raise DrifaError(
            f"{place}: an interval over seeds needs {LEAST_SEEDS} seeds, and there are {len(seeds)}; add seeds, or leave "
            f"'interval' away for one over the groups of the test set"
        )
    for name in experiment.primary.arms if experiment.primary else ():
        if name not in arms:
            raise DrifaError(f"{place}: primary names the arm {name!r}{suggest(name, arms)}")
    if experiment.primary and len(set(experiment.primary.arms)) < 2:
        raise DrifaError(
            f"{place}: primary compares {experiment.primary.arms[0]!r} with itself; name two arms{suggest('', arms)}"
        )


def _texts(texts: Sequence[str], place: str) -> list[Pair]:
    found = [parse_override(text) for text in texts]
    for keys, _ in found:
        _refuse_own(keys, place)
    return found


def _as_pairs(settings: Sequence[str | dict[str, Any]] | dict[str, Any], place: str) -> list[Pair]:
    found: list[Pair] = []
    for setting in [settings] if isinstance(settings, dict) else settings:
        if isinstance(setting, str):
            found += _texts([setting], place)
            continue
        for section, values in setting.items():
            if section in Config.model_fields and not isinstance(values, dict):
                raise DrifaError(f"{place}: section {section!r} is {short(values)}; write key: value pairs below it")
            if isinstance(values, dict) and "." not in section:
                pairs = [([section, *str(key).split(".")], value) for key, value in values.items()]
            else:
                pairs = [(section.split("."), values)]
            for keys, _ in pairs:
                if keys[0] not in Config.model_fields or len(keys) < 2:
                    raise DrifaError(
                        f"{place}: {section!r} is no section of a configuration{suggest(section, Config.model_fields)}"
                    )
                _refuse_own(keys, place)
            found += pairs
    return found


def _refuse_own(keys: Sequence[str], place: str) -> None:
    name = ".".join(keys)
    if name in OWN_KEYS:
        raise DrifaError(f"{place} sets {name}; {OWN_KEYS[name]}")


def _with(pairs: Sequence[Pair], base: Mapping[str, Any]) -> dict[str, Any]:
    """The base with what is set; values are data already, so that they are not read as YAML again."""
    raw = deepcopy(dict(base))
    for keys, value in pairs:
        apply_override(raw, f"{'.'.join(keys)}=0")  # makes the sections on the way, or says why not
        node = raw
        for key in keys[:-1]:
            node = node[key]
        node[keys[-1]] = deepcopy(value)
    return raw


def _told(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else short(value).strip("'")
