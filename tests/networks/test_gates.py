"""Gates are watched where they work: what is seen is what they multiply by, and the pass does not notice."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import torch
from torch import Tensor

from drifa import FusionNet, create_segmentation_model
from drifa.attention import MFA
from drifa.networks.gates import Gate, GateSums, has_gates
from drifa.training.compiled import compile_blocks
from tests.networks.mixed import MIXED, mixed
from tests.networks.tiny import images, tiny

ALL = torch.ones(4, 2, dtype=torch.bool)


def watched(net: FusionNet, given: Mapping[str, Tensor], present: Tensor = ALL) -> list[Gate]:
    sums = GateSums()
    with torch.no_grad(), sums.watching(net, given, present):
        net(given, present)
    return sums.gates()


def hooks(net: torch.nn.Module) -> int:
    return sum(len(part._forward_hooks) + len(part._forward_pre_hooks) for part in net.modules())


@pytest.mark.parametrize("fusion", ["drifa", "drifa_plus"])
def test_a_watched_pass_answers_the_same_and_no_hook_stays(fusion: str) -> None:
    net, given = tiny(fusion), images()
    plain = net(given, ALL)
    sums = GateSums()
    with sums.watching(net, given, ALL):
        answers = net(given, ALL)
        assert hooks(net)
    assert not hooks(net)
    assert all(torch.equal(value, plain[task]) for task, value in answers.items())
    with pytest.raises(RuntimeError, match="stopped"), sums.watching(net, given, ALL):
        raise RuntimeError("stopped")
    assert not hooks(net)


def test_what_is_seen_is_what_the_maps_are_multiplied_by() -> None:
    net, given = tiny(), images()
    (block, part), *_ = [(name, part) for name, part in net.branches["dermoscopy"].named_modules() if isinstance(part, MFA)]
    inputs: list[Tensor] = []
    handle = part.register_forward_pre_hook(lambda module, args: inputs.append(args[0]))
    (found,) = [gate for gate in watched(net, given) if (gate.block, gate.modality) == (block, "dermoscopy")]
    handle.remove()
    a = part.attention(inputs[-1]).detach().double()
    assert (found.kind, found.samples) == ("mfa", 4)
    assert found.mean == pytest.approx(float(a.mean()))
    assert found.spread == pytest.approx(float(a.std(dim=0, correction=0).mean()))
    assert found.across == pytest.approx(float(a.mean(dim=0).std(correction=0)))


def test_gates_of_absent_rows_are_left_out() -> None:
    net, given = tiny(), images()
    present = ALL.clone()
    present[:, 1] = False
    found = watched(net, given, present)
    assert {gate.modality for gate in found} == {"dermoscopy"}
    assert found == watched(net, {**given, "pap_smear": torch.full_like(given["pap_smear"], torch.nan)}, present)


def test_passes_are_watched_until_every_modality_was_seen_often_enough() -> None:
    net, given = tiny(), images()
    one = ALL.clone()
    one[:, 1] = False
    sums = GateSums(enough=6)
    with torch.no_grad():
        for present, looks in ((one, True), (one, True), (one, False), (ALL, True), (ALL, True), (ALL, False)):
            with sums.watching(net, given, present):
                assert bool(hooks(net)) is looks
                net(given, present)
    assert {(gate.modality, gate.samples) for gate in sums.gates()} == {("dermoscopy", 16), ("pap_smear", 8)}


def test_modalities_of_different_channels_meet_in_one_gate() -> None:
    net = mixed()
    found = watched(net, {name: torch.rand(4, branch.in_channels, 64, 64) for name, branch in net.branches.items()})
    shared = {
        name: [(gate.block, gate.mean) for gate in found if (gate.kind, gate.modality) == ("mifa", name)] for name in MIXED
    }
    assert shared["photo"] == shared["mri"]
    assert len(shared["photo"]) == len(net.fusion.mifa) > 0


def test_networks_without_gates_are_left_alone() -> None:
    for net in (tiny("concat"), tiny(mfa=False, mifa=False)):
        assert not has_gates(net)
        assert watched(net, images()) == []


def test_a_segmentation_network_has_gates_too() -> None:
    net = create_segmentation_model(modalities={"t1": 1, "t2": 1}, regions={"tumour": 1}, width=1 / 16).eval()
    assert has_gates(net)
    found = watched(net, {name: torch.rand(4, 1, 32, 32) for name in net.modalities})
    assert {(gate.kind, gate.modality) for gate in found} == {
        (kind, name) for kind in ("mfa", "mifa") for name in net.modalities
    }


@pytest.mark.slow
def test_compiled_blocks_are_watched_as_they_are_written_and_are_compiled_again_afterwards() -> None:
    net, given = tiny(), images()
    expected = watched(net, given)
    torch._dynamo.reset()
    assert compile_blocks(net, (40, 40), backend="aot_eager")
    programs = [part._compiled_call_impl for part in net.modules()]
    assert watched(net, given) == expected
    assert [part._compiled_call_impl for part in net.modules()] == programs
    assert any(programs)
