"""Augmentation on the fly, for training only: one small random rotation and shift per image, on the device, in one call;
on request, mirror images, hue, contrast and brightness too.

The paper rotates by 20 degrees and shifts by 5 pixels; its code stored such copies, with black borders that mark them. Here
nothing is stored, and borders are reflected.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch.nn import functional


def augment(images: torch.Tensor, generator: torch.Generator, degrees: float = 20.0, shift: float = 5.0) -> torch.Tensor:
    """Rotates each image about its centre, then shifts it; bilinear, borders reflected.

    Reflection keeps skin and stain where rotation uncovers corners: black corners would tell the network that an image was
    augmented, repeated edge pixels would draw streaks.

    Args:
        images: Floats in [0, 1]; :func:`drifa.networks.inputs.to_float` makes them of bytes.
        generator: Source of randomness. Numbers are drawn on its own device, so a CPU generator gives the same augmentation on
            every device.
        degrees: Angles are uniform in [-degrees, degrees].
        shift: Shifts are uniform in [-shift, shift] along each axis, in pixels of the given images, whatever their size. The
            paper's 5 pixels belong to images of 128 pixels.

    Shape:
        [B, C, H, W] -> the same.

    Returns:
        The transformed images; with ``degrees=0, shift=0`` exactly the given ones.
    """
    if degrees == 0 and shift == 0:
        return images
    count, _, height, width = images.shape
    draw = (2 * torch.rand(count, 3, generator=generator, device=generator.device) - 1).to(images.device)
    angle = draw[:, 0] * math.radians(degrees)
    right, down = draw[:, 1] * shift * 2 / width, draw[:, 2] * shift * 2 / height
    cos, sin = torch.cos(angle), torch.sin(angle)
    # The matrix maps places of the result to places of the source, in units of half a side: hence the inverse, and the ratio
    # of the sides, without which an oblong image would be sheared.
    linear = torch.stack([cos, -sin * height / width, sin * width / height, cos], dim=1).reshape(count, 2, 2)
    offset = -linear @ torch.stack([right, down], dim=1)[..., None]
    grid = functional.affine_grid(torch.cat([linear, offset], dim=2).to(images.dtype), list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def flip(images: torch.Tensor, generator: torch.Generator, probability: float, dim: int = -1) -> torch.Tensor:
    """Mirrors each image with a given probability.

    Args:
        images: Any tensor of images, of any type.
        generator: Source of randomness, as in :func:`augment`.
        probability: Between 0 and 1; with 0 nothing is drawn.
        dim: The axis that is turned round; -1 swaps left and right of an image.

    Shape:
        [B, C, H, W] -> the same.
    """
    if probability == 0:
        return images
    chosen = torch.rand(len(images), 1, 1, 1, generator=generator, device=generator.device).to(images.device) < probability
    return torch.where(chosen, images.flip(dim), images)


def turn(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Turns each square image by 0, 90, 180 or 270 degrees, each as often.

    Args:
        images: Any tensor of images, of any type.
        generator: Source of randomness, as in :func:`augment`.

    Shape:
        [B, C, S, S] -> the same.
    """
    quarters = torch.randint(4, (len(images), 1, 1, 1), generator=generator, device=generator.device).to(images.device)
    for quarter in (1, 2, 3):
        images = torch.where(quarters == quarter, images.rot90(quarter, (2, 3)), images)
    return images


def hue(images: torch.Tensor, generator: torch.Generator, amount: float) -> torch.Tensor:
    """Turns the hue of each colour image by a share of the colour circle in [-amount, amount]; saturation and value stay (HSV).

    Stains and lamps differ so between laboratories. A grey pixel has no hue and stays; a grey image, of one channel, stays as a
    whole, and nothing is drawn for it.

    Args:
        images: Bytes, or floats in [0, 1]; the result is of the same type.
        generator: Source of randomness, as in :func:`augment`.
        amount: Largest turn, 1 being the whole circle; 0 for none, and then nothing is drawn.

    Shape:
        [B, C, H, W] -> the same.
    """
    if amount == 0 or images.shape[1] != 3:
        return images
    turns = amount * (2 * torch.rand(len(images), 1, 1, generator=generator, device=generator.device) - 1).to(images.device)
    floats = images if images.is_floating_point() else images.float() / 255
    value, chroma = floats.amax(dim=1), floats.amax(dim=1) - floats.amin(dim=1)
    red, green, blue = floats.unbind(dim=1)
    # The hue in sixths of the circle, counted from the colour that is strongest: red, green or blue.
    sixths = torch.where(
        value == red, green - blue, torch.where(value == green, blue - red + 2 * chroma, red - green + 4 * chroma)
    )
    sixths = sixths / chroma.clamp(min=torch.finfo(chroma.dtype).tiny) + 6 * turns.to(chroma.dtype)
    place = (sixths[:, None] + torch.tensor([5, 3, 1], device=images.device, dtype=chroma.dtype).reshape(3, 1, 1)) % 6
    turned = value[:, None] - chroma[:, None] * torch.minimum(place, 4 - place).clamp(0, 1)
    return turned if images.is_floating_point() else (turned * 255).round().to(images.dtype)


def jitter(images: torch.Tensor, generator: torch.Generator, amount: float) -> torch.Tensor:
    """Changes contrast and brightness: multiplies each image by a factor in [1 - amount, 1 + amount], adds up to ± amount.

    Where a pixel is exactly 0 in every channel, as outside the head in a volume's slices, it stays so.

    Args:
        images: Standardised images.
        generator: Source of randomness, as in :func:`augment`.
        amount: Largest change; 0 for none, and then nothing is drawn.

    Shape:
        [B, C, H, W] -> the same.
    """
    if amount == 0:
        return images
    draw = amount * (2 * torch.rand(2, len(images), 1, 1, 1, generator=generator, device=generator.device) - 1).to(images)
    return images * (1 + draw[0]) + draw[1] * (images != 0).any(dim=1, keepdim=True)


def augment_together(
    images: Mapping[str, torch.Tensor],
    regions: Mapping[str, torch.Tensor],
    generator: torch.Generator,
    degrees: float,
    shift: float,
    mirrored: float = 0.0,
    mirrored_front: float = 0.0,
    quarter_turns: bool = False,
) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """One mirroring, rotation and shift per row, the same for its images and its regions, which share a grid.

    Args:
        images: float ``[B, C, s, s]`` each, the patient's left-right axis third.
        regions: bool ``[B, R, s, s]`` each.
        generator: Source of randomness.
        degrees: As in :func:`augment`.
        shift: Likewise.
        mirrored: Probability of swapping the patient's left and right.
        mirrored_front: Likewise of front and back.
        quarter_turns: Whether to turn by quarters, see :func:`turn`.
    """
    if degrees == 0 and shift == 0 and mirrored == 0 and mirrored_front == 0 and not quarter_turns:
        return dict(images), dict(regions)
    parts = [*images.values(), *(region.float() for region in regions.values())]
    both = flip(torch.cat(parts, dim=1), generator, mirrored, dim=-2)
    both = flip(both, generator, mirrored_front, dim=-1)
    both = turn(both, generator) if quarter_turns else both
    moved = augment(both, generator, degrees, shift).split([part.shape[1] for part in parts], dim=1)
    masks = [part >= 0.5 for part in moved[len(images) :]]
    return dict(zip(images, moved, strict=False)), dict(zip(regions, masks, strict=True))
