"""Building a network whose weights come from a file: nothing random is drawn that would be thrown away."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from torch import Tensor
from torch.nn import init
from torch.overrides import TorchFunctionMode

#: What initialisers draw with, and those of them that torch hands over whole. `trunc_normal_` bends what it drew by `erfinv_`.
_DRAWS: frozenset[Callable[..., Any]] = frozenset(
    {Tensor.normal_, Tensor.uniform_, Tensor.erfinv_, init.normal_, init.uniform_, init.kaiming_uniform_}
)


class _Undrawn(TorchFunctionMode):
    def __torch_function__(
        self, func: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        given = kwargs or {}
        if func in _DRAWS:
            return args[0] if args else given["tensor"]
        return func(*args, **given)


@contextmanager
def undrawn() -> Iterator[None]:
    """Inside, parameters are left as memory held them, in this thread; all that is computed and not drawn is right.

    A network that is built inside must get every parameter from a file. The meta device would leave its indices, masks and
    tables of positions to be made again: many are in no file.
    """
    with _Undrawn():
        yield
