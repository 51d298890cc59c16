"""CAFNet-style fusion: combined answers, deep supervision, co-attention."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from drifa import DrifaError, create_model
from drifa.fusion import FUSIONS
from drifa.fusion.caf import CombinedHead
from drifa.links import LINKS
from tests.fusion.parts import NAMES, spec
from tests.studies import TINY_NET


def test_the_combined_prediction_is_the_mean_of_the_answers_that_are_there() -> None:
    head = CombinedHead(4, 2, [0, 1], 3, LINKS["softmax"])
    vector = torch.randn(5, 14)
    vector[:, 12:] = torch.tensor([[1.0, 1.0], [1, 0], [0, 1], [1, 1], [0, 0]])
    hyper, branches, _ = head.parts(vector)
    answers = [logits.softmax(1) for logits in (hyper, *branches)]
    probabilities = head(vector).exp()
    torch.testing.assert_close(probabilities.sum(1), torch.ones(5))
    torch.testing.assert_close(probabilities[0], sum(answer[0] for answer in answers) / 3)
    torch.testing.assert_close(probabilities[1], (answers[0][1] + answers[1][1]) / 2)
    torch.testing.assert_close(probabilities[4], answers[0][4])


def test_deep_supervision_reaches_a_branch_only_through_rows_that_have_it() -> None:
    torch.manual_seed(0)
    net = create_model(fusion="caf", modalities=NAMES, tasks={"t": 3}, task_modalities={"t": ["a"]}, backbone_args=TINY_NET)
    x = {name: torch.randn(4, 3, 40, 40) for name in NAMES}
    present = torch.tensor([[True, True], [False, True], [True, True], [True, False]])
    own = net.training_logits(x, present)[0]["t"][1]
    assert (own[1] == 0).all()
    assert (own[[0, 2, 3]] != 0).any(dim=1).all()
    F.cross_entropy(own, torch.tensor([0, 1, 2, 0])).backward()
    assert net.branches["a"].stages[0][0].weight.grad.abs().sum() > 0


def test_co_attention_starts_as_the_identity_and_large_maps_are_pooled() -> None:
    fusion = FUSIONS["caf"](spec(True))
    x = [torch.randn(2, 4, 40, 40), torch.randn(2, 4, 40, 40)]
    block = fusion.attention["0"]
    assert all(torch.equal(before, after) for before, after in zip(x, block(x, None), strict=True))
    torch.nn.init.ones_(block.gamma["a"])
    assert block(x, None)[0].shape == x[0].shape
    assert not torch.equal(block(x, None)[0], x[0])


def test_the_combined_moments_are_those_of_the_mixture_of_the_sources_that_are_there() -> None:
    link = LINKS["gaussian"]
    head = CombinedHead(4, 2, [0, 1], 2, link)
    vector = torch.randn(4, 14)
    vector[:, 12:] = torch.tensor([[1.0, 1.0], [1, 0], [0, 1], [0, 0]])
    hyper, branches, _ = head.parts(vector)
    answers = [link.answer(outputs) for outputs in (hyper, *branches)]
    found = link.answer(head(vector))
    for row, sources in enumerate([(0, 1, 2), (0, 1), (0, 2), (0,)]):
        means, variances = torch.stack([answers[i][row] for i in sources]).unbind(1)
        expected = torch.stack([means.mean(), variances.mean() + means.var(correction=0)])
        torch.testing.assert_close(found[row], expected)


def test_maps_of_different_sizes_are_refused_with_their_sizes() -> None:
    net = create_model(fusion="caf", modalities=NAMES, tasks={"t": 3}, backbone_args=TINY_NET)
    with pytest.raises(DrifaError, match="one size in all modalities; its maps are 10x10, 16x16"):
        net({"a": torch.randn(2, 3, 40, 40), "b": torch.randn(2, 3, 64, 64)})
