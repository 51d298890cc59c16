"""What a program is compared by, and that a difference is seen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from drifa.errors import DrifaError
from drifa.export.program import (
    LIMIT,
    Asked,
    Program,
    check_close,
    compared,
    difference,
    exported,
    random_examples,
    save_program,
)
from drifa.links import LINKS
from tests.networks.tiny import PAPER, tiny

EXAMPLES = random_examples(PAPER["modalities"], (), 32)


def asked(off: float = 0.0) -> Asked:
    return Asked(LINKS["softmax"], lambda draws, whole: {"probabilities_cell": draws.mean(axis=0) + off})


def test_a_torch_program_answers_as_its_networks_and_is_refused_if_not(tmp_path: Path) -> None:
    members = Program([tiny("concat")], {"cell": asked()}).eval()
    arguments = {name: x[:2].float() for name, x in EXAMPLES.images.items()}, torch.ones(2, 2, dtype=torch.bool)
    run = save_program(exported(members, arguments, "x"), tmp_path / "model.pt2")
    assert compared(run, members, EXAMPLES) <= LIMIT
    members.tasks = {"cell": asked(off=0.01)}
    worst = compared(run, members, EXAMPLES)
    with pytest.raises(DrifaError, match=r"differ by 0\.01 where 0\.0001 is allowed"):
        check_close(worst, "x")


def test_nothing_that_is_no_number_is_close() -> None:
    assert difference(np.array([np.nan]), np.array([0.5])) == difference(np.zeros(2), np.zeros(3)) == float("inf")


def test_it_is_asked_everything_and_every_modality_alone() -> None:
    shown = [present.tolist() for _, present in EXAMPLES.asked()]
    assert shown == [[row] * size for size in (1, 3) for row in ([True, True], [True, False], [False, True])]


def test_a_number_is_the_mixture_of_the_members() -> None:
    answers, present = torch.tensor([[[0.0, 0.25]], [[1.0, 0.25]]]), torch.ones(1, 1, dtype=torch.bool)
    found = Asked(LINKS["gaussian"], lambda draws, whole: {}, (), 50.0, 10.0).summary("age", answers, present)
    assert found["value_age"].item() == pytest.approx(55)
    assert found["std_age"].item() == pytest.approx(50**0.5)
