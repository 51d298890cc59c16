"""FusionNet: the paper's sizes, any subset of modalities, draws that belong to rows, folders that round-trip."""

from __future__ import annotations

from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file

from drifa import DrifaError, create_model, load_model, save_model
from drifa.config import TrainConfig
from drifa.networks.complexity import parameters
from drifa.training.optim import make_optimizer
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


@pytest.mark.parametrize("attach", ["stages", "intermediates"])
def test_a_frozen_backbone_rests_while_the_rest_learns(attach: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    save_file(timm.create_model("resnet10t").state_dict(), tmp_path / "weights.safetensors")
    arguments = {"backbone": "resnet10t", "attach": attach, "modalities": {"a": 3, "b": 3}, "tasks": {"t": 2}, "reduction": 8}
    with pytest.raises(DrifaError, match=r"backbone of 'b' .* is random; give its weights: pretrained="):
        create_model(**arguments, freeze=True, pretrained={"a": str(tmp_path / "weights.safetensors")})
    net = create_model(**arguments, freeze=True, pretrained=str(tmp_path / "weights.safetensors")).train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    x = {name: torch.randn(4, 3, 64, 64) for name in net.modalities}
    present = torch.tensor([[True, True], [True, False], [True, False], [True, False]])
    learning = {name for name, parameter in net.named_parameters() if parameter.requires_grad}
    optimizer = make_optimizer(net, TrainConfig())
    for _ in range(2):
        optimizer.zero_grad()
        net(x, present)["t"].square().sum().backward()
        optimizer.step()
    after = net.state_dict()
    own = {name for name in before if name.startswith("branches.a.") and name not in learning}
    assert any("running_mean" in name for name in own)
    assert all(torch.equal(before[name], after[name]) for name in before if name not in learning and "branches" in name)
    moved = {name for name in learning if not torch.equal(before[name], after[name])}
    assert any("fusion" in name for name in moved)
    assert any(".carry." in name for name in moved) or attach == "stages"
    assert sum(p.numel() for group in optimizer.param_groups for p in group["params"]) == parameters(net)
    again = load_model(save_model(net, tmp_path / "model"))
    assert again.config == net.config
    assert {name for name, parameter in again.named_parameters() if parameter.requires_grad} == learning
    assert torch.equal(again(x, present)["t"], net.eval()(x, present)["t"])


@pytest.mark.parametrize("fusion", FUSIONS)
def test_a_modality_is_pooled_by_itself_row_by_row(fusion: str) -> None:
    net, x = tiny(fusion), images()
    with torch.no_grad():
        pooled = net.embed({"pap_smear": x["pap_smear"]})[0]["pap_smear"]
        assert pooled.shape[0] == 4
        torch.testing.assert_close(
            net.embed({"pap_smear": x["pap_smear"][2:3]})[0]["pap_smear"], pooled[2:3], rtol=0, atol=1e-5
        )
        assert not torch.allclose(pooled[0], pooled[1])
        with pytest.raises(DrifaError, match="did you mean 'pap_smear'"):
            net.embed({"pap_smeer": x["pap_smear"]})


def test_maps_of_an_encoder_stand_in_for_its_images() -> None:
    torch.manual_seed(0)
    arguments = {"backbone": "test_vit", "attach": "intermediates", "modalities": {"a": 3, "b": 1}, "tasks": {"t": 2}}
    net = create_model(**arguments).eval()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
        x = {"a": torch.randn(3, 3, 48, 64), "b": torch.randn(3, 1, 32, 32)}
        present = torch.tensor([[True, True], [True, False], [False, True]])
        keys, subsets = torch.tensor([[1, 2, 3], [4, 5, 6]]), torch.tensor([[True, False], [True, True]])
        maps = {name: net.encode(name, image) for name, image in x.items()}
        pooled = net.embed({"a": x["a"]})[0]["a"]
        calls: list[int] = []
        for branch in net.branches.values():
            branch.encoder.register_forward_hook(lambda *_: calls.append(1))
        found = net(maps, present)["t"], net.sample(maps, present, keys)["t"], net.over_subsets(maps, present, subsets)
        supervised = net.training_logits(maps, present)[0]["t"][0]
        torch.testing.assert_close(net.embed({"a": maps["a"]})[0]["a"], pooled, rtol=0, atol=1e-6)
        assert not calls
        torch.testing.assert_close(found[0], net(x, present)["t"], rtol=0, atol=1e-6)
        torch.testing.assert_close(found[1], net.sample(x, present, keys)["t"], rtol=0, atol=1e-6)
        torch.testing.assert_close(supervised, found[0], rtol=0, atol=1e-6)
        for one, other in zip(found[2], net.over_subsets(x, present, subsets), strict=True):
            torch.testing.assert_close(one["t"], other["t"], rtol=0, atol=1e-6, equal_nan=True)
        assert not torch.allclose(found[0][:1], net({"a": maps["a"]})["t"][:1])  # earlier levels couple
    with pytest.raises(DrifaError, match="its encoder gives 4 maps of 64, 64, 64, 64 channels"):
        net({"a": maps["a"][:2], "b": maps["b"]})
    with pytest.raises(DrifaError, match="attach='intermediates'"):
        tiny().encode("pap_smear", torch.randn(1, 3, 40, 40))
