"""What a network reads: bytes become standardised floats, features pass."""

from __future__ import annotations

import torch

from drifa.networks.inputs import standardise, to_float, to_input


def _bytes() -> torch.Tensor:
    return torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16)


def test_bytes_become_floats_from_zero_to_one_and_floats_pass() -> None:
    images = to_float(_bytes())
    assert images.dtype == torch.float32
    assert torch.equal(images.flatten(), torch.arange(256) / 255)
    assert to_float(images) is images


def test_standardising_uses_each_channels_mean_and_deviation() -> None:
    images = torch.rand(2, 3, 4, 4)
    torch.testing.assert_close(standardise(images), 2 * images - 1)
    mean, std = [0.1, 0.2, 0.3], [1.0, 2.0, 4.0]
    for channel in range(3):
        expected = (images[:, channel] - mean[channel]) / std[channel]
        torch.testing.assert_close(standardise(images, mean, std)[:, channel], expected)


def test_images_are_standardised_and_features_pass() -> None:
    torch.testing.assert_close(to_input(_bytes()), 2 * (_bytes() / 255) - 1)
    features = torch.randn(3, 5, 1, 1)
    assert to_input(features) is features
