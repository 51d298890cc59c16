"""YAML in which a key stands once: the library itself would let the last one win in silence."""

from __future__ import annotations

from typing import Any

import yaml


class _Unique:
    """Mixed into a loader, refuses a key that comes twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(None, None, f"key {key.value!r} comes twice", key.start_mark)
                seen.add(key.value)
        return super().construct_mapping(node, deep)  # type: ignore[misc]


class _Values(_Unique, yaml.SafeLoader): ...


class _Texts(_Unique, yaml.BaseLoader): ...


def parse_yaml(text: str, texts: bool = False) -> Any:
    """Reads YAML.

    Args:
        text: The document.
        texts: Keep every scalar a text, so that the labels ``no``, ``01`` and ``1`` stay what the user wrote.

    Raises:
        yaml.YAMLError: Not YAML, or a key comes twice.
    """
    return yaml.load(text, Loader=_Texts if texts else _Values)
