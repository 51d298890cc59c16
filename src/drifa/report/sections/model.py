"""What the network is made of, what it started from, and what it costs to train and to ask."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from drifa.errors import plural
from drifa.report import words
from drifa.runs.files import RunFiles

#: Switch of an attention module in a network's settings -> its name, and the setting that tells where it stands.
ATTENTION = {"mfa": ("MFA", "mfa_at"), "mifa": ("MIFA", "mifa_at")}


def record(files: RunFiles) -> dict[str, Any]:
    """Pairs of a heading and what it says, in words; those of which the run tells nothing are left out."""
    model = files.model or {}
    told = [member["model"] for member in files.members.values() if isinstance(member.get("model"), dict)]
    settings: Mapping[str, Any] = told[0] if told else {}
    facts = {
        "Network": _network(model, settings),
        "Reads": _reads(model),
        "Answers": _answers(model),
        "Dropout": _dropout(settings),
        "Weights": _weights(model),
        "Started from": _start(model),
        "One answer takes": _answer(files, model),
        "Training took": _training(files),
    }
    return {"facts": [fact for fact in facts.items() if fact[1]]}


def _network(model: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
    backbone = model.get("backbone")
    branches = ", ".join(f"{name}: {one}" for name, one in backbone.items()) if isinstance(backbone, dict) else backbone
    parts = [f"{branches}, a branch per modality"] if branches else []
    if model.get("fusion"):
        parts.append(f"fusion {model['fusion']}")
    if model.get("fusion") == "drifa":
        for switch, (name, place) in ATTENTION.items():
            where = settings.get(place)
            if where:
                parts.append(f"{name} at {_listed(where)}" if settings.get(switch) else f"no {name}")
    return "; ".join(parts)


def _reads(model: Mapping[str, Any]) -> str:
    size = model.get("image_size")
    pixels = f"{size} × {size} pixels" if size else "slices as they are" if size == 0 else ""
    tabular = model.get("tabular") or {}
    told = []
    for name, channels in (model.get("modalities") or {}).items():
        if name in tabular:
            told.append(f"{name} (columns of the table)")
        else:
            told.append(f"{name} ({plural(channels, 'channel')})")
    return ", ".join(told) + (f"; {pixels}" if told and pixels else "")


def _answers(model: Mapping[str, Any]) -> str:
    told = []
    for name, task in (model.get("tasks") or {}).items():
        if task.get("kind") == "number":
            told.append(f"{name} (a number{', ' + task['unit'] if task.get('unit') else ''})")
        else:
            parts = task.get("classes") or task.get("regions") or ()
            told.append(f"{name} ({len(parts)} {'classes' if task.get('classes') else 'regions'})")
    return ", ".join(told)


def _dropout(settings: Mapping[str, Any]) -> str:
    rate = settings.get("dropout")
    if rate is None:
        return ""
    where = settings.get("dropout_at")
    return f"{100 * rate:g}\u00a0%{' at ' + _listed(where) if where else ''}" if rate else "none"


def _weights(model: Mapping[str, Any]) -> str:
    parameters, members = model.get("parameters"), model.get("members") or 1
    if not parameters:
        return ""
    return f"{words.whole(parameters)} per network" + (f", {members} networks" if members > 1 else "")


def _start(model: Mapping[str, Any]) -> str:
    if "pretrained" not in model:
        return ""
    return "; ".join(map(str, model["pretrained"])) or "random weights, drawn by the seed of each network"


def _answer(files: RunFiles, model: Mapping[str, Any]) -> str:
    """Passes of the most thorough mode, and the multiply-accumulates of one of them."""
    members = (files.evaluation or {}).get("members") or model.get("members")
    asked = (files.evaluation or {}).get("passes")
    macs = model.get("macs")
    told = []
    if members and asked is not None:
        each = f"{asked} dropout passes" if asked else "one pass"
        told.append(f"{each} of {plural(members, 'network')}")
    if macs:
        of = "slice" if any(task.get("kind") == "regions" for task in (model.get("tasks") or {}).values()) else "subject"
        told.append(f"{_large(macs)} multiply-accumulates per {of} and pass, with every modality")
    return "; ".join(told)


def _training(files: RunFiles) -> str:
    """Epochs and time over all networks, and on what."""
    epochs = {member: len(rows) for member, rows in files.histories.items()}
    if not epochs:
        return ""
    seconds = [row.get("seconds", math.nan) for rows in files.histories.values() for row in rows]
    time = words.duration(sum(one for one in seconds if math.isfinite(one)))
    count = len(epochs)
    told = f"{time} over {plural(sum(epochs.values()), 'epoch')} of {plural(count, 'network')}"
    environment = files.environment or {}
    device = environment.get("gpu")
    if device == "none":
        threads = environment.get("cpu_threads")
        device = f"a CPU, {threads} thread{'' if threads == '1' else 's'}" if threads else "a CPU"
    return f"{told}, on {device}" if device else told


def _large(count: int) -> str:
    return f"{count / 1e9:.2f} billion" if count >= 1e9 else f"{count / 1e6:.1f} million"


def _listed(where: Any) -> str:
    return ", ".join(map(str, where)) if isinstance(where, list) else str(where)
