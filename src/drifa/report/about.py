"""What the head of the page and several sections say of a run: its study, its network, and what it was judged on."""

from __future__ import annotations

from typing import Any

from drifa.runs.files import RunFiles


def study(files: RunFiles) -> dict[str, Any]:
    """Name, licence, source and so on of the study; a link only where the source is a web address."""
    told = (files.model or {}).get("study") or {}
    page = {key: told.get(key) for key in ("licence", "citation", "source", "notes")}
    page["link"] = str(page["source"]).startswith(("https://", "http://"))
    return {**page, "name": told.get("name") or files.folder.resolve().name}


def network(files: RunFiles) -> dict[str, Any]:
    """The network in a line of facts; empty where ``model.json`` says nothing."""
    model = files.model or {}
    parameters, size, members = model.get("parameters"), model.get("image_size"), model.get("members")
    facts = [
        f"fusion {model['fusion']}" if model.get("fusion") else "",
        _backbone(model.get("backbone")),
        " + ".join(model.get("modalities") or {}),
        f"{size} × {size} pixels" if size else "slices as they are" if size == 0 else "",
        f"{parameters / 1e6:.1f} million parameters" if parameters else "",
        f"{members} networks" if members and members > 1 else "",
    ]
    return {"facts": [fact for fact in facts if fact], "modalities": list(model.get("modalities") or {})}


def evaluation(files: RunFiles) -> dict[str, Any]:
    """The head of ``evaluation.json``, None for what it does not say; all None before ``drifa evaluate``."""
    said = files.evaluation or {}
    return {key: said.get(key) for key in ("study", "split", "subjects", "partners", "resamples")}


def _backbone(told: Any) -> str:
    """One name, or one per modality."""
    if isinstance(told, dict):
        return "backbones " + ", ".join(f"{name}: {backbone}" for name, backbone in told.items())
    return f"backbone {told}" if told else ""
