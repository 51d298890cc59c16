"""IQ-OTH/NCCD becomes a study whose groups are runs of alike slices."""

from __future__ import annotations

from collections import Counter

from drifa.data.adapters.prepare import ADAPTERS
from tests.data.adapters.miniatures import Folder, all_files


def test_iqothnccd_groups_are_runs_of_alike_slices(fake: Folder) -> None:
    folder = fake("iqothnccd")
    table = ADAPTERS["iqothnccd"].prepare(folder).table
    assert Counter(table["lung"]) == {"benign": 12, "malignant": 12, "normal": 12}
    # The miniature numbers its patients' three slices in a row: the runs are the patients.
    patient = table["lung"] + ((table["number"] - 1) // 3).astype(str)
    assert table.groupby(patient)["group"].nunique().max() == 1
    assert table.groupby("group")["lung"].nunique().max() == 1
    assert table["group"].nunique() == patient.nunique() == 12


def test_iqothnccd_joins_over_a_gap_in_the_numbering_and_whatever_the_case(fake: Folder) -> None:
    folder = fake("iqothnccd")
    home = folder / "The IQ-OTHNCCD lung cancer dataset"
    (home / "Bengin cases" / "Bengin case (2).jpg").unlink()
    (home / "Bengin cases").rename(folder / "BENGIN CASES")
    table = ADAPTERS["iqothnccd"].prepare(folder).table.set_index("subject")
    assert table.loc["benign/1", "group"] == table.loc["benign/3", "group"] != table.loc["benign/4", "group"]


def test_real_iqothnccd_has_the_slices_of_its_folders_in_about_as_many_groups_as_patients(real: Folder) -> None:
    folder = real("iqothnccd")
    study = ADAPTERS["iqothnccd"].prepare(folder)
    files = [path for path in all_files(folder) if path.suffix == ".jpg"]
    names = {"Bengin cases": "benign", "Malignant cases": "malignant", "Normal cases": "normal"}
    assert Counter(study.table["lung"]) == Counter(names[path.parent.name] for path in files)
    # A patient may give several runs; far fewer groups than patients would mean that nothing can be told apart.
    patients = ADAPTERS["iqothnccd"].counts["patients"]
    assert patients / 2 < study.table["group"].nunique() < 2 * patients
    # Within a group the numbering has no other group in between.
    for _, part in study.table.groupby("lung"):
        ordered = part.sort_values("number")["group"]
        assert (ordered != ordered.shift()).sum() == ordered.nunique()
