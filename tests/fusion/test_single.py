"""Without fusion each task is read from one modality."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from drifa.errors import DrifaError
from drifa.fusion import Single
from tests.fusion.parts import spec

SPEC = replace(spec(False), channels=((3,), (5,)), ends_level=(True,), tasks={"t": 2, "u": 4})


def test_a_head_reads_the_numbers_of_its_own_modality_alone() -> None:
    fusion = Single(replace(SPEC, task_modalities={"t": ("a",), "u": ("b",)}))
    readout = torch.randn(2, fusion.dim)
    heads = {task: fusion.make_head(task) for task in ("t", "u")}
    assert {task: tuple(head(readout).shape) for task, head in heads.items()} == {"t": (2, 2), "u": (2, 4)}
    torch.testing.assert_close(heads["t"](readout), heads["t"].linear(readout[:, :3]))
    torch.testing.assert_close(heads["u"](readout), heads["u"].linear(readout[:, 3:]))


def test_a_task_of_several_modalities_needs_a_choice() -> None:
    fusion = Single(replace(SPEC, task_modalities={"t": ("a", "b"), "u": ("b",)}))
    with pytest.raises(DrifaError, match=r"task 't' has a, b; choose one: task_modalities=\{'t': \['a'\]\}"):
        fusion.make_head("t")
