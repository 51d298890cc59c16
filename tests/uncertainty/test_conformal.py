"""Prediction sets: their promise, kept over simulated patients, and what becomes of it when images are taken for patients."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.stats import beta, betabinom

from drifa.errors import DrifaError
from drifa.uncertainty.conformal import ConformalSets, class_scores, least_groups
from tests.uncertainty.classifiers import classifier, softmax

SCORES = ["lac", "aps", "raps"]


def patients(random: np.random.Generator, sizes: np.ndarray, classes: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, probabilities and groups of patients with one finding each, whose images resemble each other."""
    group = np.arange(len(sizes)).repeat(sizes)
    label = random.integers(classes, size=len(sizes))
    of_patient = 1.5 * np.eye(classes)[label] + random.normal(size=(len(sizes), classes))
    return label[group], softmax(of_patient[group] + 0.2 * random.normal(size=(len(group), classes))), group


def one_of_each(random: np.random.Generator, group: np.ndarray) -> np.ndarray:
    """One row of each group, at random."""
    turned = random.permutation(len(group))
    return turned[np.unique(group[turned], return_index=True)[1]]


@pytest.mark.parametrize("score", SCORES)
def test_the_promise_is_kept_over_splits_by_patient(score: str) -> None:
    random = np.random.default_rng(3)
    labels, p, group = patients(random, random.integers(1, 11, size=400))
    # Of 200 new patients, so many are covered, if calibrated on 200 others.
    low, high = betabinom.interval(0.99, 200, 181, 20)
    covered = []
    for turn in range(200):
        calibration = np.isin(group, random.permutation(400)[:200])
        sets = ConformalSets.fit(labels[calibration], p[calibration], group[calibration], score=score, seed=turn)
        rows = np.flatnonzero(~calibration)[one_of_each(random, group[~calibration])]
        covered.append(sets(p[rows])[np.arange(200), labels[rows]].sum())
    assert np.mean(np.array(covered) >= low) >= 0.95
    if score == "lac":  # the others add the most probable class, which can only raise the coverage
        assert np.mean(np.array(covered) <= high) >= 0.95


def test_each_class_is_covered_with_thresholds_of_its_own() -> None:
    random = np.random.default_rng(4)
    leaning = np.array([1.5, 0, -1.5])  # to the first class
    mean = {True: np.zeros(3), False: np.zeros(3)}
    for _ in range(50):
        labels, p, group = patients(random, random.integers(1, 4, size=300))
        p = softmax(np.log(p) + leaning)
        new, q, _ = patients(random, np.ones(1000, int))
        q = softmax(np.log(q) + leaning)
        for per_class, total in mean.items():
            holds = ConformalSets.fit(labels, p, group, per_class=per_class)(q)[np.arange(1000), new]
            total += [holds[new == index].mean() / 50 for index in range(3)]
    assert (np.abs(mean[True] - 0.9) < 0.02).all()
    assert mean[False][0] > 0.95
    assert mean[False][2] < 0.85


def test_the_largest_score_covers_all_images_of_a_patient_at_once() -> None:
    random = np.random.default_rng(5)
    found = {"random": 0.0, "largest": 0.0}
    for turn in range(50):
        labels, p, group = patients(random, np.full(100, 8))
        new, q, owner = patients(random, np.full(500, 8))
        for per_group in found:
            holds = ConformalSets.fit(labels, p, group, per_group=per_group, seed=turn)(q)[np.arange(len(new)), new]
            found[per_group] += (np.bincount(owner, ~holds) == 0).mean() / 50
    assert found["largest"] == pytest.approx(0.9, abs=0.02)
    assert found["random"] < 0.88


