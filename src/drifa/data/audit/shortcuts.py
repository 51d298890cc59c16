"""Findings on what tells the label without looking at the picture: file size, image size, mean colour, folder,
encoding, and the columns of the table that are no task."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from drifa.data.audit.findings import Finding, finding
from drifa.data.audit.reading import Facts
from drifa.data.study.study import COLUMNS, Study
from drifa.data.study.subjects import subject_codes

#: A shortcut is a warning where the lower end of its interval is above this AUC, and any information at all is a note.
STRONG, CHANCE = 0.65, 0.55
_FOLDS, _RESAMPLES, _FEWEST = 5, 200, 5
# More kinds than these say nothing about those not seen; a column is of numbers where this share of its values is.
_MOST_KINDS, _MOSTLY = 50, 0.9


def shortcut_findings(study: Study, facts: Facts, clusters: Sequence[Sequence[int]], seed: int = 0) -> Iterator[Finding]:
    """How well a small classifier predicts each label from marks that say nothing of disease.

    Cross-validated over groups, near duplicates kept together; the AUC is one class against the others, averaged over classes,
    with a 95 % bootstrap interval over groups.

    Args:
        study: The audited study.
        facts: From one pass over its files.
        clusters: Rows that show the same picture.
        seed: Of folds, forests and resamples.
    """
    from drifa.data.audit.fix import join_groups

    joined = join_groups(study, clusters)[0].table["group"].to_numpy(dtype=object)
    subject, _ = subject_codes(study.table)
    subjects = study.subjects()
    modality = study.table["modality"].to_numpy(dtype=object)
    marks = shortcut_marks(study, facts) | column_marks(study)
    for column, task in enumerate(study.tasks.values()):
        for name in task.modalities:
            label = subjects.strata[subject, column]
            rows = np.flatnonzero((modality == name) & facts.readable & (label >= 0))
            group = np.unique(joined[rows].astype(str), return_inverse=True)[1].reshape(-1)
            found = {
                key: cross_validated_auc(values[rows], label[rows], group, seed)
                for key, values in marks.items()
                if len(rows) and (values[rows] != values[rows[0]]).any()
            }
            yield from _judged(study, task.name, name, rows, {key: auc for key, auc in found.items() if auc is not None})


def shortcut_marks(study: Study, facts: Facts) -> dict[str, np.ndarray]:
    """What may give a label away, one row per image: float [R, F] each."""
    height, width, depth = facts.sizes.T.astype(float)
    folders = [path.replace("\\", "/").split("/")[:-1] for path in study.table["path"]]
    deepest = max(map(len, folders))
    levels = ["/".join(parts[: level + 1]) for level in range(deepest) for parts in folders]
    sources = np.array(levels, dtype=object).reshape(deepest, -1) if deepest else np.empty((0, len(folders)), dtype=object)
    marks = {
        "file size": facts.bytes[:, None].astype(float),
        "image size": np.stack([height, width, depth, width / np.maximum(height, 1)], axis=1),
        "mean colour": facts.colours.reshape(len(facts.colours), -1, 3).mean(axis=1),
        "encoding": _one_hot(facts.encodings),
    }
    kept = [source for source in sources if not _names_the_class(study, source)]
    if kept:
        marks["folder"] = np.concatenate([_one_hot(source) for source in kept], axis=1)
    return marks


def column_marks(study: Study) -> dict[str, np.ndarray]:
    """The table's own columns, such as site, scanner or date, one row per image: float [R, F] each.

    Left out are the tasks and what a modality is made of, which a network is meant to see. A missing value counts as one.
    """
    used = {*COLUMNS, "official", *study.tasks, *(name for modality in study.modalities.values() for name in modality.columns)}
    return {f"column {name!r}": _column(study.table[name]) for name in study.table.columns if name not in used}


def _column(column: pd.Series) -> np.ndarray:
    """Numbers and dates in their order; few values as kinds, too."""
    texts = column.fillna("").astype(str)
    kinds, filled = _one_hot(texts.to_numpy(dtype=object)), texts != ""
    for values in _orders(texts):
        if values[filled].notna().mean() > _MOSTLY:
            # A forest asks for order alone, and ranks are finite.
            ranks = values.rank()
            return np.column_stack([ranks.fillna(ranks.median()), ranks.isna(), kinds]).astype(float)
    return kinds


def _orders(texts: pd.Series) -> Iterator[pd.Series]:
    """A column read as numbers, and as dates in the ways that people write them; missing where a value is none."""
    yield pd.to_numeric(texts, errors="coerce")
    days = texts.str.split().str[0]
    for written in ("ISO8601", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y"):
        dates = pd.to_datetime(texts if written == "ISO8601" else days, errors="coerce", format=written, utc=True)
        yield (dates - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(days=1)


def cross_validated_auc(
    values: np.ndarray, label: np.ndarray, group: np.ndarray, seed: int = 0
) -> tuple[float, float, float] | None:
    """Mean one-against-the-rest AUC of a small forest on unseen groups, with its interval.

    Args:
        values: Marks of every image.
        label: Class index of every image, 0 and up.
        group: Group number of every image, 0 and up.
        seed: Of folds, forest and resamples.

    Returns:
        ``(auc, low, high)``; None where fewer than two classes have five groups.

    Shape:
        values float [n, F]; label, group int [n].
    """
    from sklearn.ensemble import ExtraTreesClassifier

    groups_of = {kind: len(np.unique(group[label == kind])) for kind in np.unique(label)}
    kinds = [kind for kind, count in groups_of.items() if count >= _FEWEST]
    if len(kinds) < 2:
        return None
    chosen = np.isin(label, kinds)
    values, label = values[chosen], label[chosen]
    group = np.unique(group[chosen], return_inverse=True)[1].reshape(-1)
    random = np.random.default_rng(seed)
    fold = _folds(label, group, random)
    score = np.zeros((len(label), len(kinds)))
    for number in range(_FOLDS):
        test = fold == number
        if not test.any() or test.all():
            continue
        leaf = max(5, int((~test).sum() // 200))
        forest = ExtraTreesClassifier(30, min_samples_leaf=leaf, class_weight="balanced", random_state=seed)
        forest.fit(values[~test], label[~test])
        score[np.ix_(test, np.searchsorted(kinds, forest.classes_))] = forest.predict_proba(values[test])
    truth = label[:, None] == np.array(kinds)[None, :]
    auc = float(np.nanmean(_auc(score, truth, np.ones((1, len(label))))[0]))
    # Whole groups are drawn: images of one group are no independent evidence.
    count = int(group.max()) + 1
    drawn = np.stack([np.bincount(random.integers(0, count, count), minlength=count) for _ in range(_RESAMPLES)])
    resampled = _auc(score, truth, drawn[:, group].astype(float))
    # Of few groups a resample may hold one class only, which tells nothing.
    resampled = resampled[~np.isnan(resampled).all(axis=1)]
    low, high = np.quantile(np.nanmean(resampled, axis=1), [0.025, 0.975])
    return auc, float(low), float(high)


def _folds(label: np.ndarray, group: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """A fold per image; groups stay whole, and those whose first label is the same are dealt out in turn."""
    first = np.zeros(int(group.max()) + 1, dtype=np.int64)
    first[group[::-1]] = label[::-1]
    order = random.permutation(len(first))
    order = order[np.argsort(first[order], kind="stable")]
    fold = np.empty(len(first), dtype=np.int64)
    fold[order] = np.arange(len(first)) % _FOLDS
    return fold[group]


def _auc(score: np.ndarray, truth: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Weighted AUC of every class under every weighting, ties counted half: [n, K], [n, K], [B, n] -> [B, K]."""
    result = np.full((len(weight), score.shape[1]), np.nan)
    for kind in range(score.shape[1]):
        values, place = np.unique(score[:, kind], return_inverse=True)
        place = place.reshape(-1)
        order = np.argsort(place, kind="stable")
        starts = np.searchsorted(place[order], np.arange(len(values)))
        positive = np.add.reduceat((weight * truth[:, kind])[:, order], starts, axis=1)
        negative = np.add.reduceat((weight * ~truth[:, kind])[:, order], starts, axis=1)
        below = np.cumsum(negative, axis=1) - negative / 2
        with np.errstate(invalid="ignore"):
            result[:, kind] = (positive * below).sum(axis=1) / (positive.sum(axis=1) * negative.sum(axis=1))
    return result


