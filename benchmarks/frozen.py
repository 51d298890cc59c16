"""An epoch of a network on the cached maps of a frozen encoder against an epoch that trains the same network end to end.

Both see the same batches, alternately in one process; reading them, the optimiser's step and the loss included.

python benchmarks/frozen.py --weights tf_efficientnet_lite0.safetensors
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import torch

from drifa.config import Config, load_config, make_config
from drifa.data import Study, make_phantom, split
from drifa.data.sampling.batch import Batch
from drifa.runs.run import build_cache
from drifa.tasks import learn_kinds
from drifa.training.job import build_network, make_loaders
from drifa.training.losses import multitask_loss, task_weights
from drifa.training.optim import make_optimizer


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", default="configs/frozen/ham10000_sipakmed.yaml")
    parser.add_argument("--weights", required=True, help="file for the backbone of the config")
    parser.add_argument("--subjects", type=int, default=240)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        raw = load_config(options.config).model_dump(mode="json")
        raw["data"] |= {"study": f"{folder}/study", "protocol": "strict"}
        raw["model"] |= {"pretrained": options.weights, "freeze": True}
        raw["train"] |= {"accelerator": "cpu", "threads": 1, "task_weights": {}}
        torch.set_num_threads(1)
        size = raw["data"]["image_size"]
        make_phantom(f"{folder}/study", subjects=options.subjects, image_size=size, paired=False)
        study = split(Study.load(f"{folder}/study"))[0]
        end_to_end = {**raw, "model": {**raw["model"], "freeze": False}}
        epochs = {
            "frozen": Epoch(make_config(raw), study, Path(folder)),
            "end to end": Epoch(make_config(end_to_end), study, Path(folder)),
        }
        seconds: dict[str, list[float]] = {name: [] for name in epochs}
        for _ in range(options.rounds + 1):
            for name, epoch in epochs.items():
                seconds[name].append(epoch.run())
    print(f"cpu, 1 thread, torch {torch.__version__}, {size} px, {epochs['frozen'].samples} samples per epoch")
    for name, values in seconds.items():
        print(f"{name}: median {statistics.median(values[1:]):.3f} CPU s per epoch")
    print(f"maps computed once: {epochs['frozen'].building:.1f} CPU s")
    ratios = [b / a for a, b in zip(seconds["frozen"][1:], seconds["end to end"][1:], strict=True)]
    print(f"end to end / frozen = {statistics.median(ratios):.1f} ({min(ratios):.1f}-{max(ratios):.1f})")


class Epoch:
    """One network, its batches and its optimiser; every call of ``run`` is the same epoch."""

    current_epoch = 0

    def __init__(self, config: Config, study: Study, folder: Path) -> None:
        self.kinds = learn_kinds(study, config)
        self.net = build_network(config, study, self.kinds).train()
        start = time.process_time()
        source = build_cache(config, folder / "cache", study, nets=[self.net])
        self.building = time.process_time() - start
        self.training, _ = make_loaders(config, study, source, self, seed=0)
        self.weights = task_weights(self.kinds, config.train.task_weights)
        self.optimizer = make_optimizer(self.net, config.train)
        self.samples = len(list(self.training)) * config.train.batch_size

    def run(self) -> float:
        """CPU seconds, which other work on the machine does not change much."""
        start = time.process_time()
        for batch in self.training:
            self._step(batch)
        return time.process_time() - start

    def _step(self, batch: Batch) -> None:
        self.optimizer.zero_grad()
        outputs, auxiliary = self.net.training_logits(self.net.to_input(batch.images), batch.present)
        loss, _ = multitask_loss(self.kinds, outputs, batch.targets, batch.known, self.weights, self.net.fusion.combine, None)
        (loss + sum(auxiliary.values())).backward()
        self.optimizer.step()


if __name__ == "__main__":
    main()