def realised(images_of_each: int, by_group: bool, turns: int = 300) -> tuple[np.ndarray, float]:
    """True coverage of sets fitted on 300 images, and how often it lies in the band that the sets themselves state."""
    random = np.random.default_rng(6)
    new, q, _ = patients(random, np.ones(4000, int))
    coverage, inside = [], []
    for turn in range(turns):
        labels, p, group = patients(random, np.full(300 // images_of_each, images_of_each))
        sets = ConformalSets.fit(labels, p, group if by_group else None, seed=turn)
        coverage.append(sets(q)[np.arange(len(new)), new].mean())
        ((low, high),) = sets.coverage_band()
        inside.append(low <= coverage[-1] <= high)
    return np.array(coverage), float(np.mean(inside))


def test_images_taken_for_patients_promise_more_than_they_keep() -> None:
    spread, kept = {}, {}
    for each in (1, 3, 10):
        coverage, kept[each] = realised(each, by_group=False)
        spread[each] = coverage.std()
    promised = beta.std(271, 30)  # 300 scores that are independent
    assert spread[1] == pytest.approx(promised, rel=0.2)
    assert spread[1] * 1.2 < spread[3] < spread[10] / 1.2
    assert spread[10] > 2 * promised
    assert kept[1] > 0.9 > kept[3] > kept[10]
    assert kept[10] < 0.7


@pytest.mark.parametrize("each", [1, 3, 10])
def test_patients_keep_the_band_that_they_promise(each: int) -> None:
    coverage, kept = realised(each, by_group=True)
    assert kept > 0.9
    assert coverage.mean() > 0.89


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("per_class", [False, True])
def test_a_higher_level_never_takes_a_class_away(score: str, per_class: bool) -> None:
    labels, p = classifier(1000)
    new = classifier(200, seed=1)[1]
    before = np.zeros(new.shape, dtype=bool)
    for level in (0.3, 0.5, 0.8, 0.9, 0.95, 0.99):
        sets = ConformalSets.fit(labels, p, None, level=level, score=score, per_class=per_class)(new)
        assert (sets | ~before).all()
        before = sets
    assert before.sum() > len(new)


@pytest.mark.parametrize("score", ["aps", "raps"])
def test_adaptive_sets_hold_the_answer_and_all_that_is_likelier(score: str) -> None:
    labels, p = classifier(500)
    p[:2] = [[1, 0, 0, 0], [0.25, 0.25, 0.25, 0.25]]
    sets = ConformalSets.fit(labels, p, None, level=0.5, score=score)(p)
    assert sets[np.arange(len(p)), p.argmax(axis=1)].all()
    order = np.argsort(-p, axis=1, kind="stable")
    assert (np.diff(np.take_along_axis(sets, order, axis=1).astype(int), axis=1) <= 0).all()


def test_the_scores_are_those_of_the_papers() -> None:
    p = np.array([[0.5, 0.2, 0.3]])
    np.testing.assert_allclose(class_scores(p, "lac", 0, 0), [[0.5, 0.8, 0.7]])
    np.testing.assert_allclose(class_scores(p, "aps", 0, 0), [[0.5, 1.0, 0.8]])
    np.testing.assert_allclose(class_scores(p, "raps", 0.1, 1), [[0.5, 1.2, 0.9]])


def test_a_penalty_shortens_the_longest_sets() -> None:
    labels, p = classifier(2000, classes=20, temperature=0.5)
    size = {penalty: ConformalSets.fit(labels, p, None, score="raps", penalty=penalty)(p).sum(axis=1) for penalty in (0, 1)}
    np.testing.assert_array_equal(size[0], ConformalSets.fit(labels, p, None, score="aps")(p).sum(axis=1))
    assert size[1].max() < size[0].max()


def test_the_threshold_is_the_score_of_the_corrected_rank() -> None:
    p = np.stack([np.linspace(0.01, 0.99, 99), 1 - np.linspace(0.01, 0.99, 99)], axis=1)
    sets = ConformalSets.fit(np.zeros(99, int), p, None, level=0.9)
    assert sets.thresholds == pytest.approx([0.9])  # the 90th of 99, not the 89.1th


def test_the_order_of_the_images_does_not_matter() -> None:
    random = np.random.default_rng(7)
    labels, p, group = patients(random, np.full(100, 5))
    turned = random.permutation(len(labels))
    names = np.array([f"patient {number}" for number in group])
    fitted = ConformalSets.fit(labels, p, names, seed=8)
    assert ConformalSets.fit(labels[turned], p[turned], names[turned], seed=8) == fitted
    assert ConformalSets.fit(labels, p, names, seed=9).thresholds != fitted.thresholds


@pytest.mark.parametrize("level", [0.5, 0.55, 0.8, 0.9, 0.95, 0.99, 0.999])
def test_the_least_number_of_groups_is_enough_and_one_less_is_not(level: float) -> None:
    least = least_groups(level)
    assert (least + 1) * level <= least + 1e-6
    assert least == 1 or least * level > least - 1 + 1e-6
    labels, p = classifier(least)
    ConformalSets.fit(labels, p, None, level=level)
    if least > 1:
        with pytest.raises(DrifaError, match=f"there are {least - 1} calibration groups, .* at least {least}:"):
            ConformalSets.fit(labels[1:], p[1:], None, level=level)


def test_groups_are_counted_not_images() -> None:
    labels, p = classifier(800)
    with pytest.raises(DrifaError, match="there are 8 calibration groups"):
        ConformalSets.fit(labels, p, np.arange(800) % 8)
    assert ConformalSets.fit(labels, p, np.arange(800) % 9).groups == (9,)


def test_a_class_with_too_few_groups_is_refused_by_name() -> None:
    labels, p = classifier(800, classes=2)
    groups = np.where(labels == 1, np.arange(800) % 5, np.arange(800))
    with pytest.raises(DrifaError, match=r"class 'mel' has 5 calibration groups, .* at least 9 of each class"):
        ConformalSets.fit(labels, p, groups, per_class=True, classes=["nv", "mel"])
    with pytest.raises(DrifaError, match="class '2' has 0 calibration groups"):
        ConformalSets.fit(labels, np.pad(p, ((0, 0), (0, 1))), None, per_class=True)


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("per_class", [False, True])
def test_sets_survive_json(score: str, per_class: bool) -> None:
    labels, p = classifier(300, classes=3)
    sets = ConformalSets.fit(labels, p, None, score=score, per_class=per_class, classes=["a", "b", "c"])
    again = ConformalSets.from_json(json.loads(json.dumps(sets.to_json(), allow_nan=False)))
    assert again == sets
    np.testing.assert_array_equal(again(p), sets(p))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"score": "las"}, "score 'las' .*did you mean 'lac'"),
        ({"per_group": "largst"}, "did you mean 'largest'"),
        ({"level": 90}, "level 90 .* between 0 and 1"),
        ({"level": float("nan")}, "level nan"),
        ({"penalty": -1}, "penalty=-1"),
        ({"free_ranks": -1}, "free_ranks=-1"),
        ({"groups": ["p"]}, "one group per row"),
        ({"classes": ["a"]}, "4 classes do not fit 1"),
    ],
)
def test_a_setting_that_is_none_is_refused(change: dict[str, object], words: str) -> None:
    labels, p = classifier(100)
    with pytest.raises(DrifaError, match=words):
        ConformalSets.fit(labels, p, **{"groups": None, **change})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "change", [{"level": 1.0}, {"score": "top"}, {"thresholds": []}, {"groups": [8]}, {"groups": [9, 9]}, {"per_class": True}]
)
def test_a_record_out_of_its_bounds_is_refused(change: dict[str, object]) -> None:
    value = ConformalSets.fit(*classifier(100), None).to_json()
    with pytest.raises(DrifaError, match=r"^sets.json: "):
        ConformalSets.from_json({**value, **change}, "sets.json")


