"""Metrics of volumes: the conventions for empty regions, HD95 against two other ways to compute it, means with intervals."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from drifa.metrics.segmentation import VOLUME_METRICS, hausdorff95, judge_volume, summarise_volumes

UNIT = (1.0, 1.0, 1.0)


def blob(seed: int, shape: tuple[int, ...] = (14, 12, 9)) -> np.ndarray:
    """A ball and a few scattered voxels."""
    random = np.random.default_rng(seed)
    grid = np.indices(shape)
    centre = np.array([random.uniform(3, size - 3) if size > 1 else 0 for size in shape])
    volume = ((grid - centre.reshape(-1, *[1] * len(shape))) ** 2).sum(axis=0) < random.uniform(4, 14)
    return volume | (random.random(shape) > 0.995)


def brute_force(a: np.ndarray, b: np.ndarray, spacing: tuple[float, ...]) -> float:
    def surface(volume: np.ndarray) -> np.ndarray:
        padded, inner = np.pad(volume, 1), np.ones_like(volume)
        for axis in range(volume.ndim):
            for step in (-1, 1):
                inner &= np.roll(padded, step, axis)[tuple(slice(1, -1) for _ in volume.shape)]
        return np.argwhere(volume & ~inner) * np.array(spacing)

    distances = np.linalg.norm(surface(a)[:, None] - surface(b)[None], axis=2)
    return max(np.percentile(distances.min(axis=1), 95), np.percentile(distances.min(axis=0), 95))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("spacing", [UNIT, (0.5, 1.0, 3.0)])
def test_hd95_is_that_of_all_pairs_of_surface_voxels(seed: int, spacing: tuple[float, ...]) -> None:
    a, b = blob(seed), blob(100 + seed)
    assert hausdorff95(a, b, spacing) == pytest.approx(brute_force(a, b, spacing))


@pytest.mark.parametrize("seed", range(3))
def test_hd95_is_that_of_monai(seed: int) -> None:
    metrics = pytest.importorskip("monai.metrics")
    import torch

    a, b, spacing = blob(seed), blob(200 + seed), (0.8, 1.0, 2.5)
    one_hot = [torch.from_numpy(x)[None, None] for x in (b, a)]
    expected = metrics.compute_hausdorff_distance(*one_hot, include_background=True, percentile=95, spacing=spacing)
    assert hausdorff95(a, b, spacing) == pytest.approx(expected.item(), rel=1e-5)


def test_hd95_is_symmetric_and_does_not_see_where_in_the_volume_things_are() -> None:
    a, b, spacing = blob(1), blob(2), (1.0, 0.7, 2.0)
    found = hausdorff95(a, b, spacing)
    assert hausdorff95(b, a, spacing) == found > 0
    moved = [np.pad(x, ((5, 60), (40, 3), (2, 30))) for x in (a, b)]
    assert hausdorff95(*moved, spacing) == pytest.approx(found)
    assert hausdorff95(a.transpose(2, 0, 1), b.transpose(2, 0, 1), (2.0, 1.0, 0.7)) == pytest.approx(found)


def test_hd95_scales_with_the_spacing_and_measures_a_shift() -> None:
    a, b = blob(3), blob(4)
    assert hausdorff95(a, b, (2.5, 2.5, 2.5)) == pytest.approx(2.5 * hausdorff95(a, b, UNIT))
    box, shifted = np.zeros((2, 30, 30, 30), dtype=bool)
    box[4:10, 4:10, 4:10] = shifted[4:10, 4:10, 12:18] = True
    assert hausdorff95(box, shifted, (1.0, 1.0, 3.0)) == pytest.approx(8 * 3)


def test_one_slice_is_judged_as_an_image() -> None:
    a, b = blob(5, (20, 18)), blob(6, (20, 18))
    assert hausdorff95(a[..., None], b[..., None], UNIT) == pytest.approx(brute_force(a, b, (1.0, 1.0)))


def test_empty_regions_follow_the_conventions() -> None:
    full = np.zeros((240, 240, 155), dtype=bool)
    full[100:110, 90:95, 70:75] = True
    empty = np.zeros_like(full)
    truth, predicted = np.stack([empty, empty, full, full]), np.stack([empty, full, empty, full])
    both, invented, missed, found = judge_volume(truth, predicted, ["a", "b", "c", "d"], UNIT)
    assert (both["dice"], both["hd95"], both["missed"]) == (1, 0, 0)
    for row in (invented, missed):
        assert (row["dice"], row["missed"]) == (0, 1)
        assert row["hd95"] == pytest.approx(373.13, abs=0.005)
    assert np.isnan([both["sensitivity"], invented["sensitivity"], both["dice_present"], invented["dice_present"]]).all()
    assert (missed["sensitivity"], missed["dice_present"], missed["specificity"]) == (0, 0, 1)
    assert (found["dice"], found["sensitivity"], found["specificity"], found["hd95"]) == (1, 1, 1, 0)
    assert found["truth_ml"] == found["predicted_ml"] == 0.25
    assert hausdorff95(full, empty, (1.0, 1.0, 2.0)) == pytest.approx(np.sqrt(240**2 + 240**2 + 310**2))


def test_shares_are_those_of_the_confusion_counts() -> None:
    random = np.random.default_rng(0)
    truth, predicted = random.random((2, 1, 9, 8, 7)) > 0.6
    (row,) = judge_volume(truth, predicted, ["r"], UNIT)
    t, p = truth.ravel(), predicted.ravel()
    tp, fp, fn, tn = (t & p).sum(), (~t & p).sum(), (t & ~p).sum(), (~t & ~p).sum()
    assert row["dice"] == pytest.approx(2 * tp / (2 * tp + fp + fn))
    assert row["sensitivity"] == pytest.approx(tp / (tp + fn))
    assert row["specificity"] == pytest.approx(tn / (tn + fp))
    (swapped,) = judge_volume(predicted, truth, ["r"], UNIT)
    assert swapped["dice"] == row["dice"]


def test_accuracy_is_judged_in_the_brain_slice_by_slice() -> None:
    truth = np.zeros((1, 10, 10, 3), dtype=bool)
    brain = np.zeros((10, 10, 3), dtype=bool)
    brain[:4, :5, 0] = brain[:1, :4, 1] = True  # the last slice has none
    predicted = truth.copy()
    predicted[0, 0, :2, 1] = True  # half of the small slice is wrong
    predicted[0, 8:, 8:, :] = True  # outside the brain nothing counts
    (row,) = judge_volume(truth, predicted, ["r"], UNIT, brain)
    assert row["accuracy"] == pytest.approx((1 + 0.5) / 2)
    (row,) = judge_volume(truth, predicted, ["r"], UNIT)
    assert np.isnan(row["accuracy"])


def table(n: int = 12) -> pd.DataFrame:
    rows = []
    for subject in range(n):
        truth = np.stack([blob(subject), blob(subject) if subject % 3 else np.zeros((14, 12, 9), dtype=bool)])
        predicted = np.stack([blob(subject + 50), truth[1] if subject % 4 else np.zeros((14, 12, 9), dtype=bool)])
        rows += [{"subject": f"s{subject}", **row} for row in judge_volume(truth, predicted, ["WT", "ET"], UNIT)]
    return pd.DataFrame(rows)


def test_means_count_misses_and_leave_out_only_what_is_undefined() -> None:
    frame = table()
    found = summarise_volumes(frame, resamples=200)
    assert list(found) == ["WT", "ET"]
    for region, metrics in found.items():
        rows = frame[frame["region"] == region]
        assert list(metrics) == list(VOLUME_METRICS)
        for metric, summary in metrics.items():
            values = rows[metric].dropna()
            assert summary["n"] == len(values)
            if len(values):
                assert summary["value"] == pytest.approx(values.mean())
                assert summary["sd"] == pytest.approx(values.std())
                assert summary["low"] <= summary["value"] <= summary["high"]
    et = found["ET"]
    assert et["missed"]["value"] * et["missed"]["n"] == 2  # s4 and s8; s0 is empty in both
    assert et["dice_present"]["n"] == et["sensitivity"]["n"] == 8
    assert et["hd95"]["n"] == 12
    assert et["hd95"]["value"] == pytest.approx(2 * np.linalg.norm([14, 12, 9]) / 12)
    assert et["accuracy"] == {"value": None, "low": None, "high": None, "sd": None, "n": 0}


def test_intervals_draw_groups_and_do_not_depend_on_the_order_of_the_rows() -> None:
    frame = table()
    found = summarise_volumes(frame, resamples=200, seed=3)
    for region, metrics in summarise_volumes(frame.iloc[::-1], resamples=200, seed=3).items():
        for metric, summary in metrics.items():
            assert summary == pytest.approx(found[region][metric]), (region, metric)
    doubled = pd.concat([frame, frame.assign(subject=frame["subject"] + "b")]).assign(
        group=lambda rows: rows["subject"].str.rstrip("b")
    )
    again = summarise_volumes(doubled, resamples=200, seed=3)
    alone = summarise_volumes(doubled.drop(columns="group"), resamples=200, seed=3)
    width = {name: x["WT"]["dice"]["high"] - x["WT"]["dice"]["low"] for name, x in (("group", again), ("subject", alone))}
    assert again["WT"]["dice"]["low"] == pytest.approx(found["WT"]["dice"]["low"])
    assert width["subject"] < width["group"]


def test_of_one_subject_there_is_no_interval() -> None:
    dice = summarise_volumes(table(1), resamples=10)["WT"]["dice"]
    assert dice["value"] is not None
    assert (dice["low"], dice["high"], dice["sd"], dice["n"]) == (None, None, None, 1)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"truth": np.zeros((1, 3, 3), dtype=bool)}, r"\[regions, X, Y, Z\]"),
        ({"truth": np.zeros((1, 3, 3, 3))}, "threshold"),
        ({"regions": ["a", "b"]}, "2 regions"),
        ({"spacing": (1.0, 1.0)}, "three sizes in mm"),
        ({"spacing": (1.0, 1.0, 0.0)}, "above zero"),
        ({"brain": np.zeros((3, 3), dtype=bool)}, "brain must be"),
    ],
)
def test_what_does_not_fit_is_refused(change: dict, word: str) -> None:
    volume = np.zeros((1, 3, 3, 3), dtype=bool)
    with pytest.raises(ValueError, match=word):
        judge_volume(**{"truth": volume, "predicted": volume, "regions": ["a"], "spacing": UNIT, **change})


def test_a_real_tumour_against_its_shifted_self() -> None:
    nibabel = pytest.importorskip("nibabel")
    path = Path(os.environ.get("DRIFA_DATA", "")) / "brats" / "brats2018_case_0" / "GT_W.nii.gz"
    if not path.is_file():
        pytest.skip("needs DRIFA_DATA/brats/brats2018_case_0")
    image = nibabel.load(path)
    truth = np.asarray(image.dataobj) > 0
    spacing = tuple(float(size) for size in image.header.get_zooms())
    for shift in (1, 4):
        (row,) = judge_volume(truth[None], np.roll(truth, shift, axis=0)[None], ["WT"], spacing)
        assert 0 < row["hd95"] <= shift * spacing[0]
        assert 0.5 < row["dice"] < 1
        assert row["truth_ml"] == row["predicted_ml"] == pytest.approx(truth.sum() * np.prod(spacing) / 1000)
