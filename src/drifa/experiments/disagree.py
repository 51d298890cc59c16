"""Cases on which the arms disagree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from drifa.experiments.answers import Answers
from drifa.experiments.comparison import Case

#: Cases that are listed per task.
MOST_CASES = 12


def disagreements(answers: Mapping[str, Sequence[Mapping[str, Answers]]]) -> list[Case]:
    """The cases on which the arms are furthest apart, each arm's answer averaged over its seeds.

    Args:
        answers: Arm -> those of each seed, task -> answers; all on the same cases.
    """
    tasks = list(dict.fromkeys(task for seeds in answers.values() for by_task in seeds for task in by_task))
    found: list[Case] = []
    for task in tasks:
        by_arm = {arm: [by_task[task] for by_task in seeds if task in by_task] for arm, seeds in answers.items()}
        by_arm = {arm: seeds for arm, seeds in by_arm.items() if seeds}
        if len(by_arm) < 2:
            continue
        first = next(iter(by_arm.values()))[0]
        told = {arm: _answer(seeds) for arm, seeds in by_arm.items()}
        scores = np.stack([score for score, _ in told.values()])
        spread = scores.max(axis=0) - scores.min(axis=0)
        apart = [number for number in range(len(spread)) if len({texts[number] for _, texts in told.values()}) > 1]
        for number in sorted(apart, key=lambda place: -spread[place])[:MOST_CASES]:
            texts = {arm: texts[number] for arm, (_, texts) in told.items()}
            found.append(Case(task, str(first.cases[number]), _truth(first, number), texts, float(spread[number])))
    return found


def _answer(seeds: Sequence[Answers]) -> tuple[np.ndarray, list[str]]:
    """What is compared of each case, and the answer as text; the mean over seeds."""
    first = seeds[0]
    if first.classes:
        p = np.mean([np.stack(list(seed.rows["probabilities"])) for seed in seeds], axis=0)
        truth = first.rows["label"].map({name: place for place, name in enumerate(first.classes)}).to_numpy()
        return p[np.arange(len(p)), truth], [first.classes[place] for place in p.argmax(axis=1)]
    values = np.mean([seed.rows[_column(seed)].to_numpy(dtype=np.float64) for seed in seeds], axis=0)
    return np.nan_to_num(values), [f"{value:.3g}" for value in values]


def _truth(answers: Answers, number: int) -> str:
    if answers.classes:
        return str(answers.rows["label"].iloc[number])
    return f"{answers.rows['truth'].iloc[number]:.3g}" if "truth" in answers.rows else "its mask"


def _column(answers: Answers) -> str:
    return "value" if "truth" in answers.rows else "dice"
