"""Gates are measured where they work, on the samples that have their modality, without a trace."""

from __future__ import annotations

import pytest
import torch

from drifa.errors import DrifaError
from drifa.explain.gates import gates
from tests.explain.test_cam import hooks
from tests.networks.tiny import images, tiny

ALL = torch.ones(4, 2, dtype=torch.bool)


def test_every_mfa_and_mifa_is_told_per_modality() -> None:
    net = tiny().train()
    modes = [part.training for part in net.modules()]
    found = gates(net, [(images(), ALL)])
    assert sum(gate.kind == "mifa" for gate in found) == 2 * len(net.fusion.mifa)
    assert {gate.modality for gate in found} == set(net.modalities)
    assert all(0 < gate.mean < 1 and gate.samples == 4 for gate in found)
    assert hooks(net) == 0
    assert [part.training for part in net.modules()] == modes


def test_an_absent_modality_neither_counts_nor_matters_and_batches_add_up() -> None:
    net, given = tiny(), images()
    present = ALL.clone()
    present[2:, 1] = False
    given["pap_smear"][2:] = torch.nan
    whole = gates(net, [(given, present)])
    parts = gates(net, [({name: x[rows] for name, x in given.items()}, present[rows]) for rows in (slice(0, 1), slice(1, 4))])
    for a, b in zip(whole, sorted(parts, key=lambda gate: whole.index(match(whole, gate))), strict=True):
        assert a.samples == (4 if a.modality == "dermoscopy" else 2)
        assert (a.mean, a.spread, a.across) == pytest.approx((b.mean, b.spread, b.across), abs=1e-5)


def match(found, gate):
    return next(one for one in found if (one.kind, one.block, one.modality) == (gate.kind, gate.block, gate.modality))


def test_a_gate_that_sees_the_same_image_four_times_does_not_move() -> None:
    net = tiny()
    same = {name: x[:1].repeat(4, 1, 1, 1) for name, x in images().items()}
    assert not any(gate.moves for gate in gates(net, [(same, ALL)]))
    other = {name: 5 * x for name, x in images().items()}
    assert any(gate.spread > 1e-4 for gate in gates(net, [(other, ALL)]))


def test_a_fusion_without_gates_is_refused() -> None:
    with pytest.raises(DrifaError, match="fusion 'concat' has no gates to look at"):
        gates(tiny("concat"), [(images(), ALL)])
