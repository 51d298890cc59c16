"""Findings on single images that do not look like the others: blank, or of another kind than their modality."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from drifa.data.audit.findings import Finding, finding
from drifa.data.audit.reading import Facts
from drifa.data.study.study import Study
from drifa.errors import plural

#: An image with this share of pixels of one grey value, give or take one, is blank.
BLANK = 0.995
# Grey values between R, G and B: below the first an image is grey, above the second it is in colour; in between is JPEG noise.
_GREY, _COLOUR = 2.0, 12.0
# Share of a modality that counts as its bulk, and the fewest images to judge one by.
_BULK, _FEWEST = 0.97, 50
# Distance to the fifth neighbour, in medians of that distance; docs/audit.md tells what it finds.
_FAR, _NEIGHBOURS = 5.0, 5


def blank_findings(study: Study, facts: Facts) -> Iterator[Finding]:
    """Images without content."""
    rows = np.flatnonzero(facts.readable & (facts.dominant >= BLANK))
    if len(rows):
        text = (
            f"{plural(len(rows), 'image is', 'images are')} blank, or nearly: {BLANK:.1%} of the pixels or more have one value"
        )
        yield finding("warning", "blank", text, "look at them; remove their rows from the study", _paths(study, rows))


def kind_findings(study: Study, facts: Facts) -> Iterator[Finding]:
    """Images that may be of another modality than they are listed under."""
    modality = study.table["modality"].to_numpy(dtype=object)
    for name in study.modalities:
        rows = np.flatnonzero((modality == name) & facts.readable & (facts.dominant < BLANK))
        if len(rows) < _FEWEST:
            continue
        odd = rows[_other_colour(facts.colourfulness[rows]) | _far_away(features(facts, rows))]
        if len(odd):
            text = f"{plural(len(odd), f'image of modality {name!r} looks', f'images of modality {name!r} look')} unlike "
            text += "all others: another modality, or a damaged image?"
            remedy = "look at them; remove the rows of those that are not what they claim to be"
            yield finding("warning", "wrong_modality", text, remedy, _paths(study, odd), {"modality": name})


def features(facts: Facts, rows: np.ndarray) -> np.ndarray:
    """Simple marks of an image: grey histogram, brightness of corners and centre, sharpness, colour. float [n, F], shares."""
    pictures = facts.thumbnails[rows].astype(np.float32) / 255
    corner = pictures[:, [0, 0, 1, 1, -1, -1, -2, -2]][:, :, [0, 1, -1, -2]].mean(axis=(1, 2))
    centre = pictures[:, 24:40, 24:40].mean(axis=(1, 2))
    edges = np.abs(np.diff(pictures, axis=1)).mean(axis=(1, 2)) + np.abs(np.diff(pictures, axis=2)).mean(axis=(1, 2))
    rest = np.stack([corner, centre, 4 * edges, pictures.std(axis=(1, 2))], axis=1)
    colour = facts.colours[rows].reshape(len(rows), -1, 3).mean(axis=1) / 255
    return np.concatenate([np.sqrt(facts.histograms[rows]), rest, colour], axis=1)


def _other_colour(colourfulness: np.ndarray) -> np.ndarray:
    """Images in colour among grey ones, or grey ones among images in colour."""
    grey, coloured = colourfulness < _GREY, colourfulness > _COLOUR
    if grey.mean() >= _BULK:
        return coloured
    return grey if coloured.mean() >= _BULK else np.zeros(len(grey), dtype=bool)


def _far_away(marks: np.ndarray) -> np.ndarray:
    """Images far from their nearest neighbours, compared with how far apart neighbours usually are."""
    from scipy.spatial import cKDTree

    tree = cKDTree(marks)
    near = tree.query(marks, k=_NEIGHBOURS + 1)[0][:, -1]
    # The median of a collection full of copies may be next to nothing: hence the floor, in the unit of the marks.
    return near > _FAR * max(float(np.median(near)), 0.02)


def _paths(study: Study, rows: np.ndarray) -> list[str]:
    return [str(study.table["path"].iloc[row]) for row in rows]