def test_sets_without_patients_agree_with_crepes() -> None:
    crepes = pytest.importorskip("crepes")
    labels, p = classifier(153)
    new = classifier(200, seed=1)[1]
    oracle = crepes.ConformalClassifier().fit(1 - p[np.arange(153), labels])
    expected = oracle.predict_set(1 - new, confidence=0.9, smoothing=False)
    np.testing.assert_array_equal(ConformalSets.fit(labels, p, None)(new), expected.astype(bool))


def test_sets_without_patients_agree_with_mapie() -> None:
    mapie = pytest.importorskip("mapie.classification")
    from sklearn.base import BaseEstimator, ClassifierMixin

    class Given(ClassifierMixin, BaseEstimator):
        classes_ = np.arange(4)

        def fit(self, x: np.ndarray, y: np.ndarray) -> Given:
            return self

        def predict_proba(self, x: np.ndarray) -> np.ndarray:
            return x

        def predict(self, x: np.ndarray) -> np.ndarray:
            return x.argmax(axis=1)

        def __sklearn_is_fitted__(self) -> bool:
            return True

    labels, p = classifier(153)
    new = classifier(200, seed=1)[1]
    oracle = mapie.SplitConformalClassifier(Given(), confidence_level=0.9, prefit=True, conformity_score="lac")
    expected = oracle.conformalize(p, labels).predict_set(new)[1][:, :, 0]
    np.testing.assert_array_equal(ConformalSets.fit(labels, p, None)(new), expected.astype(bool))
