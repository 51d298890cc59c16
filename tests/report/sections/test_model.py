"""The model: what the run tells of its making and its price, in words, and nothing of what it does not tell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from drifa.files import write_json
from drifa.report.sections import model
from drifa.runs.files import read_run
from tests.report.other_runs import edit
from tests.report_page import report


def facts(run: Path) -> dict[str, str]:
    return dict(model.record(read_run(run))["facts"])


def tell(run: Path, **settings: Any) -> None:
    write_json(run / "members" / "0" / "config.json", {"model": settings})


def test_weights_passes_and_time_are_told(run: Path) -> None:
    edit(run / "model.json", lambda told: told.update(macs=1_234_500_000, pretrained=["photo: 60 tensors of weights.pt"]))
    told = facts(run)
    assert told["Weights"] == "53\u2009865\u2009668 per network, 2 networks"
    assert told["Started from"] == "photo: 60 tensors of weights.pt"
    assert told["One answer takes"].startswith("20 dropout passes of 2 networks; 1.23 billion multiply-accumulates per subject")
    assert told["Training took"] == "8 min 24 s over 16 epochs of 2 networks, on a CPU"  # 16 of 31.5 s
    page = report(run)
    for name, words in told.items():
        assert page.has("model", name)
        assert page.has("model", words)


def test_where_attention_stands_is_told_of_drifa_alone(run: Path) -> None:
    tell(run, mfa=True, mfa_at="conv", mifa=False, mifa_at=["layer1", "layer4"], dropout=0.2, dropout_at="head")
    assert facts(run)["Network"] == "resnet18, a branch per modality; fusion drifa; MFA at conv; no MIFA"
    assert facts(run)["Dropout"] == "20\u00a0% at head"
    tell(run, mfa=True, mfa_at="conv", mifa=True, mifa_at=["layer1", "layer4"], dropout=0)
    assert facts(run)["Network"].endswith("MFA at conv; MIFA at layer1, layer4")
    assert facts(run)["Dropout"] == "none"
    edit(run / "model.json", lambda told: told.update(fusion="concat"))
    assert facts(run)["Network"] == "resnet18, a branch per modality; fusion concat"


def test_a_network_that_read_no_weights_began_at_random(run: Path) -> None:
    edit(run / "model.json", lambda told: told.update(pretrained=[]))
    assert facts(run)["Started from"].startswith("random weights")


@pytest.mark.parametrize(
    ("kind", "reads", "answers"),
    [
        ("numbers", "channel", "(a number, years)"),
        ("volumes", "1 channel)", "regions)"),
    ],
)
def test_every_kind_of_task_is_named(kind: str, reads: str, answers: str, request: pytest.FixtureRequest) -> None:
    told = facts(request.getfixturevalue(kind))
    assert reads in told["Reads"]
    assert answers in told["Answers"]


def test_columns_of_a_table_are_no_channels(run: Path) -> None:
    edit(run / "model.json", lambda told: told["modalities"].update(clinic=7) or told.update(tabular={"clinic": {}}))
    assert facts(run)["Reads"].endswith("clinic (columns of the table); 128 × 128 pixels")


def test_a_run_that_tells_nothing_names_the_command(run: Path) -> None:
    for path in (*run.glob("members/*/*"), run / "model.json", run / "evaluation.json", run / "environment.json"):
        path.unlink(missing_ok=True)
    assert model.record(read_run(run)) == {"facts": []}
    assert report(run).has("model", "drifa train CONFIG --out RUN writes it")
