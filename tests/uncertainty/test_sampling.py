"""Sampling: the same as a loop, whatever the batch; a row that is settled keeps the class of all passes."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import torch
from torch import nn

from drifa import create_model, create_segmentation_model
from drifa.errors import DrifaError
from drifa.networks.dropout import pass_keys, row_seeds
from drifa.networks.undisturbed import undisturbed
from drifa.uncertainty import sampling
from drifa.uncertainty.sampling import _Any, _Moments, sample
from drifa.uncertainty.summary import summarise
from tests.studies import TINY_NET


def classifier(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.Dropout2d(0.3),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(128, 16),
        nn.Dropout(0.4),
        nn.Linear(16, 4),
    )


def own_net(dropout: float = 0.3) -> nn.Module:
    torch.manual_seed(0)
    return create_model(
        modalities={"photo": 3, "scan": 1}, tasks={"grade": 3, "site": 2}, backbone_args=TINY_NET, dropout=dropout
    )


def mapper(seed: int = 0, classes: int = 4, volume: bool = False) -> nn.Module:
    torch.manual_seed(seed)
    conv, drop = (nn.Conv3d, nn.Dropout3d) if volume else (nn.Conv2d, nn.Dropout2d)
    return nn.Sequential(conv(3, 8, 3, padding=1), drop(0.3), nn.ReLU(), nn.Dropout(0.4), conv(8, classes, 1))


def segnet(output: str) -> nn.Module:
    torch.manual_seed(0)
    return create_segmentation_model("single", {"scan": 1}, {"tumour": 2}, width=1 / 32, output=output, dropout=0.3)


def test_a_network_of_the_package_is_sampled_as_by_its_own_engine_member_by_member() -> None:
    nets = [own_net(), own_net()]
    images = {"photo": torch.rand(4, 3, 32, 32), "scan": torch.rand(4, 1, 32, 32)}
    present = torch.tensor([[True, True], [True, False], [False, True], [True, True]])
    found = sample(nets, images, passes=3, present=present, names=list("abcd"))
    seeds = row_seeds(list("abcd"), 0)
    draws = []
    for turn in range(3):
        for number, net in enumerate(nets):
            keys = pass_keys(seeds + 0x51ED * number, turn)
            draws.append(net.eval()(net.to_input(images), present, keys)["grade"].double().softmax(1).detach().numpy())
    expected = summarise(np.stack(draws))
    assert set(found) == {"grade", "site"}
    for key in ("probabilities", "predictive_entropy", "mutual_information", "std"):
        np.testing.assert_allclose(getattr(found["grade"], key), getattr(expected, key), atol=1e-6)
    assert found["grade"].passes.tolist() == [6] * 4
    (alone,) = sample(nets, images, passes=3, present=present, names=list("abcd"), tasks=["site"]).values()
    np.testing.assert_array_equal(alone.probabilities, found["site"].probabilities)


def test_any_classifier_is_sampled_and_neither_batch_nor_order_matters() -> None:
    model, x, names = classifier().train(), torch.rand(6, 3, 4, 4), list("abcdef")
    whole = sample(model, x, passes=8, names=names)[""]
    assert int(model[1].num_batches_tracked) == 0
    order = [3, 1, 5]
    some = sample(model, x[order], passes=8, names=[names[row] for row in order])[""]
    np.testing.assert_allclose(some.probabilities, whole.probabilities[order], atol=1e-6)
    assert whole.std is not None
    assert (whole.std > 0).all()
    again = sample(model, x, passes=8, names=names, seed=1)[""]
    assert not np.allclose(again.probabilities, whole.probabilities)


def test_masks_drop_as_often_as_the_layer_says_and_keep_the_mean() -> None:
    model = nn.Sequential(nn.Dropout(0.4), nn.Flatten())
    x = torch.ones(1, 2)
    kept = []
    for row in range(400):
        logits = np.log(sample(model, x, passes=1, names=[str(row)])[""].probabilities[0])
        kept.append(logits[0] - logits[1])  # 0 where both or neither are kept, ± 1 / 0.6 where one is
    share = np.mean(np.abs(kept) > 1)
    assert abs(share - 2 * 0.4 * 0.6) < 4 * np.sqrt(0.25 / 400)


def test_the_measures_add_up_and_no_passes_mean_one_answer_without_dropout() -> None:
    model, x = classifier(), torch.rand(5, 3, 4, 4)
    found = sample(model, x, passes=10)[""]
    np.testing.assert_allclose(found.mutual_information, found.predictive_entropy - found.expected_entropy, atol=1e-9)
    ordered = np.sort(found.probabilities, axis=1)
    np.testing.assert_allclose(found.margin, ordered[:, -1] - ordered[:, -2])
    alone = sample(model, x, passes=0)[""]
    with torch.no_grad():
        np.testing.assert_allclose(alone.probabilities, model.eval()(x).softmax(1).numpy(), atol=1e-6)
    assert alone.mutual_information is alone.std is alone.variance is None  # one answer cannot disagree
    assert sample([model, classifier(1)], x, passes=0)[""].variance.min() > 0
    assert alone.passes.tolist() == [1] * 5


def test_settled_rows_keep_their_class_as_often_as_was_said() -> None:
    """Draws of known distributions, near a tie and far from it, asked in random order."""
    random, rounds, rows, level = np.random.default_rng(0), 20, 4000, 0.9
    size = random.choice([0.05, 0.5, 4], rows)
    lean = random.normal(0, 1.5, (rows, 1, 3)) * size[:, None, None]
    logits = lean + random.normal(0, 1, (rows, rounds, 3))
    p = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    tests, asked = _Moments((rows, 3), rounds), np.arange(rows)
    for turn in range(rounds):
        tests.add(asked, p[asked, turn])
        tests.end_turn(asked, 1)
        asked = asked[tests.open(asked, level)]
    found, whole = tests.summary(), p.mean(axis=1).argmax(axis=1)
    settled = found.passes < rounds
    assert 0.2 < settled.mean() < 0.98
    wrong = (found.predicted != whole)[settled]
    assert wrong.mean() <= 1 - level
    assert (found.predicted == whole)[~settled].all()
    assert found.passes[size == 4].mean() < 0.5 * rounds < found.passes[size == 0.05].mean()


def test_settling_saves_passes_and_says_how_many() -> None:
    model, x = classifier(), torch.rand(30, 3, 4, 4)
    model[-1].weight.data.mul_(8)  # a network that is sure
    whole, settled = sample(model, x, passes=20)[""], sample(model, x, passes=20, settle=0.99)[""]
    assert settled.passes.sum() < whole.passes.sum()
    assert settled.passes.min() >= 2
    early = settled.passes < 20
    assert (settled.predicted[early] == whole.predicted[early]).mean() >= 0.9
    np.testing.assert_allclose(settled.probabilities[~early], whole.probabilities[~early])


def each_draw(nets: list[nn.Module], x: torch.Tensor, turn: int) -> list[np.ndarray]:
    """Every network's probabilities in one pass."""
    seeds = row_seeds(["a", "b"], 0)
    asked = [(_Any(net, x, None), pass_keys(seeds + 0x51ED * number, turn)) for number, net in enumerate(nets)]
    with torch.inference_mode(), undisturbed(*nets):
        return [one.draw(torch.arange(2), keys)[""].double().softmax(1).numpy() for one, keys in asked]


