"""YAML in which a key stands once: the library itself would let the last one win in silence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

#: Longest document, characters: the library reads about a hundred thousand a second.
LONGEST = 1_000_000
#: Largest number of a plain value, most values in one list, and deepest list in lists; see :func:`is_plain`.
MOST, MOST_LISTED, DEEPEST = 8192, 256, 4


class _Strict:
    """Mixed into a loader, refuses a key that comes twice, and aliases: ten lines of them can stand for any memory."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):  # type: ignore[attr-defined]
            event = self.peek_event()  # type: ignore[attr-defined]
            raise yaml.composer.ComposerError(None, None, "aliases (*NAME) are not read: write the value out", event.start_mark)
        return super().compose_node(parent, index)  # type: ignore[misc]

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(None, None, f"key {key.value!r} comes twice", key.start_mark)
                seen.add(key.value)
        return super().construct_mapping(node, deep)  # type: ignore[misc]


class _Values(_Strict, yaml.SafeLoader): ...


class _Texts(_Strict, yaml.BaseLoader): ...


def parse_yaml(text: str, texts: bool = False) -> Any:
    """Reads YAML.

    Args:
        text: The document.
        texts: Keep every scalar a text, so that the labels ``no``, ``01`` and ``1`` stay what the user wrote.

    Raises:
        yaml.YAMLError: Not YAML, too long or too deep, an alias, or a key comes twice.
    """
    if len(text) > LONGEST:
        raise yaml.YAMLError(f"{len(text)} characters are too many: up to {LONGEST} are read")
    try:
        return yaml.load(text, Loader=_Texts if texts else _Values)
    except RecursionError:
        raise yaml.YAMLError("lists stand in lists too deep to be read") from None
    except (ValueError, OverflowError, TypeError, AttributeError) as error:  # a date or a number that cannot be
        raise yaml.YAMLError(str(error)) from None


def is_plain(value: Any, depth: int = 0) -> bool:
    """Whether a value is a text, a switch, a number from -8192 to 8192 or a short list or mapping of them."""
    if isinstance(value, Mapping):
        return all(isinstance(key, str) for key in value) and is_plain(list(value.values()), depth)
    if isinstance(value, list | tuple):
        return depth < DEEPEST and len(value) <= MOST_LISTED and all(is_plain(one, depth + 1) for one in value)
    if isinstance(value, int | float):
        return -MOST <= value <= MOST
    return value is None or (isinstance(value, str) and len(value) <= MOST_LISTED)
