"""Every metric by name: its label, what it says, and how its number is written. Commands, report and docs read this table."""

from __future__ import annotations

from typing import NamedTuple


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
