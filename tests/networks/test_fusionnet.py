"""FusionNet: the paper's sizes, any subset of modalities, draws that belong to rows, folders that round-trip."""

from __future__ import annotations

import pytest
import torch

from drifa import DrifaError, create_model
from tests.networks.tiny import PAPER, TINY, images, tiny

FUSIONS = ["drifa", "concat", "single"]


@pytest.mark.parametrize("fusion", FUSIONS)
def test_logits_have_the_classes_of_each_task_and_gradients_reach_every_parameter(fusion: str) -> None:
    net = tiny(fusion).train()
    logits = net(images())
    assert {task: value.shape for task, value in logits.items()} == {"skin_lesion": (4, 7), "cell": (4, 5)}
    sum(value.square().sum() for value in logits.values()).backward()
    assert not [name for name, parameter in net.named_parameters() if parameter.grad is None]


@pytest.mark.parametrize("fusion", FUSIONS)
def test_rows_of_a_mixed_batch_equal_rows_alone(fusion: str) -> None:
    net, x = tiny(fusion), images()
    present = torch.tensor([[True, True], [True, False], [False, True], [True, True]])
    poisoned = {name: value.clone() for name, value in x.items()}
    poisoned["pap_smear"][1] = float("nan")
    poisoned["dermoscopy"][2] = float("nan")
    with torch.no_grad():
        together = net(poisoned, present)
        for row in range(4):
            given = {name: x[name][row : row + 1] for i, name in enumerate(net.modalities) if present[row, i]}
            for task, value in net(given).items():
                torch.testing.assert_close(together[task][row : row + 1], value)


def test_training_survives_a_batch_in_which_one_row_has_a_modality() -> None:
    net = tiny().train()
    present = torch.tensor([[True, True], [True, False], [True, False], [True, False]])
    small = {name: torch.randn(4, 3, 32, 32) for name in net.modalities}  # 1x1 maps at the end
    net(small, present)["cell"].sum().backward()
    assert all(module.training for module in net.modules())


def test_single_lets_nothing_pass_between_modalities_and_drifa_does() -> None:
    x, y = images(), images()
    y["dermoscopy"] = x["dermoscopy"]
    with torch.no_grad():
        for fusion, coupled in (("single", False), ("drifa", True), ("concat", True)):
            net = tiny(fusion)
            assert torch.equal(net(x)["skin_lesion"], net(y)["skin_lesion"]) != coupled


def test_renaming_the_modalities_in_another_order_changes_nothing() -> None:
    net = tiny()
    x = images()
    swapped = create_model(backbone_args=TINY, modalities={"pap_smear": 3, "dermoscopy": 3}, tasks=PAPER["tasks"])
    state = {}
    for key, value in net.state_dict().items():
        parts = key.split(".")
        if "omega_c" in key and key.startswith("fusion."):
            value = value.flip(0)
        if "mlifa.convs" in key:
            parts[parts.index("convs") + 1] = str(1 - int(parts[parts.index("convs") + 1]))
        if key.startswith("heads") and key.endswith("weight"):
            value = torch.cat([value[:, 8:], value[:, :8]], dim=1)
        state[".".join(parts)] = value
    swapped.load_state_dict(state)
    with torch.no_grad():
        for task, value in swapped.eval()(x).items():
            torch.testing.assert_close(value, net(x)[task])


@pytest.mark.parametrize("dropout_at", ["blocks", "head"])
@pytest.mark.parametrize("fusion", FUSIONS)
def test_sampling_equals_one_pass_at_a_time_for_any_batch(fusion: str, dropout_at: str) -> None:
    net, x = tiny(fusion, dropout_at=dropout_at), images()
    keys = torch.randint(2**31, (3, 4))
    present = torch.tensor([[True, True], [True, False], [False, True], [True, True]])
    with torch.no_grad():
        drawn = net.sample(x, present, keys)
        for t in range(3):
            for row in range(4):
                one = {name: value[row : row + 1] for name, value in x.items()}
                for task, value in net(one, present[row : row + 1], keys[t, row : row + 1]).items():
                    torch.testing.assert_close(drawn[task][t, row : row + 1], value)
        assert not torch.equal(drawn["cell"][0], drawn["cell"][1])


@pytest.mark.slow
def test_compiles_without_graph_breaks() -> None:
    net, x = tiny(), images(2)
    compiled = torch.compile(net, fullgraph=True, backend="eager")
    with torch.no_grad():
        torch.testing.assert_close(compiled(x)["cell"], net(x)["cell"])


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda net, x: net({"dermoscope": x["dermoscopy"]}), "did you mean 'dermoscopy'"),
        (lambda net, x: net({}), "at least one"),
        (lambda net, x: net({"dermoscopy": x["dermoscopy"][:, :1]}), r"\[4, 3, H, W\]"),
        (lambda net, x: net(x, torch.zeros(4, 2, dtype=torch.bool)), "no modality at all"),
        (lambda net, x: net(x, torch.ones(4, 2)), "bool"),
        (lambda net, x: net({"cell": x["dermoscopy"]}), "not one of this network"),
        (lambda net, x: net({"dermoscopy": x["dermoscopy"]}, torch.ones(4, 2, dtype=torch.bool)), "no images of it"),
    ],
)
def test_wrong_input_is_refused_with_what_would_be_right(call, word) -> None:
    with pytest.raises(DrifaError, match=word):
        call(tiny(), images())
