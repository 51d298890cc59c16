"""GLoRIA-style fusion: contexts are mixtures of regions, and the contrast knows true pairs alone."""

from __future__ import annotations

import math

import torch

from drifa import create_model
from drifa.fusion import FUSIONS
from drifa.fusion.gloria import _attend, _info_nce, _scores
from tests.fusion.parts import NAMES, maps, spec
from tests.studies import TINY_NET


def test_gloria_contexts_are_mixtures_of_regions() -> None:
    regions, words = torch.rand(2, 9, 4), torch.randn(2, 5, 4)
    context = _attend(regions, words)
    assert context.shape == words.shape
    assert (context <= regions.amax(dim=1, keepdim=True) + 1e-6).all()
    assert (context >= regions.amin(dim=1, keepdim=True) - 1e-6).all()


def test_the_contrastive_loss_is_low_for_true_pairs_alone() -> None:
    torch.manual_seed(0)
    vectors = 10 * torch.randn(4, 1, 8).expand(-1, 6, -1)
    true, wrong = _info_nce(_scores(vectors, vectors)), _info_nce(_scores(vectors, vectors.roll(1, 0)))
    assert true < 2 * math.log(4) < wrong


def test_contrast_takes_rows_with_both_modalities_only_and_is_off_by_default() -> None:
    torch.manual_seed(0)
    options = {"backbone_args": TINY_NET, "tasks": {"t": 3}, "modalities": NAMES, "fusion": "gloria", "dropout": 0.0}
    x = {name: torch.randn(5, 3, 40, 40) for name in NAMES}
    present = torch.tensor([[True, True]] * 3 + [[True, False], [False, True]])
    net = create_model(**options, fusion_args={"dim": 8, "beta": 2.0}).eval()
    whole = net.training_logits(x, present)[1]["contrastive"]
    part = net.training_logits({name: value[:3] for name, value in x.items()})[1]["contrastive"]
    torch.testing.assert_close(whole, part)
    assert whole > 0
    lonely = torch.tensor([[True, False], [False, True], [True, False], [False, True], [True, True]])
    assert net.training_logits(x, lonely)[1]["contrastive"] == 0
    assert create_model(**options, fusion_args={"dim": 8}).training_logits(x)[1] == {}


def test_for_segmentation_the_contrast_compares_modalities_that_have_not_seen_each_other() -> None:
    torch.manual_seed(0)
    fusion = FUSIONS["gloria"](spec(True), dim=8, beta=1.0).eval()
    stage = fusion.spec.token_stage
    x, y = maps(2, 8, 4)
    found = []
    for scale in (1.0, 5.0):
        with torch.no_grad():
            for layer in fusion.residual.values():
                layer.weight.mul_(scale)
            features = fusion.after_stage(stage, [x, y], None)
            found.append((fusion.bottleneck(features, None)[0], fusion.auxiliary_loss(features, None)["contrastive"]))
    assert not torch.equal(found[0][0], found[1][0])
    assert torch.equal(found[0][1], found[1][1])