@pytest.mark.parametrize("volume", [False, True])
def test_every_pixel_of_maps_is_what_the_draws_say_of_it_as_a_row(volume: bool) -> None:
    nets = [mapper(0, volume=volume), mapper(1, volume=volume)]
    x = torch.rand(2, 3, *(3, 4, 5)[not volume :])
    found = sample(nets, x, passes=3, names=["a", "b"])[""]
    draws = np.stack([one for turn in range(3) for one in each_draw(nets, x, turn)])
    expected = summarise(np.moveaxis(draws, 2, -1).reshape(6, -1, 4))
    assert found.probabilities.shape == (2, 4, *x.shape[2:])
    np.testing.assert_allclose(np.moveaxis(found.probabilities, 1, -1).reshape(-1, 4), expected.probabilities, atol=1e-9)
    for key in ("predictive_entropy", "mutual_information", "std"):
        assert getattr(found, key).shape == (2, *x.shape[2:])
        np.testing.assert_allclose(getattr(found, key).ravel(), getattr(expected, key), atol=1e-7)
    np.testing.assert_allclose(found.variance, draws.var(axis=0).sum(axis=1), atol=1e-9)
    np.testing.assert_allclose(found.expected_entropy, found.predictive_entropy - found.mutual_information, atol=1e-9)
    ordered = np.sort(found.probabilities, axis=1)
    np.testing.assert_allclose(found.margin, ordered[:, -1] - ordered[:, -2])
    np.testing.assert_array_equal(found.predicted, found.probabilities.argmax(axis=1))
    assert found.passes.tolist() == [6, 6]
    alone = sample(nets, x[1:], passes=3, names=["b"])[""]
    np.testing.assert_allclose(alone.probabilities, found.probabilities[1:], atol=1e-6)


