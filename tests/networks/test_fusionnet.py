"""FusionNet: the paper's sizes, any subset of modalities, draws that belong to rows, folders that round-trip."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from drifa import DrifaError, FusionNet, create_model, load_model, save_model

PAPER = {"modalities": {"dermoscopy": 3, "pap_smear": 3}, "tasks": {"skin_lesion": 7, "cell": 5}}
TINY = {"layers": [1, 1, 1, 1], "channels": [4, 4, 8, 8]}
FUSIONS = ["drifa", "concat", "single"]


def tiny(fusion: str = "drifa", **options) -> FusionNet:
    torch.manual_seed(0)
    sources = {"skin_lesion": ["dermoscopy"], "cell": ["pap_smear"]}
    net = create_model(fusion=fusion, backbone_args=TINY, task_modalities=sources, **{**PAPER, **options})
    # Running statistics as after training: fresh ones would make the last block an identity.
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return net.eval()


def images(batch: int = 4) -> dict[str, torch.Tensor]:
    return {name: torch.randn(batch, channels, 40, 40) for name, channels in PAPER["modalities"].items()}


@pytest.mark.parametrize(
    ("options", "count"),
    [
        ({}, 53_856_068),
        ({"conv_bias": True}, 53_865_668),
        ({"conv_bias": True, "mifa": False}, 51_765_180),
        ({"conv_bias": True, "mfa": False}, 24_475_412),
        ({"conv_bias": True, "fusion": "concat"}, 22_374_924),
        ({"fusion": "concat"}, 22_365_324),
    ],
)
def test_parameter_counts_are_those_of_the_paper(options: dict, count: int) -> None:
    net = create_model(**PAPER, **options)
    assert sum(p.numel() for p in net.parameters() if p.requires_grad) == count


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


def test_dropout_stands_behind_all_blocks_but_the_last_two() -> None:
    net = create_model(**PAPER, backbone_args={"channels": [4, 4, 8, 8]})
    assert list(net.drop_stages) == [0, 1, 2, 3, 4, 5]
    assert list(create_model(**PAPER, backbone_args=TINY, dropout_at="head").drop_stages) == []


def test_mifa_stands_after_every_block_or_every_level() -> None:
    narrow = {"channels": [4, 4, 8, 8]}
    assert len(create_model(**PAPER, backbone_args=narrow).fusion.mifa) == 8
    assert len(create_model(**PAPER, backbone_args=narrow, mifa_at="stage").fusion.mifa) == 4
    assert len(create_model(**PAPER, backbone_args=narrow, mifa=False).fusion.mifa) == 0


def test_a_folder_gives_the_same_network_back(tmp_path: Path) -> None:
    net, x = tiny(mfa={"clia": False}, mifa={"normalise": True}), images()
    again = load_model(save_model(net, tmp_path / "model"))
    assert again.config == net.config
    with torch.no_grad():
        for task, value in again(x).items():
            assert torch.equal(value, net(x)[task])


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


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"fusion": "drifa_net"}, "did you mean 'drifa'"),
        ({"dropout": 1.0}, "probability"),
        ({"dropout_at": "block"}, "blocks"),
        ({"mfa_at": "convs"}, "conv"),
        ({"mifa_at": "conv"}, "block"),
        ({"tasks": {}}, "tasks="),
        ({"tasks": {"t": 1}}, "at least 2"),
        ({"modalities": {"a.b": 3}}, "cannot name a modality"),
        ({"mfa": {"hfa": True}}, "hfa"),
        ({"mifa": {"mgfa": True}}, "mgfa"),
        ({"task_modalities": {"cell": ["smear"]}}, "smear"),
        ({"task_modalities": {"cells": ["pap_smear"]}}, "did you mean 'cell'"),
        ({"fusion": "single"}, "task_modalities="),
        ({"dropout": "much"}, "dropout='much' is not a probability"),
        ({"reduction": 1.5}, "reduction=1.5 is not a whole number"),
    ],
)
def test_wrong_arguments_are_refused_with_the_remedy(options: dict, word: str) -> None:
    with pytest.raises(DrifaError, match=word):
        create_model(backbone_args=TINY, **{**PAPER, **options})


def test_broken_model_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DrifaError, match=r"config\.json"):
        load_model(tmp_path)
    folder = save_model(tiny(), tmp_path / "m")
    weights = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    with pytest.raises(DrifaError, match="broken or truncated"):
        load_model(folder)
    save_model(tiny("concat"), tmp_path / "other")
    (folder / "model.safetensors").write_bytes((tmp_path / "other" / "model.safetensors").read_bytes())
    with pytest.raises(DrifaError, match="does not fit"):
        load_model(folder)
    text = (folder / "config.json").read_text()
    (folder / "config.json").write_text(text.replace('"drifa_model": 1', '"drifa_model": 99'))
    with pytest.raises(DrifaError, match="format 99"):
        load_model(folder)
