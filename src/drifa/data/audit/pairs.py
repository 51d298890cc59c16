"""Near duplicates: one picture twice, re-encoded, resized, shifted by a few per cent, turned by 90°, mirrored or re-toned.

Two stages, so that the time grows little faster than the number of images. *Candidates*: the low frequencies of a 64 px
picture, in 16 principal directions of the collection; a turn or flip of the picture only swaps axes and signs of its cosine
transform, so that all eight are looked up in one k-d tree without computing a picture anew. *Proof*: every candidate is
compared pixel by pixel (see `alignment`); only what passes is a join. Where a picture is out of focus, its softer structure may
prove it (see `focus`).

References:
    Lucas & Kanade, "An iterative image registration technique with an application to stereo vision", IJCAI 1981.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from drifa.data.audit.alignment import SIDE, aligned_agreement, best_shift, fine_structure, turn
from drifa.data.audit.focus import better_than_strangers, soft_agreement
from drifa.progress import Progress

if TYPE_CHECKING:
    from drifa.data.study.study import Study


#: Least agreement of a pair: of the whole window, and of the weaker quarter of its blocks. docs/audit.md says where from.
WHOLE, BLOCKS = 0.90, 0.80
# Cosine coefficients per axis, and the principal directions of them that the tree is built in.
_FREQUENCIES, _DIRECTIONS = 12, 16
# Edge that is faded out before, in pixels: a shift leaves a black strip there, which would outweigh all else.
_FADE = 8
# Up to this many images every pair is compared; a principal direction of fewer means little.
_FEW = 32
# Neighbours looked at per image and orientation, and how near they must be, in median distances of two random images.
_NEIGHBOURS, _RADIUS = 8, 0.4
# A small collection tells little of what is usual, and can afford a wider look.
_SMALL, _WIDE_RADIUS = 1000, 0.7
_COARSE, _COARSE_LEAST, _FIRST_LEAST = 32, 0.72, 0.7
_CHUNK = 256


@dataclass(frozen=True)
class Pair:
    """Two images that show the same.

    Attributes:
        first, second: Their numbers, ``first < second``.
        whole: Correlation of the aligned fine structure; of the softer one where a picture is out of focus.
        blocks: Lower quartile of the same over 16 blocks.
        turned: Whether one had to be turned or mirrored.
    """

    first: int
    second: int
    whole: float
    blocks: float
    turned: bool


def near_duplicates(images: Study | Sequence[np.ndarray] | np.ndarray, progress: Progress | None = None) -> list[Pair]:
    """Finds the pairs of images that are one picture.

    Args:
        images: A study (pairs are sought within each modality, unreadable files are passed over; numbers are rows of its
            table), or grey or RGB pictures of any sizes with values 0 to 255 (numbers are positions).
        progress: Called as ``progress(done, total, what)``.

    Returns:
        Pairs, sorted. Identical pixels are a pair too; a picture without structure has no pairs.

    Shape:
        Each image [H, W], [H, W, 1] or [H, W, 3].
    """
    from drifa.data.audit.reading import read_study, thumbnail
    from drifa.data.study.study import Study

    if isinstance(images, Study):
        facts = read_study(images, progress)
        return study_pairs(images, facts.thumbnails, facts.digests, progress)
    thumbnails = np.stack([thumbnail(np.asarray(image)) for image in images]) if len(images) else np.empty((0, SIDE, SIDE))
    digests = np.array([picture.tobytes() for picture in thumbnails], dtype=object)
    return find_pairs(thumbnails, digests, progress)


def study_pairs(study: Study, thumbnails: np.ndarray, digests: np.ndarray, progress: Progress | None = None) -> list[Pair]:
    """The same from what was read already; rows with an empty digest (unreadable) are left out."""
    modality = study.table["modality"].to_numpy(dtype=object)
    found = []
    for name in study.modalities:
        rows = np.flatnonzero((modality == name) & (digests != ""))
        for pair in find_pairs(thumbnails[rows], digests[rows], progress):
            found.append(Pair(int(rows[pair.first]), int(rows[pair.second]), pair.whole, pair.blocks, pair.turned))
    return sorted(found, key=lambda pair: (pair.first, pair.second))


def find_pairs(thumbnails: np.ndarray, digests: np.ndarray, progress: Progress | None = None) -> list[Pair]:
    """Pairs among pictures of one modality.

    Args:
        thumbnails: Grey values.
        digests: Equal for identical images, so that many copies of one do not hide its other neighbours.
        progress: As in :func:`near_duplicates`.

    Shape:
        thumbnails uint8 [N, 64, 64]; digests [N].
    """
    own, place = np.unique(digests.astype(str) if digests.dtype != object else digests, return_inverse=True)
    place = place.reshape(-1)
    first = np.full(len(own), len(digests), dtype=np.int64)
    np.minimum.at(first, place, np.arange(len(digests)))
    structured = thumbnails[first].std(axis=(1, 2)) > 1.0 if len(first) else np.zeros(0, dtype=bool)
    rows = np.sort(first[structured])
    found = [
        Pair(int(first[place[row]]), row, 1.0, 1.0, False)
        for row in range(len(digests))
        if first[place[row]] != row and structured[place[row]]
    ]
    if len(rows) > 1:
        pictures = thumbnails[rows]
        pairs = _candidates(pictures)
        whole, blocks = _proof(pictures, pairs, progress)
        proven = (whole >= WHOLE) & (blocks >= BLOCKS)
        joined = {(int(a), int(b)) for a, b in pairs[proven, :2]}
        rest = np.array([(int(a), int(b)) not in joined for a, b in pairs[:, :2]], dtype=bool)
        soft = soft_agreement(pictures, pairs[rest], _turned)
        proven[rest] = twins = better_than_strangers(pairs[rest], *soft)
        whole[proven & rest], blocks[proven & rest] = (agreement[twins] for agreement in soft)
        best: dict[tuple[int, int], Pair] = {}
        for number in np.flatnonzero(proven):
            low, high = sorted((int(rows[pairs[number, 0]]), int(rows[pairs[number, 1]])))
            pair = Pair(low, high, float(whole[number]), float(blocks[number]), bool(pairs[number, 2]))
            if (low, high) not in best or best[low, high].whole < pair.whole:
                best[low, high] = pair
        found += best.values()
    return sorted(found, key=lambda pair: (pair.first, pair.second))


def _candidates(pictures: np.ndarray) -> np.ndarray:
    """Pairs that may be one picture, with the orientation that turns the first into the second: int64 [P, 3]."""
    from scipy.fft import dctn
    from scipy.spatial import cKDTree

    count = len(pictures)
    if count <= _FEW:
        low, high = np.triu_indices(count, 1)
        return np.stack([np.tile(low, 8), np.tile(high, 8), np.repeat(np.arange(8), len(low))], axis=1)
    ramp = np.minimum((np.minimum(np.arange(SIDE), np.arange(SIDE)[::-1]) + 0.5) / _FADE, 1).astype(np.float32)
    fade = ramp[:, None] * ramp[None, :]
    codes = np.empty((count, _FREQUENCIES, _FREQUENCIES), dtype=np.float32)
    for start in range(0, count, 1024):
        values = pictures[start : start + 1024].astype(np.float32)
        values = (values - (values * fade).sum(axis=(1, 2), keepdims=True) / fade.sum()) * fade
        codes[start : start + 1024] = dctn(values, axes=(1, 2), norm="ortho")[:, :_FREQUENCIES, :_FREQUENCIES]
    codes /= np.sqrt((codes * codes).sum(axis=(1, 2), keepdims=True)) + 1e-6
    random = np.random.default_rng(0)
    sample = codes[random.permutation(count)[:2000]]
    # Principal directions of the collection in all eight orientations, so that turning an image keeps its distances.
    turned = np.concatenate([_turn_code(sample, orientation).reshape(len(sample), -1) for orientation in range(8)])
    variance, directions = np.linalg.eigh(turned.T @ turned / len(turned))
    variance, directions = variance[::-1][:_DIRECTIONS], directions[:, ::-1][:, :_DIRECTIONS]
    # Half-way whitened: without it the outline that all images share decides, with all of it noise does.
    basis = directions / np.sqrt(variance + 0.05 * variance[0])
    points = codes.reshape(count, -1) @ basis
    one, two = random.integers(0, count, (2, 5000))
    usual = np.median(np.linalg.norm(points[one] - points[two], axis=1)[one != two])
    tree = cKDTree(points)
    radius = (_RADIUS if count > _SMALL else _WIDE_RADIUS) * usual + 1e-9
    found = []
    for orientation in range(8):
        query = _turn_code(codes, orientation).reshape(count, -1) @ basis
        neighbours = min(_NEIGHBOURS + 1, count)
        near, other = tree.query(query, k=neighbours, distance_upper_bound=radius, workers=-1)
        row, column = np.nonzero(np.isfinite(near) & (other != np.arange(count)[:, None]))
        partner = other[row, column]
        # (a, b, orientation) and (b, a, its inverse) are one: the two quarter turns are each other's inverse.
        inverse = {5: 6, 6: 5}.get(orientation, orientation)
        swap = row > partner
        low, high = np.where(swap, partner, row), np.where(swap, row, partner)
        found.append(np.stack([low, high, np.where(swap, inverse, orientation)], axis=1))
    return np.unique(np.concatenate(found), axis=0)


def _turn_code(codes: np.ndarray, orientation: int) -> np.ndarray:
    """What :func:`alignment.turn` does to a picture, done to its cosine coefficients."""
    sign = (-1.0) ** np.arange(codes.shape[-1], dtype=np.float32)
    if orientation & 4:
        codes = np.swapaxes(codes, -1, -2)
    if orientation & 1:
        codes = codes * sign[None, :]
    if orientation & 2:
        codes = codes * sign[:, None]
    return codes


def _proof(pictures: np.ndarray, pairs: np.ndarray, progress: Progress | None) -> tuple[np.ndarray, np.ndarray]:
    """Agreement of every candidate pair: [P], [P]; -1 where the coarse look already says no."""
    step = SIDE // _COARSE
    fine = np.concatenate([fine_structure(pictures[start : start + 512]) for start in range(0, len(pictures), 512)])
    coarse = np.concatenate([fine_structure(pictures[start : start + 512], 1.0, 6.0) for start in range(0, len(pictures), 512)])
    coarse = coarse.reshape(-1, _COARSE, step, _COARSE, step).mean(axis=(2, 4))
    whole, blocks = np.full(len(pairs), -1.0), np.full(len(pairs), -1.0)

    def look(start: int) -> None:
        part = pairs[start : start + _CHUNK]
        rough, shift = best_shift(_turned(coarse, part), coarse[part[:, 1]], 2)
        likely = np.flatnonzero(rough > _COARSE_LEAST)
        if not len(likely):
            return
        # One step tells most of the rest apart; only what it leaves is aligned in full.
        first, second = _turned(fine, part[likely]), fine[part[likely, 1]]
        begin = shift[likely] * step
        kept = np.flatnonzero(aligned_agreement(first, second, begin, steps=1)[0] > _FIRST_LEAST)
        if len(kept):
            found = aligned_agreement(first[kept], second[kept], begin[kept])
            whole[start + likely[kept]], blocks[start + likely[kept]] = found

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for done, _ in enumerate(pool.map(look, range(0, len(pairs), _CHUNK)), start=1):
            if progress is not None:
                progress(min(done * _CHUNK, len(pairs)), len(pairs), "comparing")
    return whole, blocks


def _turned(pictures: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    first = np.empty((len(pairs), *pictures.shape[1:]), dtype=pictures.dtype)
    for orientation in np.unique(pairs[:, 2]):
        here = pairs[:, 2] == orientation
        first[here] = turn(pictures[pairs[here, 0]], int(orientation))
    return first
