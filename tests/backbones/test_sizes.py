"""Which image sizes a branch takes is found by trying, which leaves no trace."""

from __future__ import annotations

import pytest
import torch

from drifa import DrifaError
from drifa.backbones import Branch


@pytest.mark.parametrize(
    ("backbone", "size", "needed"),
    [
        ("resnet10t", (64, 16), "32×32 at least"),
        ("dla46_c", (150, 150), "32×32, 64×64 …"),
        ("inception_v3", (74, 74), "75×75 at least"),
        ("coatnet_pico_rw_224", (192, 192), "224×224 only"),
    ],
)
def test_a_wrong_image_size_is_refused_with_the_size_needed(backbone: str, size: tuple[int, int], needed: str) -> None:
    branch = Branch(backbone, 3)
    with pytest.raises(DrifaError, match=f"'scan' has images of {size[0]}×{size[1]} .*{needed}"):
        branch.check_size(*size, "scan")
    fitting = int(needed.split("×")[0])
    branch.check_size(fitting, fitting, "scan")


def test_trying_a_size_leaves_the_branch_as_it_was() -> None:
    torch.manual_seed(0)
    branch = Branch("resnet10t", 3).train()
    branch.stages[1].eval()
    before = {name: value.clone() for name, value in branch.state_dict().items()}
    modes, state = [module.training for module in branch.modules()], torch.get_rng_state()
    branch.check_size(40, 40, "scan")
    assert modes == [module.training for module in branch.modules()]
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(value, before[name]) for name, value in branch.state_dict().items())
