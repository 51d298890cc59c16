"""The phantom knows where its signs are: maps of a trained network lie on them, and shares go to the modality that has them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from drifa.config import make_config
from drifa.data import make_phantom
from drifa.data.adapters.phantom import SURFACE
from drifa.data.adapters.phantom_images import LESION
from drifa.demo import SUBJECTS, demo_config
from drifa.evaluation.evaluate import evaluate
from drifa.explain.asked import batch_of, on_device, thinned
from drifa.explain.cam import cells, relevance
from drifa.explain.shapley import of_nothing, shares
from drifa.explain.trust import grown, share_inside, shuffled
from drifa.prediction.predictor import Predictor
from drifa.training.train import train

pytestmark = pytest.mark.slow

OWN = {"surface": "photo", "depth": "ultrasound"}
Asked = tuple[dict[str, Tensor], Tensor, np.ndarray]


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    """A network that has learned the phantom, beside the masks of its images."""
    folder = tmp_path_factory.mktemp("truth")
    make_phantom(folder / "study", SUBJECTS, masks=True)
    raw = demo_config(folder / "study").model_dump()
    raw["data"] |= {"image_size": 64, "degrees": 5.0}
    raw["model"]["dropout"] = 0.0
    raw["train"] |= {"members": 1, "epochs": 8, "optimizer": "adamw", "schedule": "cosine"}
    train(make_config(raw), folder / "run", quiet=True)
    found = evaluate(folder / "run")[1]
    assert all(found[task]["deterministic"]["accuracy"]["value"] >= 0.95 for task in OWN), found
    return Predictor.open(folder / "run")


@pytest.fixture(scope="module")
def asked(predictor: Predictor) -> Asked:
    """Images and presence of test cases, and which subjects they are."""
    study = predictor.run.study()
    subjects = study.subjects()
    rows = thinned(subjects.in_split("test"), 32)
    return *on_device(predictor, batch_of(subjects, predictor.run.cache(study, None), rows)), rows


def _lesions(predictor: Predictor, rows: np.ndarray, modality: str) -> Tensor:
    study = predictor.run.study()
    files = [study.root / "masks" / modality / f"{name}.png" for name in study.subjects().ids[rows]]
    return torch.from_numpy(np.stack([np.asarray(Image.open(file)) == LESION for file in files]))


@pytest.mark.parametrize("task", list(OWN))
def test_maps_lie_on_the_lesion(predictor: Predictor, asked: Asked, task: str) -> None:
    images, present, rows = asked
    truth = torch.from_numpy(predictor.run.study().subjects().targets[task][rows]).to(predictor.device)
    net, modality = predictor.nets[0], OWN[task]
    lesion = _lesions(predictor, rows, modality)
    grid = cells(net, images, present)[modality]
    assert grid == (8, 8)  # the usual layer, of images of 64 pixels; the 2 x 2 cells of the last hold no places
    wide, area = grown(lesion, grid), float(lesion.float().mean())
    own, *others = (
        relevance(one, images, present, task, truth)[modality].cpu()
        for one in (net, *(shuffled(net, seed) for seed in range(3)))
    )
    means = relevance(net, images, present, task, truth, method="gradcam")[modality].cpu()
    inside, by_chance = _mean(own, lesion), np.mean([_mean(maps, lesion) for maps in others])
    told = (inside, by_chance, area, _mean(means, lesion))
    assert inside >= 2.5 * area, told
    assert inside >= 2 * by_chance, told
    assert by_chance <= 0.35, told
    assert inside > _mean(means, lesion), told
    assert _mean(own, wide) > 1.5 * float(wide.float().mean()), told
    if task == "surface":  # the sign of this class fills the lesion; of others it is the edge, or what is beyond it
        mesh = truth.cpu() == list(SURFACE).index("network")
        assert _mean(own[mesh], lesion[mesh]) >= 0.7, told


def _mean(maps: Tensor, mask: Tensor) -> float:
    return float(share_inside(maps, mask).nanmean())


def test_shares_go_to_the_modality_that_has_the_sign(predictor: Predictor, asked: Asked) -> None:
    images, present, rows = asked
    subjects = predictor.run.study().subjects()
    train_rows = subjects.in_split("train")
    none = {
        task: of_nothing(kind, subjects.targets[task][train_rows], subjects.known_of(task)[train_rows])
        for task, kind in predictor.subject_kinds.items()
    }
    part = {}
    for task, found in shares(predictor, images, present, none).items():
        truth = subjects.targets[task][rows]
        every = np.arange(len(rows))
        added, all_minus_none = found.values[every, :, truth], found.everything[every, truth] - found.none[truth]
        np.testing.assert_allclose(added.sum(axis=1), all_minus_none, rtol=0, atol=1e-6)
        part[task] = dict(zip(found.modalities, added.mean(axis=0) / all_minus_none.mean(), strict=True))
    assert part["surface"]["photo"] >= 0.9, part
    assert part["depth"]["ultrasound"] >= 0.9, part
    assert min(part["spread"].values()) >= 0.3, part
