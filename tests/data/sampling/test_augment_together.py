"""Images and regions of a slice move together."""

from __future__ import annotations

import pytest
import torch

from drifa.data.sampling.augment import augment_together


def _batch(count: int = 32) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """Discs off the centre; the second image is half as bright, the second region the complement of the first."""
    axis = torch.arange(48).float()
    centres = 24 + 8 * torch.randn(count, 2, generator=torch.Generator().manual_seed(0)).clamp(-1, 1)
    distance = torch.hypot(axis[None, :, None] - centres[:, :1, None], axis[None, None, :] - centres[:, 1:, None])
    disc = (distance < 8)[:, None]
    return {"a": disc.float(), "b": disc.float() / 2}, {"tumour": torch.cat([disc, ~disc], dim=1)}


@pytest.mark.parametrize(("degrees", "shift", "mirrored"), [(20, 3, 0), (20, 3, 0.5), (0, 0, 0.5)])
def test_images_and_regions_stay_aligned(degrees: float, shift: float, mirrored: float) -> None:
    images, regions = _batch()
    moved, masks = augment_together(images, regions, torch.Generator().manual_seed(1), degrees, shift, mirrored)
    assert not masks["tumour"].equal(regions["tumour"])
    assert masks["tumour"].dtype == torch.bool
    assert ((moved["a"] >= 0.5)[:, 0] == masks["tumour"][:, 0]).all()
    torch.testing.assert_close(moved["b"], moved["a"] / 2)
    assert (masks["tumour"][:, 0] ^ masks["tumour"][:, 1]).float().mean() > 0.99


def test_mirroring_swaps_the_patients_left_and_right_which_is_the_third_axis() -> None:
    images, regions = _batch()
    moved, masks = augment_together(images, regions, torch.Generator().manual_seed(1), 0, 0, 1.0)
    assert moved["a"].equal(images["a"].flip(2))
    assert masks["tumour"].equal(regions["tumour"].flip(2))
