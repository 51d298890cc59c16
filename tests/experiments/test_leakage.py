"""Both networks are judged on the same cases, and a further share goes on with what is there."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from drifa.errors import DrifaError
from drifa.experiments.leakage import leakage_cost
from drifa.experiments.telling import least_p
from drifa.files import read_json
from tests.studies import siblings, tiny_config


def test_networks_are_judged_on_the_same_cases_and_a_further_share_goes_on(tmp_path: Path) -> None:
    study, out, config = tmp_path / "study", tmp_path / "out", tmp_path / "tiny.yaml"
    siblings(study)
    told = tiny_config(study, epochs=1).model_dump(mode="json", exclude_unset=True)
    told["data"]["fractions"] = [0.7, 0.1, 0.2]
    config.write_text(yaml.safe_dump(told))
    found, outcomes = leakage_cost(study, config, [1.0], out, [0], quiet=True)
    assert [outcome.state for outcome in outcomes] == ["done", "done"]
    assert {one.on for one in found} == {"all", "exposed"}
    text = (out / "leakage.md").read_text()
    assert ("A star" in text) == any(one.groups < 6 for one in found)
    assert all((one.difference["p"] or 0) >= least_p(one.groups) for one in found if one.difference["p"] is not None)
    # All test subjects have siblings here, so that the exposed are all.
    by_place = {(one.task, one.metric, one.on): one for one in found}
    for (task, metric, _), one in by_place.items():
        assert one.difference == by_place[task, metric, "all"].difference
    assert (read_json(out / "leakage.json") or {})["sizes"]["siblings, share 1"] > 0
    assert "| 1 | depth | accuracy |" in (out / "leakage.md").read_text()

    table = (out / "study" / "study.csv").read_bytes()
    with pytest.raises(DrifaError, match="other settings"):
        leakage_cost(study, config, [0.5], out, [0], ["train.lr=0.5"], quiet=True)
    assert (out / "study" / "study.csv").read_bytes() == table  # nothing of the refused share stays
    more, outcomes = leakage_cost(study, config, [0.5], out, [0], quiet=True)
    assert [outcome.name for outcome in outcomes] == ["share-0.5-s0"]
    assert [one for one in more if one.share == 1] == found
    assert {one.share for one in more} == {0.5, 1.0}
