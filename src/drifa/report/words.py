"""What the report calls things: modes, metrics and numbers, in words that need no course in machine learning."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

MISSING = "–"

# From the most to the least thorough way of asking the same networks.
MODES = ("ensemble_mc", "ensemble", "mc", "deterministic")
MODE_NAMES = {
    "ensemble_mc": "Ensemble + MC dropout",
    "ensemble": "Ensemble",
    "mc": "MC dropout",
    "deterministic": "Single pass",
}


class Words(NamedTuple):
    """A metric in plain words: its label, one line on what it says, and how its number is written."""

    label: str
    meaning: str
    style: str = "share"


GROUPS: dict[str, dict[str, Words]] = {
    "Right or wrong": {
        "accuracy": Words("Accuracy", "Share of images whose predicted class is the true one."),
        "balanced_accuracy": Words(
            "Balanced accuracy",
            "Share of each class that is found, averaged so that a rare class counts as much as a common one.",
        ),
        "precision": Words(
            "Precision",
            "Of the images given a class, the share that truly have it (positive predictive value); mean over classes.",
        ),
        "recall": Words(
            "Recall",
            "Of the images that have a class, the share given it (sensitivity); the mean over classes is balanced accuracy.",
        ),
        "f1": Words("F1", "Harmonic mean of precision and recall: high only if both are; mean over classes."),
        "specificity": Words("Specificity", "Of the images without a class, the share not given it; mean over classes."),
        "auc": Words(
            "AUC",
            "Chance that an image of a class gets a higher probability for it than an image of another class: "
            "0.5 is a coin toss, 1 is perfect; mean over classes.",
            "number",
        ),
    },
    "Are the stated probabilities honest?": {
        "ece": Words(
            "Calibration error",
            "Gap between stated confidence and the share that is right, in 15 bins of confidence; lower is better.",
        ),
        "brier": Words("Brier score", "Squared distance of the probabilities from the truth: 0 is best, 2 is worst.", "number"),
        "nll": Words(
            "Log loss",
            "Mean of minus the natural logarithm of the probability given to the truth: "
            "0 is best, a confident error costs most.",
            "number",
        ),
    },
    "Does it know when it is wrong?": {
        "accuracy_at_100": Words("Accuracy, all images", "Nothing set aside: the same as accuracy."),
        "accuracy_at_90": Words(
            "Accuracy, surest 90\u00a0%",
            "Accuracy when the 10 % most uncertain images are left to a person; the same reading below.",
        ),
        "accuracy_at_80": Words("Accuracy, surest 80\u00a0%", "The 20 % most uncertain images are left to a person."),
        "accuracy_at_50": Words("Accuracy, surest 50\u00a0%", "The more uncertain half is left to a person."),
        "error_auroc": Words(
            "Error detection",
            "Chance that a wrong answer is more uncertain than a right one: at 0.5 the uncertainty says nothing, 1 is perfect.",
            "number",
        ),
    },
}

PARTNER_METRICS: dict[str, Words] = {
    "accuracy_alone": Words("Accuracy, image alone", "Accuracy with no image of another modality given at all."),
    "balanced_accuracy_alone": Words("Balanced accuracy, image alone", "The same, with each class counting equally."),
    "partner_flip_rate": Words(
        "Changed answers",
        "How often the answer with a single partner differs from the answer averaged over all partners; lower is better.",
    ),
}

#: Metrics of volumes; in ``metrics.json`` the region's name follows, as in ``dice_WT``.
VOLUME_METRICS: dict[str, Words] = {
    "dice": Words("Dice", "Overlap of the predicted and the true region: 0 for none, 100 % for the same voxels."),
    "dice_present": Words("Dice, where the region exists", "Dice over the subjects whose truth has the region."),
    "sensitivity": Words("Sensitivity", "Share of the region's voxels that are found."),
    "specificity": Words(
        "Specificity", "Share of the other voxels that are left alone; near 100 % for any small region, so it says little."
    ),
    "hd95": Words(
        "HD95",
        "How far the outlines lie apart: 95 % of one lie within this distance of the other. A missed region counts with the "
        "diagonal of the volume.",
        "mm",
    ),
    "missed": Words("Missed", "Share of subjects in which exactly one of truth and prediction is empty."),
    "accuracy": Words("Voxel accuracy in the head", "Mean over slices; high even for a prediction of nothing."),
}

HEADLINE = ("accuracy", "balanced_accuracy", "auc", "ece", "accuracy_at_80")

_KNOWN = {name: words for group in (*GROUPS.values(), PARTNER_METRICS) for name, words in group.items()}


def metric_words(metric: str) -> Words:
    """The words for a metric; one that the report does not know is shown under its own name, as a plain number."""
    return _KNOWN.get(metric) or Words(metric.replace("_", " ").capitalize(), "", "number")


def mode_order(modes: Iterable[str]) -> list[str]:
    """Known modes from the most to the least thorough, then any others."""
    modes = list(modes)
    return [mode for mode in MODES if mode in modes] + [mode for mode in modes if mode not in MODES]


def mode_words(mode: str, members: Any, passes: Any, first_only: bool = False) -> str:
    """How an answer came about in this mode, for example ``answers averaged over 5 networks, one pass each, dropout off``.

    Args:
        mode: A name in ``MODES``.
        members: Number of networks, None if unknown.
        passes: Number of passes with dropout on, None if unknown.
        first_only: Whether the words stand beside single answers (of the first network) rather than beside metrics (means
            over all networks); it matters for modes that ask each network alone.
    """
    networks = f"{members} networks" if members else "all networks"
    draws = f"{passes} passes" if passes else "many passes"
    which = "" if members == 1 else "; shown for the first network" if first_only else f"; figures are means over {networks}"
    return {
        "ensemble_mc": f"answers averaged over {networks} × {draws} with dropout on",
        "ensemble": f"answers averaged over {networks}, one pass each, dropout off",
        "mc": f"answers averaged over {draws} of one network with dropout on{which}",
        "deterministic": f"one network, one pass, dropout off{which}",
    }.get(mode, mode)


def number(value: Any, digits: int = 3) -> str:
    """A number with the given decimals, or a dash where there is none."""
    if not isinstance(value, int | float) or math.isnan(value):
        return MISSING
    return f"{value:.{digits}f}"


def share(value: Any, digits: int = 1) -> str:
    """A share between 0 and 1 as a percentage, without the sign."""
    return number(100 * value if isinstance(value, int | float) else None, digits)


def millimetres(value: Any) -> str:
    """A distance to a tenth, without the unit."""
    return number(value, 1)


def whole(value: Any) -> str:
    """A count, with a thin space between thousands."""
    if not isinstance(value, int | float) or math.isnan(value):
        return MISSING
    return f"{value:,.0f}".replace(",", "\u2009")


def duration(seconds: float) -> str:
    """A time in the two units that matter: ``2 h 05 min``, ``3 min 20 s`` or ``12 s``."""
    total = round(seconds) if math.isfinite(seconds) else 0
    hours, minutes, rest = total // 3600, total % 3600 // 60, total % 60
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def written(metric: str, interval: dict[str, Any] | None) -> dict[str, str]:
    """A metric as the report prints it; see :func:`written_as`."""
    return written_as(metric_words(metric).style, interval)


def written_as(style: str, interval: dict[str, Any] | None) -> dict[str, str]:
    """A value and its interval.

    Args:
        style: ``share`` (printed in %), ``mm`` or ``number``.
        interval: ``{"value", "low", "high"}``, each a number or None.

    Returns:
        ``text`` ("84.2 %") and ``range`` ("81.5 – 86.8", empty if there is none).
    """
    interval = interval or {}
    write = {"share": share, "mm": millimetres}.get(style, number)
    text = write(interval.get("value"))
    low, high = write(interval.get("low")), write(interval.get("high"))
    unit = {"share": "%", "mm": "mm"}.get(style)
    if unit and text != MISSING:
        text += f"\u00a0{unit}"
    return {"text": text, "range": "" if MISSING in (low, high) else f"{low}\u2009–\u2009{high}"}
