"""Twins at another focus, which share no fine structure: what is left of both must agree better than any strangers do.

Microscopes and hand-held cameras see one thing twice, once out of focus. The softer structure that survives is also what
strangers share, so how well they agree is measured in the collection itself: a picture laid turned on another one is a stranger
by construction, as decoys are in searches of mass spectra. No pair counts that agrees less than the best decoy.

References:
    Elias and Gygi, Target-decoy search strategy for increased confidence, Nature Methods 2007.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from drifa.data.audit.alignment import MARGIN, SIDE, aligned_agreement, best_shift, fine_structure

#: Share of fine structure below which a picture is out of focus: above it lie brain MRI and all but a few CT slices.
SHARP = 0.285
#: Least agreement of the softer structure: of the whole window, and of the weaker quarter of its blocks.
WHOLE, BLOCKS = 0.90, 0.75
# Scales of the softer structure in pixels; the step at which it is looked at first, how far moved in steps, and how well two
# pictures must agree there, and after one step of alignment, to be aligned in full.
_SMALL, _LARGE = 1.5, 5.0
_STEP, _REACH, _ROUGH_LEAST, _FIRST_LEAST = 4, 2, 0.78, 0.75
_CHUNK = 256


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
    pictures: np.ndarray, pairs: np.ndarray, turned: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Agreement of the softer structure of candidates that are not proven.

    Args:
        pictures: Grey values.
        pairs: Numbers of the two pictures, and the orientation that turns the first into the second.
        turned: Gives the first picture of each pair, turned.

    Returns:
        ``(whole, blocks)``, see :func:`drifa.data.audit.alignment.aligned_agreement`; -1 for pairs without a picture that is
        out of focus, and for those that differ at first sight.

    Shape:
        pictures [N, 64, 64]; pairs [P, 3] -> [P], [P].
    """
    whole, blocks = np.full(len(pairs), -1.0), np.full(len(pairs), -1.0)
    blurred = out_of_focus(pictures)
    chosen = np.flatnonzero(blurred[pairs[:, 0]] | blurred[pairs[:, 1]])
    # Only pictures that are looked at, as a collection may be large and sharp.
    used, place = np.unique(pairs[chosen, :2], return_inverse=True)
    own = np.concatenate([place.reshape(-1, 2), pairs[chosen, 2:]], axis=1)
    parts = [fine_structure(pictures[used[start : start + 512]], _SMALL, _LARGE) for start in range(0, len(used), 512)]
    soft = np.concatenate(parts) if parts else np.empty((0, SIDE, SIDE), dtype=np.float32)
    coarse = soft.reshape(-1, SIDE // _STEP, _STEP, SIDE // _STEP, _STEP).mean(axis=(2, 4))

    def look(start: int) -> None:
        part = own[start : start + _CHUNK]
        rough, shift = best_shift(turned(coarse, part), coarse[part[:, 1]], _REACH)
        likely = np.flatnonzero(rough > _ROUGH_LEAST)
        if not len(likely):
            return
        first, second, begin = turned(soft, part[likely]), soft[part[likely, 1]], shift[likely] * _STEP
        kept = np.flatnonzero(aligned_agreement(first, second, begin, steps=1)[0] > _FIRST_LEAST)
        if len(kept):
            here = chosen[start + likely[kept]]
            whole[here], blocks[here] = aligned_agreement(first[kept], second[kept], begin[kept])

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        list(pool.map(look, range(0, len(chosen), _CHUNK)))
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
