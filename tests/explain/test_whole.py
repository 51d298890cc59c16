"""Of many cases at once: the points of the space by what is seen of them, and the figures that show them."""

from __future__ import annotations

import csv
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from drifa.explain.embedding import perplexity
from drifa.explain.explain import explain
from drifa.explain.modality_space import JOINT
from drifa.explain.record import Explanation, ModalityRecord
from drifa.runs.run import Run

#: Images of 32 pixels leave one pixel behind the last stage.
LAYER = "layer2.0"


def explained(run: Run) -> tuple[ModalityRecord, dict[str, str]]:
    where, found = explain(run.folder, cases=1, layer=LAYER, task="depth")
    assert isinstance(found, Explanation)
    assert found.by_modality is not None
    return found.by_modality, {file: (where / file).read_text(encoding="utf-8") for file in found.by_modality.files}


@pytest.fixture(scope="module")
def paired_space(paired_run: Run) -> tuple[ModalityRecord, dict[str, str]]:
    return explained(paired_run)


@pytest.mark.parametrize("paired", [True, False])
def test_a_point_stands_for_each_case_and_modality_that_it_has(paired: bool, request: pytest.FixtureRequest) -> None:
    run: Run = request.getfixturevalue("paired_run" if paired else "unpaired_run")
    found, files = request.getfixturevalue("paired_space") if paired else explained(run)
    subjects = run.study().subjects()
    tested = subjects.in_split("test")
    expected = Counter(
        (str(subjects.ids[row]), subjects.modalities[i]) for row, i in np.argwhere(subjects.present) if row in tested
    )
    expected |= Counter((str(subjects.ids[row]), JOINT) for row in tested if subjects.present[row].sum() > 1)
    rows = list(csv.DictReader(files["modalities.csv"].splitlines()))
    assert Counter((row["subject"], row["seen"]) for row in rows) == expected
    assert found.points == Counter(row["seen"] for row in rows)
    assert (JOINT in found.points) == paired
    assert found.cases == len(tested)
    assert found.perplexity == perplexity(len(rows))
    assert (found.form, found.n_neighbors, found.seed) == ("tsne", None, run.config.evaluate.seed)
    assert -1 <= (found.silhouette or 0) <= 1
    drawn = files["modalities-tsne.svg"]
    assert f"perplexity {found.perplexity:.3g}, seed {found.seed}" in drawn
    assert drawn.count('r="3"') == len(rows)


def test_the_same_seed_draws_the_same_picture(paired_run: Run, paired_space: tuple[ModalityRecord, dict[str, str]]) -> None:
    assert explained(paired_run) == paired_space


def test_the_pca_alone_is_drawn_where_it_is_asked_for(paired_run: Run, tmp_path: Path) -> None:
    run = shutil.copytree(paired_run.folder, tmp_path / "run", ignore=shutil.ignore_patterns("explain"))
    where, found = explain(run, cases=1, layer=LAYER, task="depth", embedding="pca")
    assert isinstance(found, Explanation)
    drawn = {path.name for path in where.glob("*.svg")}
    assert {"pca-depth.svg", "right-depth.svg", "modalities-pca.svg"} <= drawn
    assert not [name for name in drawn if "tsne" in name]
    assert (found.embedding["depth"].form, found.embedding["depth"].seed) == ("pca", None)
