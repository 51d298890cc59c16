"""Labels that a network which never saw them contradicts, ranked: confident learning, with a group as one piece of evidence.

References:
    Northcutt, Jiang & Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels", Journal of Artificial
    Intelligence Research 70, 2021. https://arxiv.org/abs/1911.00068
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from drifa.data.audit.findings import Finding, finding
from drifa.data.study.study import Study
from drifa.errors import plural

#: Suspects that a finding names.
TOP = 20
#: Share of suspects from which on the network is doubted first.
MANY = 0.25


@dataclass(frozen=True)
class Suspect:
    """A label that may be wrong.

    Attributes:
        group: Whose label it is.
        subjects: Those of the group that have the label and were judged.
        label: As it stands.
        suggested: The class that the network takes them for.
        self_confidence: Mean probability of the label.
        confidence: Mean probability of the suggested class.
    """

    group: str
    subjects: tuple[str, ...]
    label: str
    suggested: str
    self_confidence: float
    confidence: float


def suspected_labels(
    subjects: np.ndarray, groups: np.ndarray, labels: np.ndarray, probabilities: np.ndarray, classes: Sequence[str]
) -> list[Suspect]:
    """The labels off the diagonal of the confident joint, the least believed first.

    Subjects of one group with one label are one case, of their mean probabilities: ten images of a lesion do not raise what is
    usual for its class, and do not fill the list. A class is seen in a case where its probability reaches the mean that it has
    over its own cases; a label is suspected where another class is seen, and the label's own probability is not the largest.

    Args:
        subjects: Names.
        groups: The group of each.
        labels: Index of the class of each as labelled.
        probabilities: Of the classes, from networks that were not trained on any subject of the same group.
        classes: Names of the classes.

    Shape:
        subjects, groups [n]; labels int [n]; probabilities [n, k].
    """
    if not len(labels):
        return []
    cases, case = np.unique(np.stack([groups.astype(str), labels.astype(str)]), axis=1, return_inverse=True)
    case, count = case.reshape(-1), cases.shape[1]
    size = np.bincount(case, minlength=count)
    mean = np.stack([np.bincount(case, column, minlength=count) for column in probabilities.T], axis=1) / size[:, None]
    given = cases[1].astype(int)
    usual = np.full(len(classes), np.inf)
    for kind in np.unique(given):
        usual[kind] = mean[given == kind, kind].mean()
    own = mean[np.arange(count), given]
    others = np.where(mean >= usual, mean, -1.0)
    others[np.arange(count), given] = -1.0
    suggested = others.argmax(axis=1)
    confidence = others[np.arange(count), suggested]
    found = np.flatnonzero(confidence > own)
    return [
        Suspect(
            group=str(cases[0, one]),
            subjects=tuple(sorted(map(str, subjects[case == one]))),
            label=classes[given[one]],
            suggested=classes[suggested[one]],
            self_confidence=float(own[one]),
            confidence=float(confidence[one]),
        )
        for one in found[np.argsort(own[found], kind="stable")]
    ]


def suspect_finding(
    study: Study, task: str, suspects: Sequence[Suspect], judged: int, splits: Sequence[str], doubt: str = ""
) -> Finding:
    """What a run suspects, as a note.

    Args:
        study: The audited study.
        task: Whose labels.
        suspects: From :func:`suspected_labels`.
        judged: How many subjects were looked at.
        splits: Where they lie.
        doubt: Why the ranking is not to be relied on; empty where nothing speaks against it.
    """
    text = plural(len(suspects), f"label of task {task!r} looks", f"labels of task {task!r} look")
    text += f" wrong to the run, of {plural(judged, 'subject')} in {' and '.join(splits)}"
    if suspects:
        first = suspects[0]
        text += f"; the first: {first.subjects[0]} is labelled {first.label}, believed by {first.self_confidence:.2f}, "
        text += f"and looks like {first.suggested} ({first.confidence:.2f})"
    if len(suspects) > MANY * judged:
        text += "; these are so many that the run is likelier wrong than the labels"
    if doubt:
        text += f"; {doubt}"
    table, own = study.table, set(study.tasks[task].modalities)
    shown = table[table["modality"].isin(own) & (table["path"] != "")]
    paths = [path for one in suspects for path in shown.loc[shown["subject"].isin(one.subjects), "path"]]
    data = {"task": task, "judged": judged, "splits": list(splits), "count": len(suspects), "doubt": doubt}
    data["suspects"] = [{**asdict(one), "subjects": list(one.subjects)} for one in suspects[:TOP]]
    remedy = "show them to whoever can tell, the first ones first; the network may be the one that errs" if suspects else ""
    return finding("info", "suspected_label", text, remedy, paths, data)
