"""Every metric by name: label, meaning, writing, direction, bounds. Commands, report and docs read it."""

from __future__ import annotations

from typing import Literal, NamedTuple

Style = Literal["share", "number", "mm", "unit"]
Better = Literal["higher", "lower", ""]
Kind = Literal["classes", "number", "regions"]


class Metric(NamedTuple):
    """A metric in plain words, and what its number means.

    Attributes:
        label: A short title.
        meaning: One line on what it says.
        style: How the number is written: ``share`` in %, ``number`` plainly, ``mm``, or ``unit`` in the unit of the task.
        better: Whether a better network has a ``higher`` or a ``lower`` number; empty where neither is better by itself.
        bounds: The lowest and the highest number possible; None where there is none.
    """

    label: str
    meaning: str
    style: Style = "share"
    better: Better = "higher"
    bounds: tuple[float | None, float | None] = (0, 1)


GROUPS: dict[str, dict[str, Metric]] = {
    "Right or wrong": {
        "accuracy": Metric("Accuracy", "Share of images whose predicted class is the true one."),
        "balanced_accuracy": Metric(
            "Balanced accuracy",
            "Share of each class that is found, averaged so that a rare class counts as much as a common one.",
        ),
        "precision": Metric(
            "Precision",
            "Of the images given a class, the share that truly have it (positive predictive value); mean over classes.",
        ),
        "recall": Metric(
            "Recall",
            "Of the images that have a class, the share given it (sensitivity); the mean over classes is balanced accuracy.",
        ),
        "f1": Metric("F1", "Harmonic mean of precision and recall: high only if both are; mean over classes."),
        "specificity": Metric("Specificity", "Of the images without a class, the share not given it; mean over classes."),
        "auc": Metric(
            "AUC",
            "Chance that an image of a class gets a higher probability for it than an image of another class: "
            "0.5 is a coin toss, 1 is perfect; mean over classes.",
            "number",
        ),
    },
    "Are the stated probabilities honest?": {
        "ece": Metric(
            "Calibration error",
            "Gap between stated confidence and the share that is right, in 15 bins of confidence; lower is better.",
            better="lower",
        ),
        "brier": Metric(
            "Brier score",
            "Squared distance of the probabilities from the truth: 0 is best, 2 is worst.",
            "number",
            "lower",
            (0, 2),
        ),
        "nll": Metric(
            "Log loss",
            "Mean of minus the natural logarithm of the probability given to the truth: "
            "0 is best, a confident error costs most.",
            "number",
            "lower",
            (0, None),
        ),
    },
    "Does it know when it is wrong?": {
        "accuracy_at_100": Metric("Accuracy, all images", "Nothing set aside: the same as accuracy."),
        "accuracy_at_90": Metric(
            "Accuracy, surest 90\u00a0%",
            "Accuracy when the 10 % most uncertain images are left to a person; the same reading below.",
        ),
        "accuracy_at_80": Metric("Accuracy, surest 80\u00a0%", "The 20 % most uncertain images are left to a person."),
        "accuracy_at_50": Metric("Accuracy, surest 50\u00a0%", "The more uncertain half is left to a person."),
        "error_auroc": Metric(
            "Error detection",
            "Chance that a wrong answer is more uncertain than a right one: at 0.5 the uncertainty says nothing, 1 is perfect.",
            "number",
        ),
    },
}

PARTNER_METRICS: dict[str, Metric] = {
    "accuracy_alone": Metric("Accuracy, image alone", "Accuracy with no image of another modality given at all."),
    "balanced_accuracy_alone": Metric("Balanced accuracy, image alone", "The same, with each class counting equally."),
    "partner_flip_rate": Metric(
        "Changed answers",
        "How often the answer with a single partner differs from the answer averaged over all partners; lower is better.",
        better="lower",
    ),
}