def test_maps_take_the_memory_of_their_sums_however_many_the_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    x, one_map, own = torch.rand(1, 3, 128, 128), 4 * 128 * 128 * 8, sampling._probabilities
    monkeypatch.setattr(sampling, "_probabilities", lambda *given: own(*given).copy())  # memory of torch is not traced

    def peak(networks: int, passes: int) -> int:
        tracemalloc.start()
        try:
            sample([mapper(number) for number in range(networks)], x, passes=passes)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(1, 1)  # what is imported on the way
    assert peak(6, 4) - peak(1, 1) < one_map


def test_exclusive_classes_of_a_segmentation_network_are_sampled() -> None:
    net, x = segnet("classes"), torch.rand(2, 1, 32, 32)
    found = sample(net, {"scan": x}, passes=3)["tumour"]
    assert found.probabilities.shape == (2, 3, 32, 32)
    np.testing.assert_allclose(found.probabilities.sum(axis=1), 1, atol=1e-6)
    keys = torch.stack([pass_keys(row_seeds(["0", "1"], 0), turn) for turn in range(3)])
    with torch.inference_mode():
        expected = net.eval().sample({"scan": x}, None, keys)["tumour"].double().softmax(2).mean(0)
    np.testing.assert_allclose(found.probabilities, expected.numpy(), atol=1e-6)


class Functional(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(nn.functional.dropout(x, 0.5, self.training))


def test_every_part_keeps_its_mode_also_after_an_error() -> None:
    for net, good, bad in (
        (classifier(), torch.rand(3, 3, 4, 4), torch.full((3, 3, 4, 4), torch.nan)),
        (own_net(), {"photo": torch.rand(2, 3, 32, 32)}, {"photo": torch.full((2, 3, 32, 32), torch.nan)}),
    ):
        net.train()
        next(iter(net.children())).eval()
        modes = [part.training for part in net.modules()]
        sample(net, good, passes=2)
        assert [part.training for part in net.modules()] == modes
        with pytest.raises(DrifaError, match="not finite"):
            sample(net, bad, passes=2)
        assert [part.training for part in net.modules()] == modes


def test_dropout_that_is_called_as_a_function_is_not_called_none() -> None:
    with pytest.raises(DrifaError, match=r"no dropout module .* calls as a function"):
        sample(Functional(), torch.rand(3, 4))
    with pytest.raises(DrifaError, match="has no dropout, so"):
        sample(nn.Sequential(nn.Dropout(0), nn.Linear(4, 2)), torch.rand(3, 4))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: sample(nn.Linear(4, 2), torch.rand(3, 4)), "has no dropout"),
        (lambda: sample(own_net(0.0), {"photo": torch.rand(2, 3, 32, 32)}), "has no dropout"),
        (lambda: sample(nn.Sequential(nn.AlphaDropout(0.2), nn.Linear(4, 2)), torch.rand(3, 4)), "AlphaDropout"),
        (lambda: sample(classifier(), torch.rand(3, 3, 4, 4), passes=-1), "passes=-1"),
        (lambda: sample(classifier(), torch.rand(3, 3, 4, 4), settle=2), "settle=2"),
        (lambda: sample(own_net(), {"photo": torch.rand(2, 3, 32, 32)}, tasks=["grad"]), "did you mean 'grade'"),
        (lambda: sample([], torch.rand(3, 3, 4, 4)), "at least one"),
        (lambda: sample(classifier(), torch.rand(3, 3, 4, 4), names=["a"]), "1 names do not fit 3 rows"),
        (lambda: sample(classifier(), torch.full((3, 3, 4, 4), torch.nan)), "row 0 is not finite"),
        (lambda: sample(classifier(), {"x": torch.rand(3, 3, 4, 4)}), "one tensor"),
        (lambda: sample(nn.Sequential(nn.Dropout(0.2), nn.Flatten(2)), torch.rand(3, 3, 4, 4)), "no logits"),
        (lambda: sample(mapper(), torch.rand(3, 3, 4, 4), settle=0.9), "share their passes"),
        (lambda: sample(mapper(classes=1), torch.rand(3, 3, 4, 4)), "a single class, which is certain"),
        (lambda: sample(segnet("regions"), {"scan": torch.rand(1, 1, 32, 32)}), "FusionSegNet of output='regions'"),
        (lambda: sample(mapper(), torch.full((3, 3, 4, 4), torch.nan)), "row 0 is not finite"),
    ],
)
def test_what_cannot_be_sampled_is_refused(call: object, words: str) -> None:
    with pytest.raises(DrifaError, match=words):
        call()
