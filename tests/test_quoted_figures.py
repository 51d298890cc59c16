"""What the README quotes is what `results/` holds."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from drifa.metrics.intervals import seed_interval

ROOT = Path(__file__).parents[1]
INTERVAL = "95 % interval"
#: Words of a row of the README's table -> the networks and the task that it is of.
ROWS = {
    "skin lesion, HAM10000": ("cell_skin_lesion", "skin_lesion"),
    "cell, SIPaKMeD": ("cell_skin_lesion", "cell"),
    "brain MRI, Nickparvar": ("lung_tumour_type", "tumour_type"),
    "lung CT, IQ-OTH/NCCD": ("lung_tumour_type", "lung"),
}
#: Task and other fusion, where the interval of the difference does not hold 0; the texts say so.
APART = {
    *(("cell", other) for other in ("concat", "se_matched", "se_matched_paper")),
    *(("skin_lesion", other) for other in ("single", "se_matched_paper", "mttu_net")),
}
COLUMNS = [(fusion, metric) for metric in ("accuracy", "balanced_accuracy") for fusion in ("concat", "drifa")]


def told() -> dict[str, tuple[int, list[str]]]:
    """Row -> the test images and the cells that the README's table has of it."""
    text = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Measured")[2]
    rows = re.findall(r"^\| ([^|:]+): (\d+) \|(.+)\|$", text, re.MULTILINE)
    return {name: (int(images), [cell.strip() for cell in cells.split("|")]) for name, images, cells in rows}


def measured() -> dict[str, Any]:
    return json.loads((ROOT / "results/standard/results.json").read_text(encoding="utf-8"))


def words(each: list[dict[str, float]]) -> str:
    """Of several networks the mean with its t-interval, of a single one the value with its bootstrap interval."""
    value, interval = each[0]["value"], each[0]
    if len(each) > 1:
        interval = seed_interval([one["value"] for one in each])
        value = interval["mean"]
    return f"{100 * value:.1f} [{100 * interval['low']:.1f}, {100 * interval['high']:.1f}]"


def networks(pair: str, fusion: str) -> list[dict[str, Any]]:
    """The records of every seed."""
    return [record for name, record in measured().items() if name.startswith(f"{pair}/{fusion}-")]


def test_the_table_of_the_readme_is_that_of_the_results() -> None:
    rows = told()
    assert rows.keys() == ROWS.keys()
    for name, (pair, task) in ROWS.items():
        counts = networks(pair, "drifa")[0]["split"]["counts"]["test"][task].values()
        subjects = [own["subjects"] for own in counts]
        values = [words([one["test"][task][metric] for one in networks(pair, fusion)]) for fusion, metric in COLUMNS]
        assert rows[name] == (sum(subjects), [f"{100 * max(subjects) / sum(subjects):.1f}", *values]), name


