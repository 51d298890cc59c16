"""A label that is plainly wrong is ranked first, a group counts once, and doubt alone suspects nobody."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from drifa.data.audit.suspects import TOP, suspect_finding, suspected_labels
from tests.data.audit.made import make

CLASSES = ("a", "b", "c")


def answers(labels: np.ndarray, sure: float = 0.9) -> np.ndarray:
    """Probabilities that believe every label by about `sure`."""
    random = np.random.default_rng(0)
    own = (sure + random.uniform(-0.05, 0.05, len(labels)))[:, None]
    return np.where(np.arange(3) == labels[:, None], own, (1 - own) / 2)


def test_swapped_labels_are_found_and_ranked_by_how_little_they_are_believed() -> None:
    truth = np.arange(90) % 3
    p, labels = answers(truth), truth.copy()
    labels[4], labels[50] = 2, 0
    p[4], p[50] = (0.01, 0.98, 0.01), (0.02, 0.02, 0.96)
    names = np.array([f"S{number:02d}" for number in range(90)])
    found = suspected_labels(names, names, labels, p, CLASSES)
    assert [(one.subjects, one.label, one.suggested) for one in found] == [(("S04",), "c", "b"), (("S50",), "a", "c")]
    assert found[0].self_confidence < found[1].self_confidence
    assert suspected_labels(names, names, truth, answers(truth), CLASSES) == []


def test_many_images_of_one_group_are_one_suspect_and_one_voice() -> None:
    truth = np.arange(60) % 3
    labels, p = truth.copy(), answers(truth)
    groups = np.array([f"g{number}" for number in range(60)], dtype=object)
    groups[0:60:6] = "g0"
    labels[0:60:6], p[0:60:6] = 1, (0.97, 0.02, 0.01)
    found = suspected_labels(np.arange(60).astype(str), groups, labels, p, CLASSES)
    assert [(one.group, one.label, one.suggested) for one in found] == [("g0", "b", "a")]
    assert len(found[0].subjects) == 10
    # Nine more images of the group leave what is usual for the class as it was.
    alone = np.ones(60, dtype=bool)
    alone[6:60:6] = False
    fewer = suspected_labels(np.arange(60)[alone].astype(str), groups[alone], labels[alone], p[alone], CLASSES)
    assert np.isclose(fewer[0].self_confidence, found[0].self_confidence)


def test_doubt_is_no_suspicion() -> None:
    labels = np.arange(30) % 3
    p = answers(labels)
    p[3] = (0.4, 0.35, 0.25)
    assert suspected_labels(np.arange(30).astype(str), np.arange(30).astype(str), labels, p, CLASSES) == []
    assert suspected_labels(*(np.empty(0, dtype=int),) * 3, np.empty((0, 3)), CLASSES) == []


def test_the_note_names_files_in_order_and_no_more_suspects_than_its_top(tmp_path: Path) -> None:
    study = make(tmp_path, count=60)
    labels = np.arange(60) % 2
    p = np.where(np.arange(2) == labels[:, None], 0.9, 0.1)
    p[10:40] = p[10:40, ::-1] * np.linspace(1, 0.9, 30)[:, None]
    names = study.table["subject"].to_numpy(dtype=object)
    suspects = suspected_labels(names, names, labels, p, ("a", "b"))
    one = suspect_finding(study, "kind", suspects, 60, ["test", "val"])
    assert (one.severity, one.rule, one.count) == ("info", "suspected_label", len(suspects))
    assert len(one.data["suspects"]) == min(TOP, len(suspects)) == TOP
    assert one.files[0] == f"{suspects[0].subjects[0]}.png"
    assert "60 subjects in test and val" in one.message
    assert "the run is likelier wrong" in one.message
    assert "likelier" not in suspect_finding(study, "kind", suspects[:5], 60, ["test"]).message
    doubted = suspect_finding(study, "kind", suspects, 60, ["test", "val"], "not to be relied on")
    assert doubted.message == f"{one.message}; not to be relied on"
    assert doubted.data["suspects"] == one.data["suspects"]
