"""The house has floors: imports point downwards, never in a circle, and what kind of task it is, is asked in few rooms.

Everything here is read from the source with ``ast``; nothing is imported, so an import inside a function counts as well.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Literal, NamedTuple

SOURCE = Path(__file__).resolve().parents[1] / "src"

#: From top to bottom; a folder or file of ``src/drifa`` may import those on lower floors. Rooms still to come are named.
LAYERS: tuple[tuple[str, ...], ...] = (
    # The package itself only hands out names on first use. Nobody inside may import it, or everything would import everything.
    ("drifa", "__main__"),
    ("cli",),
    ("experiments", "serving", "demo", "doctor", "init", "preview", "sklearn"),
    ("evaluation", "explain"),
    ("training", "prediction"),
    ("export", "report", "tasks"),
    ("runs", "uncertainty"),
    ("networks",),
    ("fusion", "config"),
    ("attention", "data"),
    ("backbones",),
    ("metrics", "links"),
    ("present", "rescaled"),
    ("files", "text_tables", "yaml_text", "progress"),
    ("names",),
    ("errors", "version"),
)

#: Folder -> folders that it must not import although they lie below it, or for a reason of its own that outlives the floors.
FORBIDDEN: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("attention", "backbones", "fusion", "networks"), ("data", "training", "cli")),  # usable on any tensors
    "data": ("networks",),  # images and splits are prepared without a network
    **dict.fromkeys(("metrics", "uncertainty"), ("data",)),  # arrays in, numbers out; they know no files and no studies
    **dict.fromkeys(("evaluation", "prediction", "explain"), ("training",)),  # a run answers without what trained it
}

#: Imports between neighbours on one floor that are meant to stay: (importing, imported) -> reason.
NEIGHBOURS: dict[tuple[str, str], str] = {}

#: Imports that break the rules today: (importing module, imported module) -> what will end it. Remove a line with its import.
PENDING: dict[tuple[str, str], str] = {}

#: Where the kind of a task may be asked: the kinds themselves, the targets, and the study's format.
KINDS_ARE_ASKED_IN = ("tasks/", "data/targets/", "data/study/")

#: Where the word stands beside those, with the reason.
MAY_SAY: dict[tuple[str, str], str] = {
    ("networks/segmentation_factory.py", '"segmentation"'): "names the format of a saved network, which knows no tasks",
    ("runs/files.py", '"segmentation"'): "reads evaluations of format 1, which said so",
}

When = Literal["load", "call", "types"]


class Import(NamedTuple):
    """One module imports another: when it is loaded, when a function is called, or for the type checker alone."""

    source: str
    target: str
    when: When


@cache
def modules() -> dict[str, Path]:
    """Dotted name -> file, of every module of the package."""
    found = {}
    for path in sorted((SOURCE / "drifa").rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def read_imports(module: str, text: str, known: Iterable[str]) -> list[Import]:
    """What a module imports of the package; ``from package import x`` counts as the module ``x`` where that is one."""
    found = []
    for node, when in _walk(ast.parse(text), "load"):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module}: relative imports hide where they point; write the full name"
            base = node.module or ""
            targets = [f"{base}.{alias.name}" if f"{base}.{alias.name}" in known else base for alias in node.names]
        else:
            continue
        found += [Import(module, target, when) for target in targets if target.split(".")[0] == "drifa"]
    return found


def _walk(node: ast.AST, when: When) -> Iterator[tuple[ast.AST, When]]:
    for child in ast.iter_child_nodes(node):
        inside = when
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            inside = "types" if when == "types" else "call"
        yield child, inside
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test).split("."):
            for statement in child.body:
                yield statement, "types"
                yield from _walk(statement, "types")
            for statement in child.orelse:
                yield statement, inside
                yield from _walk(statement, inside)
        else:
            yield from _walk(child, inside)


@cache
def imports() -> tuple[Import, ...]:
    known = modules()
    return tuple(one for module, path in known.items() for one in read_imports(module, path.read_text(encoding="utf-8"), known))


def room(module: str) -> str:
    """The folder or file of ``src/drifa`` that a module belongs to; the package itself is a room of its own."""
    return module.split(".")[1] if "." in module else module


def fault(one: Import) -> str | None:
    """What is wrong with an import, if anything."""
    floor = {name: number for number, names in enumerate(LAYERS) for name in names}
    here, there = room(one.source), room(one.target)
    if here == there:
        return None
    if there in FORBIDDEN.get(here, ()):
        return f"{here} must not know {there}"
    if floor[there] < floor[here]:
        return "points upwards"
    if floor[there] == floor[here] and (here, there) not in NEIGHBOURS:
        return "neighbours on one floor"
    return None


def test_the_reader_tells_apart_when_an_import_happens() -> None:
    text = """
from __future__ import annotations
import os, drifa.errors
from drifa.data import study, Subjects
if TYPE_CHECKING:
    from drifa.config import Config
    def f(): from drifa.cli import main
else:
    from drifa.files import read
class A:
    from drifa.names import check_name
    def b(self):
        try:
            import drifa.runs.run as run
        except ImportError: pass
