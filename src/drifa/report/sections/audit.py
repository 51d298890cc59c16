"""What the report says about the data itself: the findings of `drifa data audit`, where they were kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from drifa.data.audit.findings import AUDIT_VERSION, SEVERITIES
from drifa.files import read_json
from drifa.runs.files import RunFiles
from drifa.yaml_text import parse_yaml


def record(files: RunFiles) -> dict[str, Any] | None:
    """What was found in each study; None where no audit was kept."""
    found = _audits(files)
    return {"audits": found} if found else None


def _audits(files: RunFiles) -> list[dict[str, Any]]:
    """One entry per `audit.json` in the run folder or, without one there, beside the studies that the run was trained on."""
    found = []
    for folder in (files.folder, *_studies(files)):
        value = read_json(folder / "audit.json")
        if value is not None and value.get("drifa_audit") == AUDIT_VERSION:
            findings = value.get("findings") or []
            told = [one for one in findings if one.get("severity") in SEVERITIES[:2]]
            found.append(
                {
                    "study": value.get("study"),
                    "images": value.get("images"),
                    "counts": {name: sum(one.get("severity") == name for one in findings) for name in SEVERITIES},
                    "rows": [{key: one.get(key) or "" for key in ("severity", "rule", "message", "remedy")} for one in told],
                }
            )
            if folder == files.folder:
                break
    return found


def _studies(files: RunFiles) -> list[Path]:
    try:
        config = parse_yaml(files.config or "")
    except yaml.YAMLError:
        return []
    data = config.get("data") if isinstance(config, dict) else None
    named = data.get("study") if isinstance(data, dict) else None
    names = [named] if isinstance(named, str) else named if isinstance(named, list) else []
    names = [name for name in names if isinstance(name, str) and "\0" not in name]
    return [files.folder / name for name in names if isinstance(name, str)]
