"""What is called a chain runs its parts in order and does nothing else."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from drifa.backbones.chains import chain, holds_list, is_list


class _Level(nn.Module):
    """Parts that are declared in another order than they are run in."""

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Conv2d(4, 2, 1)
        self.first = nn.Conv2d(3, 4, 1)
        self.unused = nn.Conv2d(1, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.first(x))


class _Residual(_Level):
    def forward(self, x: Tensor) -> Tensor:
        return x + self.first(x)


class _Looking(_Level):
    def forward(self, x: Tensor) -> Tensor:
        return self.first(x) if x.sum() > 0 else self.last(x)


class _Scaled(_Level):
    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.first(x)) * 2


class _Again(_Level):
    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.last(self.first(x)))


class _Branching(_Level):
    def forward(self, x: Tensor) -> Tensor:
        y = self.first(x)
        return self.last(y) + y.mean()


class _Nothing(_Level):
    def forward(self, x: Tensor) -> Tensor:
        return x


def test_parts_come_in_the_order_of_their_calls_and_make_up_the_level() -> None:
    level, x = _Level(), torch.randn(1, 3, 2, 2)
    parts = chain(level)
    assert parts is not None
    assert [name for name, _ in parts] == ["first", "last"]
    assert torch.equal(nn.Sequential(*[part for _, part in parts])(x), level(x))


def test_another_method_is_read_on_request() -> None:
    class _Two(_Residual):
        def forward_features(self, x: Tensor) -> Tensor:
            return self.last(self.first(x))

    assert chain(_Two()) is None
    assert [name for name, _ in chain(_Two(), "forward_features") or []] == ["first", "last"]


@pytest.mark.parametrize("kind", [_Residual, _Looking, _Scaled, _Branching, _Nothing, _Again])
def test_what_does_more_than_call_its_parts_in_order_is_no_chain(kind: type[nn.Module]) -> None:
    assert chain(kind()) is None


def test_lists_are_told_from_levels_with_a_forward_of_their_own() -> None:
    class _Own(nn.Sequential):
        def forward(self, x: Tensor) -> Tensor:
            return x

    conv = nn.Conv2d(1, 1, 1)
    assert is_list(nn.Sequential(conv))
    assert not is_list(nn.Sequential())
    assert not is_list(_Own(conv))
    assert not is_list(conv)
    assert holds_list(_Level())  # nothing but children of one class
    assert not holds_list(nn.ModuleDict({"a": conv, "b": nn.ReLU()}))
    assert holds_list(nn.ModuleDict({"a": conv, "b": nn.Sequential(nn.ReLU())}))
