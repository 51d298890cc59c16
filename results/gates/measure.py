"""Whether DRIFA's gates do anything in trained networks, and what their weights have become.

python results/gates/measure.py NAME=RUN...
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

import torch

from drifa.attention import MFA, MIFA
from drifa.explain.asked import batch_of, on_device, thinned
from drifa.explain.gates import MOVES, gates
from drifa.prediction.predictor import Predictor
from drifa.runs.run import Run

HERE, SAMPLES = Path(__file__).parent, 300


def measured(folder: str) -> dict[str, Any]:
    """Gates and weights of the first member, over test images without partners."""
    predictor = Predictor(Run.open(folder), "cpu")
    study, net = predictor.run.study(), predictor.nets[0]
    subjects, source = study.subjects(), predictor.run.cache(study)
    rows = thinned(subjects.in_split("test"), SAMPLES)
    batches = (on_device(predictor, batch_of(subjects, source, rows[at : at + 50])) for at in range(0, len(rows), 50))
    found = gates(net, batches)
    weights: dict[str, dict[str, list[float]]] = {}
    for module in net.modules():
        if isinstance(module, MFA | MIFA):
            own = weights.setdefault(type(module).__name__, {})
            for name in ("omega_d", "omega_l", "omega_c"):
                value = getattr(module, name)
                if value is not None:
                    own.setdefault(name, []).append(float(value.detach().mean()))
    config = predictor.run.config.model_dump(mode="json", include={"model": True, "train": {"recipe", "epochs", "seed"}})
    config["model"]["pretrained"] = Path(str(config["model"]["pretrained"])).name
    return {
        "config": config,
        "samples": len(rows),
        "gates": [asdict(gate) for gate in found],
        "weights": {kind: {name: [min(each), max(each)] for name, each in own.items()} for kind, own in weights.items()},
    }


def summary(results: dict[str, Any]) -> str:
    """One row for each network and kind of gate."""
    lines = [
        "| network | gate | blocks × modalities | mean | spread over images | across channels | moves |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, own in results.items():
        for kind in ("mfa", "mifa", "plus"):
            some = [gate for gate in own["gates"] if gate["kind"] == kind]
            if some:
                low = {key: min(gate[key] for gate in some) for key in ("mean", "spread", "across")}
                high = {key: max(gate[key] for gate in some) for key in low}
                spans = " | ".join(f"{low[key]:.3f} to {high[key]:.3f}" for key in low)
                moving = sum(gate["spread"] >= MOVES for gate in some)
                lines.append(f"| {name} | {kind.upper()} | {len(some)} | {spans} | {moving} of {len(some)} |")
    return "\n".join(lines)


def main() -> None:
    path = HERE / "results.json"
    results = json.loads(path.read_text()) if path.is_file() else {}
    for word in sys.argv[1:]:
        name, _, folder = word.partition("=")
        results[name] = {"date": date.today().isoformat(), "torch": torch.__version__, **measured(folder)}
    path.write_text(json.dumps(results, indent=1) + "\n")
    (HERE / "README.md").write_text((HERE / "words.md").read_text().replace("TABLE", summary(results)))


if __name__ == "__main__":
    main()