def test_the_differences_of_the_table_are_quoted_as_measured() -> None:
    """Where they can be told from 0, the texts say so, and which way."""
    parts = re.split(r"^### (\w+):", (ROOT / "results/standard/README.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    apart = set()
    for task, text in zip(parts[1::2], parts[2::2], strict=True):
        differences = re.findall(r"`drifa` - `(\w+)` .*?: accuracy ([+-][\d.]+ \[([+-][\d.]+), ([+-][\d.]+)\])( \*)?;", text)
        others = {one["fusion"] for one in measured().values() if task in one["test"]} - {"drifa"}
        assert {other for other, *_ in differences} == others >= {"concat", "single"}
        apart |= {(task, other) for other, _, low, high, few in differences if not few and not float(low) <= 0 <= float(high)}
        for other, value, *_ in differences if task in ("skin_lesion", "cell") else ():
            assert value in _section("README.md", "Measured") or other not in ("concat", "single", "se_matched")
    assert apart == APART


def test_the_shares_on_the_lesion_are_those_of_the_results() -> None:
    results = json.loads((ROOT / "results/explain/places.json").read_text(encoding="utf-8"))["found"]
    text = (ROOT / "docs/explain.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(surface|depth)`, \w+ \| (HiResCAM|Grad-CAM) \|(.+)\|$", text, re.MULTILINE)
    assert len(rows) == 4
    keys = ("inside", "inside_shuffled", "inside_ideal", "near", "near_shuffled", "near_area")
    for task, method, cells in rows:
        ways, area = results[task]["ways"], results[task]["area"]
        found = ways[f"{method.lower().replace('-', '')} at layer2.0"]
        assert [cell.strip() for cell in cells.split("|")] == [
            f"{value:.3f}" for value in (area, *(found[key] for key in keys))
        ]

    for task, name, part, text in (
        ("surface", "network", "on", "a mesh on the lesion, have {} of their relevance on it"),
        ("surface", "ragged", "on", "They have {} of `ragged`"),
        ("surface", "ragged", "near", "an edge, and {} with a margin of one cell"),
        ("depth", "thin", "below", "and {} of such maps lies below it"),
        ("depth", "thin", "on", "has 0.394 there), {} on it"),
    ):
        assert text.format(f"{results[task]['classes'][name][part]:.3f}") in _plain("docs/explain.md")


def _points(difference: dict[str, float]) -> list[str]:
    return [f"{100 * difference[name]:.1f}" for name in ("value", "low", "high")]


def _record(name: str) -> dict[str, Any]:
    return json.loads((ROOT / "results/experiments" / f"{name}.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("data", ["nickparvar", "iqothnccd", "ham10000", "sipakmed"])
def test_what_a_leak_is_worth_is_quoted_as_measured(data: str) -> None:
    costs = _record(f"leakage_frozen_{data}")["costs"]
    (cost,) = (one for one in costs if (one["share"], one["metric"], one["on"]) == (1, "accuracy", "all"))
    value, low, high = _points(cost["difference"])
    section = _section("docs/results.md", "What a leak is worth")
    assert re.search(rf"{value} (points of accuracy )?on [\w/-]+ \[{low}, {high}\]", section)
    if data == "nickparvar":
        assert f"add {value} points of accuracy on brain MRI ({INTERVAL} {low} to {high})" in _plain("README.md")


def test_the_primary_comparisons_are_quoted_as_measured() -> None:
    quoted = {
        "metadata": "difference of {} points [{}, {}]",
        "drifa_plus_D1+D2": "cannot be told apart, {} [{}, +{}]",
        "drifa_plus_D3+D4": "+{} points [+{}, +{}]",
        "frozen_D3+D4": "+{} points of balanced accuracy [{}, +{}]",
    }
    for name, text in quoted.items():
        assert text.format(*_points(_primary(name))) in _plain("docs/results.md")
    value, low, high = _points(_primary("metadata"))
    assert f"add {value} points of balanced accuracy on HAM10000 ({INTERVAL} {low} to {high}" in _plain("README.md")


def test_the_standard_networks_are_quoted_as_measured() -> None:
    said = _plain("docs/results.md")
    found = {
        (fusion, task, metric): [one["test"][task][metric]["value"] for one in networks("cell_skin_lesion", fusion)]
        for fusion in ("drifa", "concat")
        for task in ("skin_lesion", "cell")
        for metric in ("accuracy", "balanced_accuracy")
    }
    assert {len(each) for each in found.values()} == {3}
    mean = {key: f"{100 * sum(each) / 3:.1f}" for key, each in found.items()}
    for fusion, text in (
        ("drifa", "hree `drifa` networks have {} % accuracy on HAM10000 and {} % on SIPaKMeD"),
        ("concat", "three `concat` networks {} % and {} %"),
    ):
        assert text.format(*(mean[fusion, task, "accuracy"] for task in ("skin_lesion", "cell"))) in said
    text = "three `drifa` networks have {} % on lesions and three `concat` networks {} %."
    assert text.format(*(mean[fusion, "skin_lesion", "balanced_accuracy"] for fusion in ("drifa", "concat"))) in said


def test_the_overview_of_the_standard_networks_is_that_of_the_results() -> None:
    tables = [
        [line for line in _part(file, title).splitlines() if line.startswith("|")]
        for file, title in (("results/standard/README.md", "Accuracy at a glance"), ("docs/results.md", "The standard recipe"))
    ]
    assert tables[0] == tables[1]
    fusions = {one["fusion"] for one in measured().values()}
    assert len(tables[0]) == len(fusions) + 2
    for row in tables[0][2:]:
        fusion, *cells = (cell.strip() for cell in row.strip("|").split("|"))
        for (pair, task), cell in zip(ROWS.values(), cells, strict=True):
            values = [one["test"][task]["accuracy"]["value"] for one in networks(pair, fusion.strip("`"))]
            assert re.split(r"[ ;]", cell)[0] == (f"{100 * sum(values) / len(values):.1f}" if values else "")


def test_the_network_from_scratch_is_quoted_as_measured() -> None:
    record = json.loads((ROOT / "results/scratch/results.json").read_text(encoding="utf-8"))
    lesions, cells = (record["test"][task] for task in ("skin_lesion", "cell"))
    values = [f"{100 * one['value']:.1f}" for one in (lesions["accuracy"], lesions["balanced_accuracy"], cells["accuracy"])]
    said = f"({record['image_size']} px, {record['epochs']} epochs, one seed, `results/scratch/README.md`), "
    said += "has {} % on HAM10000 ({} % balanced) and {} % on"
    assert said.format(*values) in _plain("docs/results.md")


def test_table_2_is_quoted_as_measured() -> None:
    parts = json.loads((ROOT / "results/reproduce/results.json").read_text(encoding="utf-8"))["frozen/table2"]["parts"]
    for part, said in (
        ("D1+D2", "is +{} points of balanced accuracy [{}, +{}] on the first"),
        ("D3+D4", "and +{} [{}, +{}] on the"),
    ):
        (primary,) = (one for one in parts[part]["contrasts"] if one["primary"])
        assert said.format(*_points(primary["difference"])) in _plain("docs/results.md")
        better = {
            (one["b"], *one["tasks"])
            for one in parts[part]["contrasts"]
            if (one["a"], one["metric"], one["found"]) == ("drifa", "accuracy", "b") and len(one["tasks"]) == 1
        }
        task = "cell" if part == "D1+D2" else "tumour_type"
        assert better == {("caf", task), ("se_matched", task)}


def _primary(name: str) -> dict[str, float]:
    (primary,) = (one for one in _record(name)["comparison"]["contrasts"] if one["primary"])
    difference: dict[str, float] = primary["difference"]
    return difference


def _plain(file: str) -> str:
    return " ".join((ROOT / file).read_text(encoding="utf-8").split())


def _part(file: str, title: str) -> str:
    return (ROOT / file).read_text(encoding="utf-8").partition(f"## {title}\n")[2].partition("\n## ")[0]


def _section(file: str, title: str) -> str:
    return " ".join(_part(file, title).split())


def test_strangers_are_quoted_as_measured() -> None:
    runs = json.loads((ROOT / "results/trust/results.json").read_text(encoding="utf-8"))["runs"]
    kinds = {
        (own, other): row for one in runs.values() for own, check in one.items() for other, row in check["strangers"].items()
    }
    sets = {pair: row for pair, row in kinds.items() if pair[1] in ("ham10000", "sipakmed", "nickparvar", "iqothnccd")}
    hardest = ("pap_smear", "ham10000")
    assert min(sets, key=lambda pair: sets[pair]["auroc"]) == hardest
    said = _plain("docs/trust.md")
    assert f"an AUROC of at least {sets[hardest]['auroc']:.3f}" in said
    assert f"of which {100 * sets[hardest]['caught']:.0f} % are caught; of all others at least 99 %" in said
    assert min(row["caught"] for pair, row in sets.items() if pair != hardest) >= 0.99
    assert f"Of inverted pap smears {100 * kinds['pap_smear', 'inverted']['caught']:.0f} % are caught" in said
    assert all(kinds[own, change]["caught"] == 1 for own, _ in kinds for change in ("blank", "noise"))


def test_hidden_classes_are_quoted_as_measured() -> None:
    sets = json.loads((ROOT / "results/trust/hidden.json").read_text(encoding="utf-8"))["datasets"]
    said = _plain("docs/trust.md")
    assert "of melanomas, gliomas and benign lung scans 2 % or fewer are caught" in said
    few = (sets["ham10000"]["mel"], sets["nickparvar"]["glioma"], sets["iqothnccd"]["benign"])
    assert max(round(100 * row["caught"]) for row in few) <= 2
    most = max((row["caught"], name) for own in sets.values() for name, row in own.items())
    assert most[1] == "notumor"
    assert f"the most is {100 * most[0]:.0f} %, of scans without a tumour" in said


@pytest.mark.parametrize("name", ["training_frozen", "training_standard"])
def test_what_habits_in_training_add_is_quoted_as_measured(name: str) -> None:
    told = json.loads((ROOT / f"results/authors/{name}.json").read_text(encoding="utf-8"))
    added = {(one["arm"], one["task"], one["metric"]): one["difference"] for one in told["added"]}
    quoted = [("siblings", task, metric) for task in ("skin_lesion", "cell") for metric in ("accuracy", "balanced_accuracy")]
    for said in (_plain("docs/results.md"), _plain("results/authors/README.md")):
        copies = [("copies", task, "accuracy") for task in ("skin_lesion", "cell")]
        if name == "training_standard":  # told as no difference at all
            assert all(added[key]["low"] == added[key]["high"] == 0 for key in copies)
            copies = []
        for key in (*quoted, *copies):
            value, low, high = (re.escape(f"{round(100 * added[key][name], 1) + 0.0:.1f}") for name in ("value", "low", "high"))
            assert re.search(rf"(?<![\d.]){value}(?: of [a-z ]+| points of [a-z ]+)? \[{low}, {high}\]", said), key
        assert re.search(rf"\b{told['subjects']['test']} (?:test images|are tested)", said)


def test_rivals_are_quoted_as_measured() -> None:
    pair = [one["test"] for rival in ("gloria", "mttu_net", "caf", "mtf_ma") for one in networks("cell_skin_lesion", rival)]
    assert len(pair) == 4
    ends = [
        f"{100 * end(own[task]['accuracy']['value'] for own in pair):.1f}"
        for task in ("skin_lesion", "cell")
        for end in (min, max)
    ]
    assert "have {} to {} % on lesions and {} to {} % on cells".format(*ends) in _section("README.md", "Measured")
