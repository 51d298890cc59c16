"""A branch as timm's feature extractor: its interface, the maps of the network, errors in one sentence."""

from __future__ import annotations

import pytest
import torch

from drifa import DrifaError, as_timm_features, create_model
from tests.networks.tiny import TINY, images, tiny


@pytest.mark.parametrize("fusion", ["drifa", "single"])
def test_maps_are_those_of_the_network_and_fit_what_they_say(fusion: str) -> None:
    net, given = tiny(fusion), images()
    x = given["pap_smear"]
    features = as_timm_features(net, "pap_smear")
    with torch.no_grad():
        maps, own = features(x), net.embed({"pap_smear": x})[0]["pap_smear"]
    assert [one.shape[1] for one in maps] == features.feature_info.channels()
    assert [-(-x.shape[-1] // reduction) for reduction in features.feature_info.reduction()] == [one.shape[-1] for one in maps]
    torch.testing.assert_close(maps[-1].mean(dim=(2, 3)), own)
    if fusion == "single":  # what stands beside it plays no part
        with torch.no_grad():
            torch.testing.assert_close(net.stage_maps(given)["pap_smear"][-1], maps[-1])


def test_levels_can_be_chosen_and_gradients_reach_the_network() -> None:
    net = tiny()
    features = as_timm_features(net, "dermoscopy", out_indices=(-2, -1))
    whole = as_timm_features(net, "dermoscopy")
    assert features.feature_info.channels() == whole.feature_info.channels()[-2:]
    features(images()["dermoscopy"])[0].sum().backward()
    assert any(parameter.grad is not None for parameter in net.branches["dermoscopy"].parameters())
    assert all(parameter.grad is None for parameter in net.branches["pap_smear"].parameters())


def test_what_does_not_fit_is_refused_in_one_sentence() -> None:
    net = tiny()
    for arguments, words in (
        (("dermoscpy",), "did you mean 'dermoscopy'"),
        ((), "say whose features"),
        (("dermoscopy", (9,)), "levels; give some of 0 to"),
        (("dermoscopy", ()), "levels; give some of 0 to"),
    ):
        with pytest.raises(DrifaError, match=words):
            as_timm_features(net, *arguments)
    with pytest.raises(DrifaError, match="create_model"):
        as_timm_features(torch.nn.Linear(2, 2))  # type: ignore[arg-type]
    mixed = create_model(modalities={"photo": 3, "age": 2}, tabular=["age"], tasks={"lesion": 3}, backbone_args=TINY)
    with pytest.raises(DrifaError, match="made of columns"):
        as_timm_features(mixed, "age")
