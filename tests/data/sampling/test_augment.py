"""Augmentation moves pixels as announced, repeats itself by seed, and leaves no trace of the border."""

from __future__ import annotations

import colorsys

import pytest
import torch

from drifa.data.sampling.augment import augment, flip, hue, jitter, turn


def _batch(count: int = 4, height: int = 24, width: int = 24) -> torch.Tensor:
    return torch.randint(0, 256, (count, 3, height, width), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def _images() -> torch.Tensor:
    return _batch().float() / 255


def _seed(number: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(number)


def test_the_generator_decides_everything() -> None:
    one, same, other = (augment(_images(), _seed(number)) for number in (0, 0, 1))
    assert one.equal(same)
    assert not one.equal(other)


def test_images_stay_in_zero_to_one() -> None:
    images = augment(_images(), _seed())
    assert images.dtype == torch.float32
    assert images.min() >= 0
    assert images.max() <= 1


def test_no_rotation_and_no_shift_is_the_identity() -> None:
    assert augment(_images(), _seed(), degrees=0, shift=0).equal(_images())
    torch.testing.assert_close(augment(_images(), _seed(), degrees=1e-6, shift=1e-6), _images(), atol=1e-4, rtol=0)


@pytest.mark.parametrize(("height", "width"), [(41, 41), (41, 61)])
def test_a_shift_moves_a_point_by_at_most_its_pixels_along_each_axis(height: int, width: int) -> None:
    point = torch.zeros(200, 1, height, width)
    point[:, :, 20, 20] = 1
    moved = augment(point, _seed(), degrees=0, shift=5)[:, 0]
    mass = moved.sum((1, 2))
    torch.testing.assert_close(mass, torch.ones(200))
    y = (moved.sum(2) @ torch.arange(height).float()) - 20
    x = (moved.sum(1) @ torch.arange(width).float()) - 20
    for offset in (y, x):
        assert offset.abs().max() <= 5.001
        assert offset.min() < -4
        assert offset.max() > 4


@pytest.mark.parametrize(("height", "width"), [(61, 61), (61, 91)])
def test_a_rotation_keeps_the_distance_from_the_centre(height: int, width: int) -> None:
    images = torch.zeros(100, 1, height, width)
    cy, cx = height // 2, width // 2
    images[:, :, cy - 1 : cy + 2, cx + 19 : cx + 22] = 1
    moved = augment(images, _seed(), degrees=20, shift=0)[:, 0]
    mass = moved.sum((1, 2))
    y = (moved.sum(2) @ torch.arange(height).float()) / mass - cy
    x = (moved.sum(1) @ torch.arange(width).float()) / mass - cx
    torch.testing.assert_close(torch.hypot(x, y), torch.full((100,), 20.0), atol=0.2, rtol=0)
    angle = torch.rad2deg(torch.atan2(y, x))
    assert angle.abs().max() < 20.5
    assert angle.min() < -17
    assert angle.max() > 17


def test_images_of_one_batch_move_differently_but_their_channels_together() -> None:
    same = _images()[:1, :1].expand(8, 3, -1, -1)
    images = augment(same, _seed())
    assert images[:, 0].equal(images[:, 2])
    assert len({tuple(image.flatten().tolist()) for image in images}) == 8


def test_a_uniform_image_stays_uniform() -> None:
    torch.testing.assert_close(augment(torch.full((4, 3, 24, 24), 0.7), _seed()), torch.full((4, 3, 24, 24), 0.7))


def test_jitter_changes_each_image_by_its_own_line_and_leaves_the_background_alone() -> None:
    images = 2 * (_batch(64).float() / 255) - 1
    images[:, :, :3] = 0
    changed = jitter(images, _seed(), 0.3)
    assert (changed[:, :, :3] == 0).all()
    x, y = images[:, :, 3:].flatten(1), changed[:, :, 3:].flatten(1)
    slope = ((x - x.mean(1, keepdim=True)) * y).sum(1) / ((x - x.mean(1, keepdim=True)) ** 2).sum(1)
    offset = y.mean(1) - slope * x.mean(1)
    torch.testing.assert_close(slope[:, None] * x + offset[:, None], y)
    for found, centre in ((slope, 1.0), (offset, 0.0)):
        assert found.min() < centre - 0.2
        assert found.max() > centre + 0.2
        assert (found - centre).abs().max() <= 0.3001


def test_no_jitter_is_the_identity_and_draws_nothing() -> None:
    generator = _seed()
    before = generator.get_state()
    assert jitter(_batch().float(), generator, 0.0).equal(_batch().float())
    assert generator.get_state().equal(before)


def test_flip_mirrors_about_the_asked_share_of_the_images() -> None:
    images = _batch(400)
    for dim in (-1, -2):
        mirrored = flip(images, _seed(), 0.3, dim=dim)
        turned = torch.tensor([new.equal(old.flip(dim)) for new, old in zip(mirrored, images, strict=True)])
        same = torch.tensor([new.equal(old) for new, old in zip(mirrored, images, strict=True)])
        assert (turned ^ same).all()
        assert 80 < turned.sum() < 160
    assert flip(images, _seed(), 1.0).equal(images.flip(-1))


def test_no_flip_is_the_identity_and_draws_nothing() -> None:
    generator = _seed()
    before = generator.get_state()
    assert flip(_batch(), generator, 0.0).equal(_batch())
    assert generator.get_state().equal(before)


def test_quarter_turns_are_the_four_of_them_and_lose_nothing() -> None:
    image = torch.arange(3 * 25).reshape(1, 3, 5, 5).expand(400, -1, -1, -1)
    turned = turn(image, torch.Generator().manual_seed(0))
    found = {tuple(one.flatten().tolist()) for one in turned}
    assert found == {tuple(image[0].rot90(quarter, (1, 2)).flatten().tolist()) for quarter in range(4)}
    first = (turned == image).flatten(1).all(dim=1).float().mean().item()
    assert first == pytest.approx(0.25, abs=0.06)


def test_hue_turns_each_image_by_its_own_angle_and_keeps_saturation_and_value() -> None:
    images = _images()[:1, :, :6, :6].expand(64, -1, -1, -1)
    turned = hue(images, _seed(), 0.1)
    old = [colorsys.rgb_to_hsv(*pixel) for pixel in images[0].flatten(1).T.tolist()]
    angles = []
    for image in turned:
        new = [colorsys.rgb_to_hsv(*pixel) for pixel in image.flatten(1).T.tolist()]
        off = [((a[0] - b[0] + 0.5) % 1) - 0.5 for a, b in zip(new, old, strict=True)]
        assert max(off) - min(off) < 1e-4
        for channel in (1, 2):
            assert [a[channel] for a in new] == pytest.approx([b[channel] for b in old], abs=1e-5)
        angles.append(off[0])
    assert max(map(abs, angles)) <= 0.1001
    assert min(angles) < -0.08
    assert max(angles) > 0.08


def test_hue_of_bytes_is_that_of_floats_rounded() -> None:
    turned = hue(_batch(), _seed(), 0.1)
    assert turned.dtype == torch.uint8
    assert turned.equal((hue(_images(), _seed(), 0.1) * 255).round().to(torch.uint8))
    assert not turned.equal(_batch())


def test_grey_has_no_hue() -> None:
    grey = _batch()[:, :1]
    torch.testing.assert_close(hue(grey.expand(-1, 3, -1, -1) / 255, _seed(), 0.5), grey.expand(-1, 3, -1, -1) / 255)
    generator = _seed()
    before = generator.get_state()
    assert hue(grey, generator, 0.5).equal(grey)
    assert generator.get_state().equal(before)


def test_no_change_of_hue_is_the_identity_and_draws_nothing() -> None:
    generator = _seed()
    before = generator.get_state()
    assert hue(_batch(), generator, 0.0).equal(_batch())
    assert generator.get_state().equal(before)
