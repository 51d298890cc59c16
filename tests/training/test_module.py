"""The module that learns: its loss is that of the tasks, its figures are those of the epoch, and images move as they should."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from drifa.config import Config, DataConfig
from drifa.data.sampling.batch import Batch
from drifa.data.sampling.mixup import mixup
from drifa.networks.inputs import to_input
from drifa.tasks import Classes, Kind
from drifa.training.losses import multitask_loss
from drifa.training.module import MultitaskModule, augment_images, augment_slices
from tests.networks.tiny import PAPER, tiny
from tests.studies import tiny_config

KINDS: dict[str, Kind] = {task: Classes(tuple(map(str, range(count)))) for task, count in PAPER["tasks"].items()}
STILL = {"degrees": 0.0, "shift": 0.0, "flip": 0.0, "intensity": 0.0}


def batch_of(count: int, seed: int = 0) -> Batch:
    random = torch.Generator().manual_seed(seed)
    return Batch(
        images={
            name: torch.randint(0, 256, (count, channels, 32, 32), generator=random, dtype=torch.uint8)
            for name, channels in PAPER["modalities"].items()
        },
        present=torch.ones(count, 2, dtype=torch.bool),
        targets={task: torch.randint(0, classes, (count,), generator=random) for task, classes in PAPER["tasks"].items()},
        known=torch.rand(count, 2, generator=random) < 0.7,
    )


def part(batch: Batch, rows: slice) -> Batch:
    images, targets = ({name: value[rows] for name, value in each.items()} for each in (batch.images, batch.targets))
    return replace(batch, images=images, targets=targets, present=batch.present[rows], known=batch.known[rows])


def still_config() -> Config:
    config = tiny_config(Path("study"), task_weights={"cell": 2.0})
    for name, value in STILL.items():
        setattr(config.data, name, value)
    return config


def module_of(folder: Path) -> MultitaskModule:
    module = MultitaskModule(tiny(dropout=0.0), still_config(), 0, folder, KINDS)
    module.train_sums = {}
    return module


def validated(folder: Path, *batches: Batch) -> dict[str, float]:
    """The figures of validation of an epoch with these batches, of one process."""
    module = module_of(folder)
    module.val_sums = {}
    with torch.no_grad():
        for number, batch in enumerate(batches):
            module.validation_step(batch, number)
    module.train_sums = module.val_sums
    alone = SimpleNamespace(strategy=SimpleNamespace(reduce=lambda value, reduce_op: value))
    module._trainer = alone  # type: ignore[assignment]
    return {name: value for name, value in module.epoch_figures().items() if name.startswith("val_")}


@pytest.mark.filterwarnings("ignore:You are trying to `self.log")
def test_a_step_costs_the_weighted_losses_of_its_tasks(tmp_path: Path) -> None:
    module, batch = module_of(tmp_path), batch_of(6)
    module.eval()
    loss = module.training_step(batch, 0)
    outputs = module.net({name: to_input(image) for name, image in batch.images.items()}, batch.present)
    expected, parts = multitask_loss(KINDS, outputs, batch.targets, batch.known, {"skin_lesion": 0.5, "cell": 2.0})
    assert loss.item() == pytest.approx(expected.item(), rel=1e-4)
    assert loss.item() == pytest.approx(0.5 * parts["skin_lesion"].item() + 2 * parts["cell"].item(), rel=1e-4)
    loss.backward()
    assert any(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in module.parameters())


@pytest.mark.filterwarnings("ignore:You are trying to `self.log")
def test_a_mixed_step_learns_blends_and_its_figures_are_of_both_truths(tmp_path: Path) -> None:
    module, batch = module_of(tmp_path), replace(batch_of(6), seed=5)
    module.eval()
    plain = module.training_step(batch, 0).item()
    module.config.train.mixup, module.train_sums = 1.0, {}
    loss = module.training_step(batch, 0).item()
    assert loss == pytest.approx(module.training_step(batch, 0).item())
    assert loss != pytest.approx(plain, rel=1e-4)
    floats = replace(batch, images={name: to_input(image) for name, image in batch.images.items()})
    mixed, share = mixup(floats, torch.Generator().manual_seed(5), 1.0)
    outputs = module.net(mixed.images, mixed.present)
    expected, _ = multitask_loss(KINDS, outputs, mixed.targets, mixed.known, module.weights, share=share)
    assert loss == pytest.approx(expected.item(), rel=1e-4)
    for column, (task, kind) in enumerate(KINDS.items()):
        accuracy = kind.figures(module.train_sums[task])["accuracy"]
        known, twice = mixed.known[:, column], torch.cat([outputs[task], outputs[task]])
        hits = (twice.argmax(dim=1) == mixed.targets[task])[known]
        assert accuracy == pytest.approx(((hits * share[known]).sum() / share[known].sum()).item(), rel=1e-5)


def test_figures_do_not_depend_on_how_an_epoch_is_cut_into_batches(tmp_path: Path) -> None:
    whole = batch_of(10)
    once = validated(tmp_path, whole)
    cut = validated(tmp_path, part(whole, slice(0, 3)), part(whole, slice(3, 10)))
    assert once == pytest.approx(cut, rel=1e-4)
    assert once["val_loss"] == pytest.approx(0.5 * once["val_loss/skin_lesion"] + 2 * once["val_loss/cell"])


def test_accuracy_is_of_what_is_known_and_a_task_of_which_nothing_is_is_left_out(tmp_path: Path) -> None:
    batch = batch_of(10)
    net = module_of(tmp_path).net
    with torch.no_grad():
        outputs = net({name: to_input(image) for name, image in batch.images.items()}, batch.present)
    right = (outputs["cell"].argmax(dim=1) == batch.targets["cell"]) & batch.known[:, 1]
    found = validated(tmp_path, batch)
    assert found["val_accuracy/cell"] == pytest.approx(right.sum().item() / batch.known[:, 1].sum().item())
    known = batch.known.clone()
    known[:, 0] = False
    assert {name for name in validated(tmp_path, replace(batch, known=known)) if "skin_lesion" in name} == set()


def moved(augment: Any, batch: Batch, seed: int = 0, **data: float) -> Batch:
    return augment(batch, torch.Generator().manual_seed(seed), DataConfig(study="made", **{**STILL, **data}), {})


def test_images_that_stay_are_the_networks_input_and_features_are_left_alone() -> None:
    images = {"photo": batch_of(4).images["dermoscopy"], "record": torch.randn(4, 5, 1, 1)}
    batch = Batch(images=images, present=torch.ones(4, 2, dtype=torch.bool))
    still = moved(augment_images, batch)
    torch.testing.assert_close(still.images["photo"], to_input(images["photo"]))
    turned = moved(augment_images, batch, degrees=20.0, shift=3.0, flip=0.5, intensity=0.2)
    assert turned.images["record"].equal(images["record"])
    assert not turned.images["photo"].equal(still.images["photo"])
    # The same seed moves alike, another one does not.
    again, other = (moved(augment_images, batch, seed, degrees=20.0) for seed in (0, 1))
    assert again.images["photo"].equal(moved(augment_images, batch, degrees=20.0).images["photo"])
    assert not again.images["photo"].equal(other.images["photo"])


def test_a_modality_has_its_own_augmentation_and_normalisation() -> None:
    images = {name: torch.randint(256, (4, 3, 16, 16), dtype=torch.uint8) for name in ("mri", "photo")}
    batch = Batch(images=images, present=torch.ones(4, 2, dtype=torch.bool))
    own = {**STILL, "flip": 1.0, "augment": {"mri": {"flip": 0.0}}}
    centre = {"photo": ([0.2, 0.3, 0.4], [0.5, 0.5, 1.0])}
    data = DataConfig.model_validate({"study": "made", **own})
    found = augment_images(batch, torch.Generator().manual_seed(0), data, centre).images
    torch.testing.assert_close(found["mri"], to_input(images["mri"]))
    torch.testing.assert_close(found["photo"], to_input(images["photo"].flip(-1), *centre["photo"]))


def test_hue_changes_colour_images_alone() -> None:
    images = {"photo": batch_of(4).images["dermoscopy"], "scan": batch_of(4).images["dermoscopy"][:, :1]}
    batch = Batch(images=images, present=torch.ones(4, 2, dtype=torch.bool))
    found = moved(augment_images, batch, hue=0.2).images
    assert not torch.allclose(found["photo"], to_input(images["photo"]), atol=0.1)
    torch.testing.assert_close(found["photo"].amax(dim=1), to_input(images["photo"]).amax(dim=1))
    torch.testing.assert_close(found["scan"], to_input(images["scan"]))


def test_modalities_of_a_subject_move_apart_and_those_of_a_slice_together_with_its_regions() -> None:
    spot = torch.zeros(3, 1, 32, 32)
    spot[:, :, 8:14, 18:26] = 1.0
    same = {"a": spot, "b": spot}
    batch = Batch(images=same, present=torch.ones(3, 2, dtype=torch.bool), targets={"tumour": spot > 0})
    slices = moved(augment_slices, batch, degrees=20.0, shift=4.0)
    assert slices.images["a"].equal(slices.images["b"])
    assert not slices.images["a"].equal(spot)
    assert not moved(augment_slices, batch, 1, degrees=20.0, shift=4.0).images["a"].equal(slices.images["a"])
    assert ((slices.images["a"] >= 0.5) == slices.targets["tumour"]).all()
    pictures = replace(batch, images={name: (255 * spot).byte() for name in same}, targets={})
    apart = moved(augment_images, pictures, degrees=20.0, shift=4.0).images
    assert not apart["a"].equal(apart["b"])
