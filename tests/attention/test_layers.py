"""The convolutions of MFA as matrices: what goes in as parameters comes out as theirs, and whole maps give what is pooled."""

from __future__ import annotations

import pytest
import torch

from drifa.attention.layers import as_parameters, layers_of, whole
from drifa.attention.tiles import weight_and_bias
from tests.attention.test_kernels import made

SWITCHES = [{}, {"hifa": False}, {"clia": False}, {"reduction": 2}]


def parameters_of(switches: dict) -> tuple[object, list[torch.Tensor]]:
    module = made(**switches)
    convs = [*(module.hifa.convs if module.hifa else ()), *([module.clia.conv1] if module.clia else ())]
    return module, [tensor for conv in convs for tensor in weight_and_bias(conv)]


@pytest.mark.parametrize("switches", SWITCHES, ids=str)
def test_whole_maps_give_the_descriptors_of_the_equations(switches: dict) -> None:
    module, parameters = parameters_of(switches)
    x = torch.randn(2, 6, 4, 5, dtype=torch.float64)
    expected = [*(module.hifa.pooled(x) if module.hifa else ()), *([module.clia.compressed(x)] if module.clia else ())]
    found = list(whole(x, module.hifa is not None, parameters))
    if module.hifa:
        found[3] = torch.sigmoid(found[3])  # left to the caller, as its maximum is the same
    for value, wanted in zip(found, expected, strict=True):
        torch.testing.assert_close(value, wanted)


@pytest.mark.parametrize("switches", SWITCHES, ids=str)
def test_matrices_go_back_to_the_parameters_that_they_came_from(switches: dict) -> None:
    module, parameters = parameters_of(switches)
    layers = layers_of(module.hifa is not None, parameters)
    sums = [layers.first, layers.first_bias, *(tensor for pair in layers.deep for tensor in pair)]
    back = as_parameters(sums, layers, module.hifa is not None, parameters)
    for value, wanted in zip(back, parameters, strict=True):
        assert torch.equal(value, wanted)