#: Metrics of volumes; in ``metrics.json`` the region's name follows, as in ``dice_WT``.
VOLUME_METRICS: dict[str, Metric] = {
    "dice": Metric("Dice", "Overlap of the predicted and the true region: 0 for none, 100 % for the same voxels."),
    "dice_present": Metric("Dice, where the region exists", "Dice over the subjects whose truth has the region."),
    "sensitivity": Metric("Sensitivity", "Share of the region's voxels that are found."),
    "specificity": Metric(
        "Specificity", "Share of the other voxels that are left alone; near 100 % for any small region, so it says little."
    ),
    "hd95": Metric(
        "HD95",
        "How far the outlines lie apart: 95 % of one lie within this distance of the other. A missed region counts with the "
        "diagonal of the volume.",
        "mm",
        "lower",
        (0, None),
    ),
    "missed": Metric("Missed", "Share of subjects in which exactly one of truth and prediction is empty.", better="lower"),
    "accuracy": Metric("Voxel accuracy in the head", "Mean over slices; high even for a prediction of nothing."),
}

#: Metrics of a predicted number.
NUMBER_GROUPS: dict[str, dict[str, Metric]] = {
    "How far off": {
        "mae": Metric("Mean error", "How far the prediction lies from the truth, on average.", "unit", "lower", (0, None)),
        "rmse": Metric(
            "Root mean square error",
            "The same with large errors weighing more; far above the mean error, a few answers are far off.",
            "unit",
            "lower",
            (0, None),
        ),
    },
    "Does it follow the truth?": {
        "r2": Metric(
            "R²",
            "Share of the truth's spread that the prediction explains: 1 is perfect, 0 is no better than always answering the "
            "mean, below 0 is worse.",
            "number",
            "higher",
            (None, 1),
        ),
        "pearson": Metric(
            "Correlation",
            "Whether prediction and truth rise together along a line: 1 is perfect, 0 not at all; blind to a constant error.",
            "number",
            "higher",
            (-1, 1),
        ),
    },
    "Does it know how far off it is?": {
        "coverage_90": Metric(
            "Truth within the stated 90\u00a0%",
            "Share of truths inside the range that should hold 90 % of them: less is overconfident, more is overcautious.",
            "share",
            "",
        ),
        "nll": Metric(
            "Log loss",
            "Mean of minus the natural logarithm of the density given to the truth; it depends on the unit and can be "
            "negative, so it compares networks on one task only.",
            "number",
            "lower",
            (None, None),
        ),
        "mae_at_80": Metric(
            "Mean error, surest 80\u00a0%",
            "Mean error when the 20 % with the widest stated range are left to a person.",
            "unit",
            "lower",
            (0, None),
        ),
    },
}

NUMBER_PARTNER_METRICS: dict[str, Metric] = {
    "mae_alone": Metric("Mean error, image alone", "Mean error with no other image given.", "unit", "lower", (0, None)),
    "partner_std": Metric(
        "Moved by partners",
        "How far the prediction moves with the partner: the standard deviation over partners, its mean over images.",
        "unit",
        "lower",
        (0, None),
    ),
}

#: What is shown first, by kind of answer.
HEADLINES: dict[Kind, tuple[str, ...]] = {
    "classes": ("accuracy", "balanced_accuracy", "auc", "ece", "accuracy_at_80"),
    "number": ("mae", "r2", "pearson", "coverage_90"),
    "regions": ("dice",),
}
HEADLINE = HEADLINES["classes"]

#: Every metric, by kind of answer: a name may mean one thing for classes and another for numbers.
METRICS_OF: dict[Kind, dict[str, Metric]] = {
    "classes": {name: metric for group in (*GROUPS.values(), PARTNER_METRICS) for name, metric in group.items()},
    "number": {name: metric for group in (*NUMBER_GROUPS.values(), NUMBER_PARTNER_METRICS) for name, metric in group.items()},
    "regions": VOLUME_METRICS,
}


def metric_words(metric: str, kind: Kind = "classes") -> Metric:
    """The row of a metric; one that is not in the table is shown under its own name, as a plain number."""
    unknown = Metric(metric.replace("_", " ").capitalize(), "", "number", "", (None, None))
    return METRICS_OF[kind].get(metric, unknown)
