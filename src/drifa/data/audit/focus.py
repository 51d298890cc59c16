"""Twins at another focus, which share no fine structure: what is left of both must agree better than any strangers do.

Microscopes and hand-held cameras see one thing twice, once out of focus. The softer structure that survives is also what
strangers share, so how well they agree is measured in the collection itself: a picture laid turned on another one is a stranger
by construction, as decoys are in searches of mass spectra. No pair counts that agrees less than the best decoy.

References:
    Elias and Gygi, Target-decoy search strategy for increased confidence, Nature Methods 2007.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from drifa.data.audit.alignment import MARGIN, aligned_agreement, fine_structure

#: Share of fine structure below which a picture is out of focus: above it lie brain MRI and all but a few CT slices.
SHARP = 0.285
#: Least agreement of the softer structure: of the whole window, and of the weaker quarter of its blocks.
WHOLE, BLOCKS = 0.90, 0.75
# Scales of the softer structure in pixels, and how well pictures must agree at first sight to be aligned.
_SMALL, _LARGE, _ROUGH_LEAST, _STEPS, _CHUNK = 1.5, 5.0, 0.6, 6, 256


def out_of_focus(pictures: np.ndarray) -> np.ndarray:
    """Which pictures lack fine structure.

    Args:
        pictures: Grey values, 0 to 255.

    Shape:
        [N, H, W] -> bool [N].
    """
    from scipy.ndimage import gaussian_filter

    found = []
    for start in range(0, len(pictures), 512):
        values = pictures[start : start + 512].astype(np.float32)
        first, second, third = (gaussian_filter(values, (0, scale, scale)) for scale in (0.8, _SMALL, _LARGE))
        inside = (slice(None), slice(MARGIN, -MARGIN), slice(MARGIN, -MARGIN))
        fine, soft = ((one - two)[inside].std(axis=(1, 2)) for one, two in ((first, second), (second, third)))
        found.append(fine < SHARP * soft)
    return np.concatenate(found) if found else np.zeros(0, dtype=bool)


def soft_agreement(
    pictures: np.ndarray,
    pairs: np.ndarray,
    rough: np.ndarray,
    shift: np.ndarray,
    turned: Callable[[np.ndarray, np.ndarray], np.ndarray],
) -> tuple[np.ndarray, np.ndarray]:
    """Agreement of the softer structure of candidates that are not proven.

    Args:
        pictures: Grey values.
        pairs: Numbers of the two pictures, and the orientation that turns the first into the second.
        rough: Agreement at first sight; -1 for pairs that are left out.
        shift: Where to begin, (rows, columns) in pixels.
        turned: Gives the first picture of each pair, turned.

    Returns:
        ``(whole, blocks)``, see :func:`drifa.data.audit.alignment.aligned_agreement`; -1 for pairs without a picture that is
        out of focus, and for those that differ at first sight.

    Shape:
        pictures [N, 64, 64]; pairs [P, 3]; rough [P]; shift [P, 2] -> [P], [P].
    """
    whole, blocks = np.full(len(pairs), -1.0), np.full(len(pairs), -1.0)
    blurred = out_of_focus(pictures)
    chosen = np.flatnonzero((rough > _ROUGH_LEAST) & (blurred[pairs[:, 0]] | blurred[pairs[:, 1]]))
    # Only pictures that are looked at, as a collection may be large and sharp.
    used, place = np.unique(pairs[chosen, :2], return_inverse=True)
    own = np.concatenate([place.reshape(-1, 2), pairs[chosen, 2:]], axis=1)
    soft = fine_structure(pictures[used], _SMALL, _LARGE)
    for start in range(0, len(chosen), _CHUNK):
        here, part = chosen[start : start + _CHUNK], own[start : start + _CHUNK]
        whole[here], blocks[here] = aligned_agreement(turned(soft, part), soft[part[:, 1]], shift[here], steps=_STEPS)
    return whole, blocks


def better_than_strangers(pairs: np.ndarray, whole: np.ndarray, blocks: np.ndarray) -> np.ndarray:
    """Which unturned pairs agree better than every pair of strangers.

    A pair turned is one of strangers, unless it agrees better unturned: a round cell is like itself from every side.

    Args:
        pairs: As in :func:`soft_agreement`, those that are proven left out.
        whole, blocks: Of :func:`soft_agreement`.

    Shape:
        pairs [P, 3]; whole, blocks [P] -> bool [P].
    """
    likely = (whole >= WHOLE) & (blocks >= BLOCKS)
    unturned = {(int(a), int(b)): float(found) for (a, b, way), found in zip(pairs, whole, strict=True) if way == 0}
    decoys = [
        float(whole[number])
        for number in np.flatnonzero(likely & (pairs[:, 2] > 0))
        if unturned.get((int(pairs[number, 0]), int(pairs[number, 1])), -1.0) <= whole[number]
    ]
    return likely & (pairs[:, 2] == 0) & (whole > max(decoys, default=0.0))
