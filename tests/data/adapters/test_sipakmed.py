"""SIPaKMeD becomes a study of cells grouped by cluster image."""

from __future__ import annotations

from collections import Counter

import numpy as np

from drifa.data.adapters.prepare import ADAPTERS
from drifa.data.reading.images import read_image
from tests.data.adapters.miniatures import Folder, all_files


def test_sipakmed_groups_by_cluster_image_and_takes_cells_only(fake: Folder) -> None:
    study = ADAPTERS["sipakmed"].prepare(fake("sipakmed"))
    assert len(study.table) == 5 * 4 * 2
    assert study.table["path"].str.contains("/CROPPED/").all()
    assert set(study.table.groupby("group").size()) == {2}
    assert (study.table["group"] == study.table["subject"].str.rsplit("_", n=1).str[0]).all()


def test_real_sipakmed_has_the_cells_of_its_folders(real: Folder) -> None:
    folder = real("sipakmed")
    study = ADAPTERS["sipakmed"].prepare(folder)
    cells = [path for path in all_files(folder) if path.parent.name == "CROPPED" and path.suffix in (".jpg", ".bmp")]
    kind = [next(part for part in path.parts[::-1] if part.startswith("im_"))[3:] for path in cells]
    assert Counter(study.table["cell"]) == Counter(kind)
    clusters = {(name, path.stem.split("_")[0]) for name, path in zip(kind, cells, strict=True)}
    assert study.table["group"].nunique() == len(clusters)
    random = np.random.default_rng(0)
    for row in random.choice(len(study.table), 5, replace=False):
        assert read_image(study.image_path(int(row)), 3).size > 0
