"""What a model says of itself is what it answers, and names nobody's folders."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import drifa
from drifa.data.tabular import Column
from drifa.export.folder import pack
from drifa.prediction.predictor import Predictor
from drifa.serving.describe import describe, form_of
from drifa.serving.limits import Limits


def test_a_run_and_its_model_folder_say_the_same(predictor: Predictor, tmp_path: Path) -> None:
    packed = drifa.load(pack(predictor.run.folder, tmp_path / "model"), device="cpu")
    told = describe(predictor, Limits())
    assert told == describe(packed, Limits())
    for name, kind in predictor.subject_kinds.items():
        assert told["tasks"][name]["classes"] == list(kind.classes)  # type: ignore[attr-defined]
        assert told["tasks"][name]["modalities"] == list(predictor.run.info.task_modalities[name])
    assert str(predictor.run.folder.parent) not in json.dumps(told)
    (tmp_path / "model" / "README.md").unlink()
    assert describe(packed, Limits())["card"] is None


def test_the_form_has_a_field_for_all_that_can_be_given() -> None:
    encoder = SimpleNamespace(columns=[Column("age", "number"), Column("sex", "category", categories=("f", "m"))])
    info = SimpleNamespace(modalities={"photo": 3, "table": 5})
    model: Any = SimpleNamespace(regions={}, encoders={"table": encoder}, run=SimpleNamespace(info=info))
    fields = {"photo", "age", "sex"}
    for prefix, names in (("", {*fields, "subject"}), ("SUBJECT.", {f"SUBJECT.{name}" for name in fields})):
        schema = form_of(model, prefix)["requestBody"]["content"]["multipart/form-data"]["schema"]
        assert set(schema["properties"]) == names
