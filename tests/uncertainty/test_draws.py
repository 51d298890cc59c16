"""Draws of a network: partners in turn, dropout that belongs to a row, and nothing that depends on batches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor

from drifa.networks.dropout import row_seeds
from drifa.networks.inputs import to_input
from drifa.uncertainty.draws import Draws, draw
from drifa.uncertainty.views import make_views
from tests.networks.tiny import PAPER, tiny

COUNT, PARTNERS, PASSES = 5, 3, 7


@dataclass(frozen=True)
class Shown:
    images: dict[str, Tensor]
    present: Tensor


class Bank:
    """Ten bytes images of each modality; a sample names one of each."""

    def __init__(self) -> None:
        random = torch.Generator().manual_seed(0)
        self.images = {
            name: torch.randint(0, 256, (10, channels, 32, 32), generator=random, dtype=torch.uint8)
            for name, channels in PAPER["modalities"].items()
        }

    def __call__(self, samples: np.ndarray) -> Shown:
        shown = {name: images[samples[:, column]] for column, (name, images) in enumerate(self.images.items())}
        return Shown(shown, torch.ones(len(samples), 2, dtype=torch.bool))


SAMPLES = np.random.default_rng(0).integers(0, 10, (COUNT, PARTNERS, 2))
SEEDS = row_seeds([f"s{number}" for number in range(COUNT)], 0)


def drawn(net, samples: np.ndarray = SAMPLES, seeds: Tensor = SEEDS, passes: int = PASSES, batch: int = 2) -> dict[str, Draws]:
    return draw([net], Bank(), samples, seeds, passes, batch)[0]


def test_without_dropout_pass_t_is_the_answer_with_partner_t_modulo_k() -> None:
    for draws in drawn(tiny(dropout=0.0)).values():
        assert draws.mc.shape[:2] == (PASSES, COUNT)
        for turn in range(PASSES):
            np.testing.assert_allclose(draws.mc[turn], draws.deterministic[turn % PARTNERS], atol=1e-5)


def test_the_deterministic_answer_is_the_softmax_of_the_network() -> None:
    net = tiny().train()
    found = drawn(net)
    assert not net.training
    shown = Bank()(SAMPLES[:, 1])
    with torch.no_grad():
        logits = net({name: to_input(image) for name, image in shown.images.items()}, shown.present)
    for task, draws in found.items():
        assert draws.deterministic.shape == (PARTNERS, COUNT, PAPER["tasks"][task])
        np.testing.assert_allclose(draws.deterministic[1], logits[task].softmax(dim=1).numpy(), atol=1e-5)
        np.testing.assert_allclose(draws.mc.sum(axis=2), 1, atol=1e-5)


@pytest.mark.parametrize("batch", [1, 5])
def test_neither_batches_nor_the_order_of_rows_change_an_answer(batch: int) -> None:
    net, order = tiny(dropout=0.3), np.array([3, 0, 4, 2, 1])
    first, again = drawn(net), drawn(net, SAMPLES[order], SEEDS[order], batch=batch)
    for task, draws in first.items():
        np.testing.assert_allclose(draws.mc[:, order], again[task].mc, atol=1e-5)
        np.testing.assert_allclose(draws.deterministic[:, order], again[task].deterministic, atol=1e-5)


def test_passes_differ_under_dropout_and_belong_to_the_seed_of_the_row() -> None:
    net = tiny(dropout=0.3)
    first, other = drawn(net), drawn(net, seeds=SEEDS.flip(0))
    for task, draws in first.items():
        assert np.abs(draws.mc[0] - draws.mc[PARTNERS]).max() > 1e-4  # one partner, two passes
        assert np.abs(draws.mc[:, 0] - other[task].mc[:, 0]).max() > 1e-4
        middle = COUNT // 2  # its seed stayed
        np.testing.assert_allclose(draws.mc[:, middle], other[task].mc[:, middle], atol=1e-5)


def test_no_passes_are_no_draws_and_progress_counts_targets() -> None:
    done: list[int] = []
    found = draw([tiny()], Bank(), SAMPLES, SEEDS, 0, 2, done.append)[0]
    assert done == [2, 2, 1]
    for task, draws in found.items():
        assert draws.mc.shape == (0, COUNT, PAPER["tasks"][task])


def test_with_views_an_image_and_its_mirror_image_have_one_answer_and_passes_take_the_views_in_turn() -> None:
    net, views = tiny(dropout=0.0), make_views(["flip"])
    bank = Bank()

    def mirrored(samples: np.ndarray) -> Shown:
        shown = bank(samples)
        return Shown({name: image.flip(-1) for name, image in shown.images.items()}, shown.present)

    plain = drawn(net)
    found, again = (draw([net], fetch, SAMPLES, SEEDS, PASSES, 2, views=views)[0] for fetch in (bank, mirrored))
    for task, draws in found.items():
        np.testing.assert_allclose(draws.deterministic, again[task].deterministic, atol=1e-5)
        np.testing.assert_allclose(draws.mc[0], plain[task].deterministic[0], atol=1e-5)
        both = (draws.mc[1] + draws.mc[1 + PARTNERS]) / 2  # partner 1, as it is and mirrored
        np.testing.assert_allclose(both, draws.deterministic[1], atol=1e-5)
        assert np.abs(draws.mc[1] - draws.mc[1 + PARTNERS]).max() > 1e-4
