"""The card of a model: what it answers, how well, on what it was learned, and what it is not for."""

from __future__ import annotations

import re
from typing import Any

import yaml

from drifa.metrics.names import HEADLINES, Kind, metric_words
from drifa.runs.files import RunFiles
from drifa.uncertainty.modes import MODE_NAMES, mode_order

#: The hub's word for a kind of task; it has none for a number that is read from an image.
PIPELINES: dict[Kind, str] = {"classes": "image-classification", "regions": "image-segmentation"}
KINDS: dict[Kind, str] = {"classes": "one of its classes", "number": "a number", "regions": "regions of a volume"}


def card_text(files: RunFiles) -> str:
    """A README.md with a YAML header that the Hugging Face hub reads; Markdown that anybody does.

    Args:
        files: What a run folder holds; metrics are told once `drifa evaluate` wrote them.
    """
    head = yaml.safe_dump(_header(files), sort_keys=False, allow_unicode=True, width=1000)
    sections = [_title(files), _answers(files), _figures(files), _data(files), _use(files), _limits(files), _uncertainty(files)]
    return f"---\n{head}---\n\n" + "\n\n".join(sections) + "\n"


def _study(files: RunFiles) -> dict[str, Any]:
    return (files.model or {}).get("study") or {}


def _name(files: RunFiles) -> str:
    return str(_study(files).get("name") or "study")


def _header(files: RunFiles) -> dict[str, Any]:
    model = files.model or {}
    pipelines = [PIPELINES[kind] for kind in files.kinds.values() if kind in PIPELINES]
    backbone = model.get("backbone") or ""
    backbones = list(backbone.values()) if isinstance(backbone, dict) else [backbone]
    tags = ["medical-imaging", "multimodal", "uncertainty", str(model.get("fusion") or ""), *backbones]
    head: dict[str, Any] = {
        "library_name": "drifa",
        "license": "other",
        "license_name": "of-the-study",
        "tags": list(dict.fromkeys(filter(None, tags))),
    }
    if pipelines:
        head["pipeline_tag"] = pipelines[0]
    results = [_result(files, task, kind) for task, kind in files.kinds.items() if (files.metrics or {}).get(task)]
    if results:
        head["model-index"] = [{"name": f"{_name(files)} {model.get('fusion') or ''}".strip(), "results": results}]
    return head


def _result(files: RunFiles, task: str, kind: Kind) -> dict[str, Any]:
    metrics = [
        {"type": metric, "value": told["value"], "name": f"{label}, 95 % interval {low:.4g} to {high:.4g}"}
        for metric, label, told, low, high in _rows(files, task, kind)
    ]
    return {
        "task": {"type": PIPELINES.get(kind, "other"), "name": task},
        "dataset": {"type": re.sub(r"[^\w.-]+", "-", _name(files)), "name": _name(files), "split": _split(files)},
        "metrics": metrics,
    }


def _split(files: RunFiles) -> str:
    return str((files.evaluation or {}).get("split") or "test")


def _rows(files: RunFiles, task: str, kind: Kind) -> list[tuple[str, str, dict[str, Any], float, float]]:
    """The headline metrics of a task in its most thorough mode, as far as they are defined."""
    modes = (files.metrics or {}).get(task) or {}
    if not modes:
        return []
    found = modes[mode_order(modes)[0]]
    wanted = HEADLINES[kind] if kind != "regions" else tuple(name for name in found if name.startswith("dice_"))
    rows = []
    for metric in wanted:
        told = found.get(metric) or {}
        ends = [told.get(key) for key in ("value", "low", "high")]
        if all(isinstance(end, int | float) for end in ends):
            name = "dice" if kind == "regions" else metric
            label = metric_words(name, kind).label + (f", {metric.removeprefix('dice_')}" if kind == "regions" else "")
            rows.append((metric, label, told, float(told["low"]), float(told["high"])))
    return rows


def _title(files: RunFiles) -> str:
    model = files.model or {}
    facts = [
        f"fusion {model['fusion']}" if model.get("fusion") else "",
        f"{model['parameters'] / 1e6:.1f} million parameters" if model.get("parameters") else "",
        f"{model['members']} networks" if (model.get("members") or 1) > 1 else "",
    ]
    told = f"A multimodal network of [drifa](https://arxiv.org/abs/2412.01248), for research: {', '.join(filter(None, facts))}."
    return f'# {_name(files)}\n\n{told}\n\n```python\nimport drifa\n\nmodel = drifa.load("FOLDER")\n```'