"""
    assert [one[1:] for one in read_imports("drifa.x", text, {"drifa.data", "drifa.data.study"})] == [
        ("drifa.errors", "load"),
        ("drifa.data.study", "load"),
        ("drifa.data", "load"),
        ("drifa.config", "types"),
        ("drifa.cli", "types"),
        ("drifa.files", "load"),
        ("drifa.names", "load"),
        ("drifa.runs.run", "call"),
    ]
    assert [room(name) for name in ("drifa", "drifa.errors", "drifa.data.study.schema")] == ["drifa", "errors", "data"]


def test_the_rules_bite() -> None:
    for source, target, expected in (
        ("drifa.metrics.names", "drifa.report.words", "points upwards"),
        ("drifa.errors", "drifa", "points upwards"),
        ("drifa.report.write", "drifa.tasks.regions", "neighbours on one floor"),
        ("drifa.networks.inputs", "drifa.data.study", "networks must not know data"),
        ("drifa.evaluation.judge", "drifa.training.job", "evaluation must not know training"),
        ("drifa.cli.main", "drifa.errors", None),
        ("drifa.data.study", "drifa.data.splits", None),
    ):
        assert fault(Import(source, target, "types")) == expected


def test_every_room_has_a_floor() -> None:
    named = [name for names in LAYERS for name in names]
    assert len(named) == len(set(named))
    assert {room(module) for module in modules()} <= set(named), "say in LAYERS on which floor the new room stands"


def test_imports_point_downwards() -> None:
    faults = {(one.source, one.target): fault(one) for one in imports() if fault(one)}
    new = [f"{source} imports {target}: {why}" for (source, target), why in faults.items() if (source, target) not in PENDING]
    assert not new, _listed("an import breaks the order of the house; move what is shared to a lower floor", new)
    gone = PENDING.keys() - faults.keys()
    assert not gone, _listed("these imports are gone: remove their lines from PENDING", gone)


def test_exceptions_are_in_use_and_have_a_reason() -> None:
    used = {(room(one.source), room(one.target)) for one in imports()}
    assert NEIGHBOURS.keys() <= used
    assert all([*NEIGHBOURS.values(), *PENDING.values()])


def circle(found: Iterable[Import]) -> list[str]:
    """Modules that load each other, the first one again at the end; empty if there are none."""
    graph: dict[str, set[str]] = {}
    for one in found:
        if one.when == "load":
            graph.setdefault(one.source, set()).add(one.target)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_no_circle_among_modules() -> None:
    there, back = Import("drifa.a", "drifa.b", "load"), Import("drifa.b", "drifa.a", "load")
    assert set(circle([there, back])) == {"drifa.a", "drifa.b"}
    assert circle([there, back._replace(when="call")]) == circle([there, back._replace(when="types")]) == []
    assert not circle(imports()), "modules load each other in a circle; move what both need into a third"


def asked(text: str) -> set[str]:
    """The ways in which a file asks whether a task is of segmentation."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        names = {getattr(node, field, None) for field in ("id", "attr", "name")}
        if "is_segmentation" in names:
            found.add("is_segmentation")
        if isinstance(node, ast.Attribute) and node.attr == "segments":
            found.add(".segments")
        if isinstance(node, ast.Constant) and node.value == "segmentation":
            found.add('"segmentation"')
    return found


def test_kinds_are_asked_in_few_rooms() -> None:
    assert asked('from a import is_segmentation\nif run.segments or kind == "segmentation": pass') == {
        *("is_segmentation", ".segments", '"segmentation"'),
    }
    found = {
        (place, question)
        for path in modules().values()
        if not (place := path.relative_to(SOURCE / "drifa").as_posix()).startswith(KINDS_ARE_ASKED_IN)
        for question in asked(path.read_text(encoding="utf-8"))
    }
    new, gone = found - MAY_SAY.keys(), MAY_SAY.keys() - found
    assert not new, _listed("ask the task's kind or its target instead", new)
    assert not gone, _listed("these questions are gone: remove their lines from MAY_SAY", gone)


#: What a kind of task is made of, beside its lines in ``data/targets/__init__.py`` and ``tasks/__init__.py``.
FILES_OF_A_KIND = (
    *("src/drifa/data/targets/{}.py", "src/drifa/tasks/{}.py", "configs/kinds/{}.yaml"),
    *("tests/data/targets/test_{}.py", "tests/tasks/test_{}.py"),
)


def test_every_kind_has_its_files() -> None:
    kinds = {path.stem for path in (SOURCE / "drifa" / "tasks").glob("*.py")} - {"__init__", "base"}
    places = [form.format(kind) for kind in sorted(kinds) for form in FILES_OF_A_KIND]
    missing = [place for place in places if not (SOURCE.parent / place).is_file()]
    assert len(kinds) >= 3
    assert not missing, _listed("a kind of task lacks", missing)


def _listed(head: str, lines: Iterable[object]) -> str:
    return "\n".join([head, *sorted(f"  {line}" for line in lines)])