def _judged(
    study: Study, task: str, modality: str, rows: np.ndarray, found: dict[str, tuple[float, float, float]]
) -> Iterator[Finding]:
    for key, (auc, low, high) in found.items():
        strong = low > STRONG
        text = f"{key} alone predicts task {task!r} on {modality!r} with AUC {auc:.2f} ({low:.2f} to {high:.2f})"
        text += ": a network may learn it instead of the picture" if strong else "" if low > CHANCE else ": close to chance"
        remedy = f"make {key} alike across classes, or show that the model does not use it" if strong else ""
        data = {"task": task, "modality": modality, "mark": key, "auc": auc, "low": low, "high": high, "images": len(rows)}
        yield finding("warning" if strong else "info", "shortcut", text, remedy, data=data)


def _names_the_class(study: Study, source: np.ndarray) -> bool:
    """Whether every folder holds one class only (it was sorted by label), or there is but one folder."""
    image = (study.table["path"] != "").to_numpy()
    if len(set(source[image])) < 2:
        return True
    subjects, subject = study.subjects(), subject_codes(study.table)[0]
    for column in range(len(study.tasks)):
        label = subjects.strata[subject, column]
        known = (label >= 0) & image
        pairs = set(zip(source[known], label[known], strict=True))
        if known.any() and len(pairs) == len(set(source[known])):
            return True
    return False


def _one_hot(texts: np.ndarray) -> np.ndarray:
    kinds, number = np.unique(texts.astype(str), return_inverse=True)
    if len(kinds) > _MOST_KINDS:
        # A folder per patient or so: it says nothing about folders not seen.
        return np.zeros((len(texts), 1))
    return (number.reshape(-1, 1) == np.arange(len(kinds))).astype(float)
