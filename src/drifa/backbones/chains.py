"""Does a module run its parts one after the other? The proof is its own forward, traced with every part as a black box.

timm writes a resolution level as a class of its own (``RegStage``, ``ConvNeXtStage``, ``SwinTransformerStage``, …). Where
the trace is a plain chain, calling the parts in that order *is* the level, so it may be cut between any two of them. Where
it is not (a dense block, a cross stage), the level stays whole.
"""

from __future__ import annotations

from typing import Any

from torch import fx, nn


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return True


def chain(module: nn.Module, method: str = "forward") -> list[tuple[str, nn.Module]] | None:
    """The parts that a method calls, if it does nothing but call them one after the other.

    Args:
        module: Any module.
        method: Name of the method, such as ``"forward_features"``.

    Returns:
        Names and parts in the order of the calls; ``None`` if the method does anything else, or uses a part twice.
    """
    tracer = _Tracer()
    tracer.traced_func_name = method
    try:
        graph = tracer.trace(module)
    except Exception:  # a forward that looks at its values raises whatever it likes; it is no chain
        return None
    parts: list[tuple[str, nn.Module]] = []
    used: set[str] = set()
    previous: Any = None
    for node in graph.nodes:
        if node.op == "placeholder" and not node.users:
            continue
        if node.op == "output":
            return parts if parts and node.args == (previous,) else None
        expected = () if previous is None else (previous,)
        if node.op == "placeholder" and previous is None:
            pass
        elif _calls(node, expected) and str(node.target) not in used:
            used.add(str(node.target))
            parts.append((str(node.target), module.get_submodule(str(node.target))))
        else:
            return None
        previous = node
    return None


def _calls(node: Any, expected: tuple[Any, ...]) -> bool:
    """Whether a node calls a part with what stands before it, and its result is read once."""
    return node.op == "call_module" and node.args == expected and not node.kwargs and len(node.users) == 1


def is_list(module: nn.Module) -> bool:
    """Whether a module is an ``nn.Sequential`` with the ordinary forward."""
    return type(module).forward is nn.Sequential.forward and len(list(module.children())) > 0


def holds_list(module: nn.Module) -> bool:
    """Whether a module holds a list of blocks: a child that is a list, or nothing but children of one class."""
    children = list(module.children())
    if any(isinstance(child, nn.Sequential | nn.ModuleList) for child in children):
        return True
    return len({type(child) for child in children}) == 1
