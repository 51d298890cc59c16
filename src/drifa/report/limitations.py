"""What the numbers of a run say against relying on it, each a sentence that follows from a rule."""

from __future__ import annotations

from drifa.errors import plural
from drifa.report import words
from drifa.report.judged import JudgedTask, judged_tasks
from drifa.report.study import telling_columns
from drifa.report.verdicts import FEW_GROUPS, groups_of, verdict
from drifa.runs.files import RunFiles

#: Groups below which a whole test is small: an interval of a rate is then wider than 20 percentage points.
SMALL_TEST = 100
#: Gap between stated confidence and share right above which probabilities are not to be taken at their word.
DISHONEST = 0.05


def limitations(files: RunFiles) -> list[str]:
    """The sentences, task by task, then those of the run as a whole; empty before `drifa evaluate`."""
    if not files.metrics:
        return []
    found = [sentence for task in judged_tasks(files) for sentence in _of_task(task, files)]
    members = (files.model or {}).get("members")
    if members == 1:
        found.append("One network was trained: another may be better or worse, and no interval here tells by how much.")
    if files.study is not None and not telling_columns(files.study):
        found.append("The study's table tells neither sex, age, site nor device, so nobody can say for whom it does worse.")
    calibration = files.calibration or {}
    promised = any(isinstance(one, dict) and one.get("abstention") for one in (calibration.get("tasks") or {}).values())
    if promised and not calibration.get("strangers_file"):
        found.append("Nobody checks whether an image is of the kind that was learned, before an answer is called sure.")
    protocol = (files.receipt or {}).get("protocol")
    if protocol == "paper":
        found.append("The split of the paper may put images of one group on two sides, which flatters.")
    return found


def _of_task(task: JudgedTask, files: RunFiles) -> list[str]:
    found = []
    told = verdict(task, files)
    if told is not None and told.standing in ("same", "worse"):
        found.append(f"{task.name}: not shown to be better than always giving one answer.")
    groups = task.judged.get("groups")
    if isinstance(groups, int) and groups < SMALL_TEST:
        found.append(f"{task.name}: judged on {plural(groups, 'group')} only; every interval is wide.")
    if task.kind == "classes":
        few = [name for name, count in groups_of(task.name, files).items() if count < FEW_GROUPS]
        if few:
            found.append(f"{task.name}: fewer than {FEW_GROUPS} groups of {', '.join(few)}.")
        ece = task.best.get("ece") or {}
        if isinstance(ece.get("low"), float) and ece["low"] > DISHONEST:
            gap = words.written("ece", {"value": ece["value"]})["text"]
            found.append(f"{task.name}: stated probabilities are off by {gap} on average before any calibration.")
    return found
