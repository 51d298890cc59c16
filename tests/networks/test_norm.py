"""GroupNorm in the place of BatchNorm: each sample alone, with the same parameters."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from drifa import create_segmentation_model, load_model, save_model
from tests.networks.narrow import NARROW, TWO, images


@pytest.mark.parametrize("fusion", ["drifa", "concat", "caf", "se_matched"])
def test_group_norm_reads_each_sample_alone_in_training_too(fusion: str, tmp_path: Path) -> None:
    net = create_segmentation_model(fusion, TWO, {"tumour": 3}, width=NARROW, norm="group", dropout=0.0)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in net.modules())
    assert list(net.buffers()) == [] or all("running" not in name for name, _ in net.named_buffers())
    batch = images(3)
    for mode in (True, False):
        net.train(mode)
        together = net(batch)["tumour"]
        alone = torch.cat([net({name: image[[row]] for name, image in batch.items()})["tumour"] for row in range(3)])
        torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)
    save_model(net, tmp_path / "model")
    torch.testing.assert_close(load_model(tmp_path / "model").eval()(batch), net.eval()(batch))


def test_group_norm_has_the_parameters_of_batch_norm() -> None:
    counts = {
        sum(
            parameter.numel()
            for parameter in create_segmentation_model("drifa", TWO, {"t": 1}, width=NARROW, norm=norm).parameters()
        )
        for norm in ("batch", "group")
    }
    assert len(counts) == 1
