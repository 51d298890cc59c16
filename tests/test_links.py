"""Links: what outputs mean, and outputs of several parts pooled into those of their mean answer."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
import torch
from torch import Tensor

from drifa.errors import DrifaError
from drifa.links import DEFAULT_LINK, LINKS

OUTPUTS = {"softmax": 4, "identity": 1, "gaussian": 2}
#: Of three parts, the rows that each counts in; every row has one.
MASKS = [None, torch.tensor([True, False, False, True, True]), torch.tensor([False, False, True, True, True])]


def parts(name: str, count: int = 3) -> list[Tensor]:
    generator = torch.Generator().manual_seed(count)
    return [2 * torch.randn(5, OUTPUTS[name], generator=generator) for _ in range(count)]


def test_every_link_is_known_by_its_name_and_examined_here() -> None:
    assert {name: link.name for name, link in LINKS.items()} == {name: name for name in OUTPUTS}
    assert DEFAULT_LINK in LINKS
    for name, count in OUTPUTS.items():
        LINKS[name].check("t", count)


@pytest.mark.parametrize("shape", [(), (5,), (3, 5)])
def test_answers_are_probabilities_values_and_moments_in_32_bit(shape: tuple[int, ...]) -> None:
    x = {name: torch.randn(*shape, count, dtype=torch.float16) for name, count in OUTPUTS.items()}
    answers = {name: LINKS[name].answer(value) for name, value in x.items()}
    assert all(answers[name].shape == x[name].shape and answers[name].dtype == torch.float32 for name in OUTPUTS)
    torch.testing.assert_close(answers["softmax"].sum(-1), torch.ones(shape))
    assert torch.equal(answers["identity"], x["identity"].float())
    assert torch.equal(answers["gaussian"][..., 0], x["gaussian"][..., 0].float())
    torch.testing.assert_close(answers["gaussian"][..., 1], x["gaussian"][..., 1].float().exp())


def test_a_variance_stays_finite_and_above_zero_whatever_the_output() -> None:
    outputs = torch.tensor([[0.0, 1000.0], [0.0, -1000.0]], requires_grad=True)
    variances = LINKS["gaussian"].answer(outputs)[:, 1]
    torch.testing.assert_close(variances.detach().log(), torch.tensor([10.0, -10.0]))
    variances.sum().backward()
    assert outputs.grad is not None
    assert outputs.grad.isfinite().all()


@pytest.mark.parametrize("name", LINKS)
def test_one_part_pooled_answers_as_it_does_alone(name: str) -> None:
    link, (part,) = LINKS[name], parts(name, 1)
    torch.testing.assert_close(link.answer(link.pool([part], [None])), link.answer(part))
    others = parts(name)
    pooled = link.answer(link.pool(others, MASKS))
    torch.testing.assert_close(pooled[1], link.answer(others[0])[1])  # the only part of the second row


@pytest.mark.parametrize("name", LINKS)
def test_the_pooled_answer_is_the_mean_over_the_parts_that_count(name: str) -> None:
    link, given = LINKS[name], parts(name)
    counted = torch.stack([torch.ones(5, dtype=torch.bool) if mask is None else mask for mask in MASKS])
    pooled = link.answer(link.pool(given, MASKS))
    for row in range(5):
        answers = torch.stack([link.answer(part)[row] for part, here in zip(given, counted, strict=True) if here[row]])
        expected = answers.mean(0)
        if name == "gaussian":
            expected[1] += answers[:, 0].var(correction=0)
        torch.testing.assert_close(pooled[row], expected)


@pytest.mark.parametrize("name", LINKS)
def test_the_order_of_the_parts_does_not_matter(name: str) -> None:
    link, given = LINKS[name], parts(name)
    expected = link.pool(given, MASKS)
    for order in permutations(range(3)):
        torch.testing.assert_close(link.pool([given[i] for i in order], [MASKS[i] for i in order]), expected)


@pytest.mark.parametrize("name", LINKS)
def test_nan_in_a_part_that_does_not_count_reaches_no_output_and_no_gradient(name: str) -> None:
    link, given = LINKS[name], parts(name)
    expected = link.pool(given, MASKS)
    leaves = []
    for part, mask in zip(given, MASKS, strict=True):
        poisoned = part.clone() if mask is None else part.masked_fill(~mask[:, None], torch.nan)
        leaves.append(poisoned.requires_grad_())
    pooled = link.pool(leaves, MASKS)
    assert torch.equal(pooled, expected)
    pooled.sum().backward()
    assert all(leaf.grad is not None and leaf.grad.isfinite().all() for leaf in leaves)


def test_the_pooled_gaussian_has_the_moments_of_the_mixture() -> None:
    generator = np.random.default_rng(0)
    means, deviations = np.array([-1.0, 0.5, 4.0]), np.array([0.5, 2.0, 1.0])
    draws = generator.normal(means, deviations, (400_000, 3)).ravel()  # equal shares of the three
    outputs = [torch.tensor([[mean, 2 * np.log(deviation)]]) for mean, deviation in zip(means, deviations, strict=True)]
    link = LINKS["gaussian"]
    mean, variance = link.answer(link.pool(outputs, [None] * 3))[0].tolist()
    assert mean == pytest.approx(means.mean())
    assert variance == pytest.approx((deviations**2).mean() + means.var())
    assert (mean, variance) == (pytest.approx(draws.mean(), abs=0.01), pytest.approx(draws.var(), rel=0.01))


@pytest.mark.parametrize(
    ("name", "count", "word"),
    [
        ("softmax", 1, "task 'age' has 1 outputs; at least 2"),
        ("softmax", "3", "has '3' outputs"),
        ("identity", 0, "task 'age' has 0 outputs; exactly 1"),
        ("identity", True, "has True outputs"),
        ("gaussian", 3, r"task 'age' has 3 outputs; exactly 2 \(mean and log-variance\) with the link 'gaussian'"),
    ],
)
def test_a_number_of_outputs_that_does_not_fit_is_refused(name: str, count: object, word: str) -> None:
    with pytest.raises(DrifaError, match=word):
        LINKS[name].check("age", count)
