"""DRIFA+: it begins as the plain network, looks at the image once it has learned, and averages over who is there."""

from __future__ import annotations

import pytest
import torch

from drifa.errors import DrifaError
from drifa.explain.gates import gates
from drifa.fusion import DrifaPlus
from drifa.fusion.drifa_plus import SharedGate
from tests.fusion.parts import maps, spec
from tests.networks.tiny import images, tiny

ALL = torch.ones(4, 2, dtype=torch.bool)


def learned(count: int = 2) -> SharedGate:
    torch.manual_seed(0)
    gate = SharedGate(dict.fromkeys("abc"[:count], 6), width=8)
    for parameter in gate.parameters():
        torch.nn.init.normal_(parameter)
    return gate


def test_it_begins_by_changing_nothing() -> None:
    fusion = DrifaPlus(spec(False), width=8)
    assert list(fusion.gates) == ["0", "1", "2"]
    for stage, channels in enumerate((4, 6, 8)):
        given = maps(2, channels, 5)
        found = fusion.after_stage(stage, given, None)
        assert all(torch.equal(x, y) for x, y in zip(given, found, strict=True))


def test_every_weight_learns_but_those_behind_the_closed_gate_at_the_first_step() -> None:
    fusion = DrifaPlus(spec(False), width=8)
    fusion.after_stage(2, maps(2, 8, 4), None)[0].square().sum().backward()
    moving = {
        name.split(".", 4)[-1] for name, value in fusion.named_parameters() if value.grad is not None and value.grad.any()
    }
    assert {"outward.bias", "outward.weight", "positions.weight"} <= moving
    assert not any("inward" in name for name in moving)


def test_the_others_are_averaged_and_not_summed() -> None:
    gate, x = learned(3), torch.rand(4, 6, 5, 5)
    for part in list(gate.of.values())[1:]:
        part.load_state_dict(gate.of["a"].state_dict())
    one, two = gate.attention([x, None, None])[0], gate.attention([x, x, x])[0]
    torch.testing.assert_close(one, two)


def test_the_gates_of_a_learned_network_are_measured_per_modality() -> None:
    net = tiny("drifa_plus")
    for parameter in net.fusion.gates.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    found = gates(net, [(images(), ALL)])
    assert {gate.kind for gate in found} == {"plus"}
    assert len(found) == 2 * len(net.fusion.gates)
    assert all(gate.moves and 0 < gate.mean < 2 for gate in found)


def test_mistakes_are_told() -> None:
    with pytest.raises(DrifaError, match="width"):
        DrifaPlus(spec(False), width=0)
    with pytest.raises(DrifaError, match="did you mean 'stage'"):
        DrifaPlus(spec(False), at="stages")