def _answers(files: RunFiles) -> str:
    model = files.model or {}
    carriers = model.get("task_modalities") or {}
    lines = ["## What it answers", "", "| Task | Answer | From |", "|---|---|---|"]
    for task, kind in files.kinds.items():
        told = (model.get("tasks") or {}).get(task) or {}
        answer = ", ".join(map(str, told.get("classes") or told.get("regions") or [])) or KINDS[kind]
        lines.append(f"| {task} | {answer} | {', '.join(carriers.get(task) or model.get('modalities') or [])} |")
    size = model.get("image_size")
    lines += ["", f"Images are stretched to {size} x {size} pixels." if size else "Slices are taken as they are."]
    return "\n".join(lines)


def _figures(files: RunFiles) -> str:
    lines = ["## How well", ""]
    for task, kind in files.kinds.items():
        rows = _rows(files, task, kind)
        if rows:
            mode = mode_order((files.metrics or {})[task])[0]
            lines += [f"Task `{task}`, {_split(files)} split, {MODE_NAMES.get(mode, mode)}:", ""]
            lines += ["| Metric | Value | 95 % interval |", "|---|---|---|"]
            lines += [f"| {label} | {told['value']:.4g} | {low:.4g} to {high:.4g} |" for _, label, told, low, high in rows]
            lines.append("")
    if len(lines) == 2:
        lines += ["Not judged yet: `drifa evaluate RUN` does it.", ""]
    return "\n".join([*lines, "Intervals are over groups (such as patients), so that images of one person count once."])


def _data(files: RunFiles) -> str:
    study, receipt = _study(files), files.receipt or {}
    lines = ["## What it was learned on", ""]
    for key, title in (("name", "Study"), ("source", "Source"), ("licence", "Licence"), ("citation", "Citation")):
        if study.get(key):
            lines.append(f"- {title}: {'; '.join(str(study[key]).splitlines())}")
    if receipt:
        counts, groups = receipt.get("subjects") or {}, receipt.get("groups") or {}
        lines += ["", f"Split by the protocol `{receipt.get('protocol')}`, seed {receipt.get('seed')}:", ""]
        lines += ["| Split | Subjects | Groups |", "|---|---|---|"]
        lines += [f"| {name} | {count} | {groups.get(name, '')} |" for name, count in counts.items()]
        lines += [
            "",
            f"Groups in two splits: {receipt.get('groups_in_two_splits')}. sha256 of the split: `{receipt.get('sha256')}`.",
        ]
    return "\n".join(lines)


def _use(files: RunFiles) -> str:
    return (
        "## Intended use\n\nResearch on multimodal fusion and on uncertainty, on images like those of the study. Not for the "
        "care of a patient: it is no medical device, and nobody has approved it."
    )


def _limits(files: RunFiles) -> str:
    lines = [
        "## Limits",
        "",
        "- Any picture gets an answer, even one of something else.",
        "- The figures hold for the study above; other clinics, devices and people may differ: judge it on your own data.",
    ]
    if (files.model or {}).get("components", 1) > 1:
        lines.append(
            "- It was trained on modalities of different people, and judged with training images standing in for absent ones. "
            "Those are not in this folder, so that absent modalities stay absent and answers differ from the figures above."
        )
    return "\n".join([*lines, "- Weights can hold traces of the training images; the study's licence goes with them."])


def _uncertainty(files: RunFiles) -> str:
    evaluation = files.evaluation or {}
    asked = [f"{evaluation['passes']} dropout passes" if evaluation.get("passes") else "no dropout passes"]
    asked.append(f"{evaluation.get('members') or (files.model or {}).get('members') or 1} network(s)")
    learned, words = (files.folder / "calibration.json").is_file(), "are not calibrated"
    if learned:
        part = (files.calibration or {}).get("source")
        words = f"are calibrated on the {'calibration' if part == 'calibration' else 'validation'} split"
    return (
        f"## Uncertainty\n\nAnswers are averaged over {' and '.join(asked)}; their spread is told as `std` and "
        f"`mutual_information`. Probabilities {words}."
    )
