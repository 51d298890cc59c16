"""What the documentation says can be done: commands parse, snippets run, tables are complete; slowly, every command is run."""

from __future__ import annotations

import os
import re
import runpy
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, get_args

import pytest
import typer.main
import yaml
from typer.testing import CliRunner

from drifa.cli.main import app
from drifa.config import RECIPES, Config, load_config
from drifa.data.adapters.brats_names import CONVENTIONS
from drifa.data.adapters.folders import OPTIONS
from drifa.data.adapters.mapping import Mapping, ModalityMapping, TaskMapping
from drifa.data.adapters.prepare import ADAPTERS, OWN
from drifa.data.splits.split import PROTOCOLS
from drifa.fusion import FUSIONS
from drifa.metrics.classification import METRICS
from drifa.uncertainty.calibration import CALIBRATIONS
from drifa.uncertainty.conformal import Score
from drifa.uncertainty.distances import DISTANCES
from drifa.uncertainty.modes import MODES
from drifa.uncertainty.reports import REPORTED

ROOT = Path(__file__).resolve().parents[1]
# In the order of a reader: later pages use what earlier ones made.
ORDER = (
    *("README", "index", "install", "tutorial", "notebooks"),
    *("concepts", "datasets", "own_data", "study", "formats", "split", "audit", "scale"),
    *(
        "train",
        "evaluate",
        "compare",
        "predict",
        "explain",
        "report",
        "share",
        "serve",
        "export",
        "kinds",
        "network",
        "backbones",
        "fusion",
        "rivals",
        "segmentation",
        "trust",
        "paper",
        "reproduce",
        "results",
        "faq",
    ),
)
# What makes a training of seconds out of any configuration.
TINY = [
    *("train.epochs=1", "train.members=2", "train.threads=1", "train.accelerator=cpu", "data.image_size=32"),
    "train.calibrate=false",  # `drifa calibrate` has a page of its own
    *("model.backbone_args={layers: [1, 1, 1, 1], channels: [4, 4, 8, 8]}",),
    *("evaluate.passes=2", "evaluate.partners=2", "evaluate.resamples=20"),
]
TINY_BRATS = [
    *("train.epochs=1", "train.accelerator=cpu", "data.image_size=32", "model.width=0.0625", "data.folds=4"),
    *("train.batch_size=4", "evaluate.resamples=20"),
]


class Fence(NamedTuple):
    """A fenced block: where it begins, its language, its title and its text; ``after`` is the block right behind it."""

    place: str
    language: str
    title: str
    text: str
    after: Fence | None


def _pages() -> list[Path]:
    found = [path for path in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")) if path.is_file()]
    return sorted(found, key=lambda path: (ORDER.index(path.stem) if path.stem in ORDER else len(ORDER), path.name))


def _fences(page: Path) -> list[Fence]:
    pattern = re.compile(r'^```(\w*)[ ]*(?:title="([^"]*)")?[^\n]*\n(.*?)^```[ ]*$', re.M | re.S)
    text = page.read_text(encoding="utf-8")
    found: list[Fence] = []
    matches = list(pattern.finditer(text))
    for number in range(len(matches) - 1, -1, -1):
        match = matches[number]
        following = number + 1 < len(matches) and not text[match.end() : matches[number + 1].start()].strip()
        place = f"{page.name}:{text.count(chr(10), 0, match.start()) + 1}"
        found.insert(0, Fence(place, match[1], match[2] or "", match[3], found[0] if following else None))
    return found


FENCES = [fence for page in _pages() for fence in _fences(page)]
TITLED = {fence.title: fence.text for fence in FENCES if fence.title.endswith((".yaml", ".py"))}
SNIPPETS = [fence for fence in FENCES if fence.language == "python"]


def _commands() -> Iterator[tuple[str, list[str]]]:
    for fence in FENCES:
        if fence.language == "bash":
            for line in fence.text.replace("\\\n", " ").splitlines():
                words = shlex.split(line, comments=True)
                if words:
                    yield fence.place, words


COMMANDS = list(_commands())


def _of(program: str) -> list[Any]:
    chosen = {tuple(words): place for place, words in reversed(COMMANDS) if words[0] == program}
    return [pytest.param(list(words), id=f"{place} {' '.join(words)}") for words, place in reversed(chosen.items())]


def _parse(words: list[str]) -> dict[str, Any]:
    """Resolves verb, options and arguments against the real command line, without running anything."""
    command, parent, values = typer.main.get_command(app), None, {}
    while True:
        context = command.make_context(command.name, words, parent=parent)
        values.update(context.params)
        if not hasattr(command, "resolve_command"):
            return values
        # Click has kept the words behind the group under either name.
        words = [*getattr(context, "_protected_args", []), *context.args]
        _, command, words = command.resolve_command(context, words)
        parent = context


@pytest.mark.parametrize("words", _of("drifa"))
def test_a_drifa_command_is_one_that_exists(words: list[str], tmp_path: Path) -> None:
    try:
        values = _parse(words[1:])
    except Exception as error:
        # `--version` and `--help` leave through Exit; a mistake is a UsageError with a message.
        if type(error).__name__ == "Exit":
            return
        pytest.fail(f"{' '.join(words)}: {getattr(error, 'message', error)}")
    if words[1] != "train":
        return
    arguments = values["arguments"] or []
    if values["resume"] is None:
        config = ROOT / arguments[0]
        if arguments[0] in TITLED:
            config = tmp_path / "shown.yaml"
            config.write_text(TITLED[arguments[0]], encoding="utf-8")
        assert config.is_file(), f"{arguments[0]} does not exist"
        load_config(config, arguments[1:])
    else:
        assert all(re.fullmatch(r"train\.\w+=.+", word) for word in arguments)


@pytest.mark.parametrize(
    "line", ["fit CONFIG", "data guess studies/x", "evaluate runs/x --onnx", "evaluate", "predict runs/x --image", "report a b"]
)
def test_a_drifa_command_that_does_not_exist_is_noticed(line: str) -> None:
    with pytest.raises(Exception, match=r"No such|Missing|requires an argument|unexpected extra"):
        _parse(line.split())


@pytest.mark.parametrize("words", _of("make"))
def test_a_make_target_exists(words: list[str]) -> None:
    if not (ROOT / "Makefile").is_file():
        pytest.skip("no Makefile")
    targets = re.findall(r"^([\w-]+)\s*:(?!=)", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    assert {word for word in words[1:] if "=" not in word} <= set(targets)


@pytest.mark.parametrize("words", _of("python"))
def test_a_script_that_is_run_is_shown(words: list[str]) -> None:
    assert words[1] in TITLED or words[1:3] == ["-m", "pytest"] or (ROOT / words[1]).is_file()


@pytest.mark.parametrize("words", _of("pip"))
def test_a_pip_line_installs_this_package_with_extras_that_exist(words: list[str]) -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    assert words[1] == "install"
    targets = [word for word in words[2:] if not word.startswith("-")]
    options, files = set(words[2:]) - set(targets), [word for word in targets if word.endswith((".txt", ".whl"))]
    assert options <= {"-e", "--editable", "-c", "--constraint", "-U", "--upgrade"}
    rest = [word for word in targets if word not in files]
    assert rest
    for word in rest:
        match = re.fullmatch(r"(?:\.|drifa)(?:\[([\w,-]+)\])?", word)
        assert match, f"{word} is not this package"
        assert set((match[1] or next(iter(extras))).split(",")) <= set(extras)


def test_commands_stand_one_on_a_line_without_prompts_and_pipes() -> None:
    for place, words in COMMANDS:
        assert words[0] not in ("$", ">", "%", "sudo"), place
        assert not {"|", "&&", "||", ";", ">", "<"} & set(words), f"{place}: one plain command per line"


def test_configs_that_are_named_exist() -> None:
    for page in _pages():
        for name in re.findall(r"configs/[\w/]+\.yaml", page.read_text(encoding="utf-8")):
            assert (ROOT / name).is_file(), f"{page.name} names {name}"


def test_every_verb_is_shown() -> None:
    def verbs(group: Any, before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
        for name, command in group.commands.items():
            yield from verbs(command, (*before, name)) if hasattr(command, "commands") else [(*before, name)]

    shown = {tuple(words[1 : 1 + length]) for _, words in COMMANDS if words[0] == "drifa" for length in (1, 2)}
    assert set(verbs(typer.main.get_command(app))) <= shown


def test_every_setting_is_listed_with_its_default() -> None:
    page = (ROOT / "docs" / "train.md").read_text(encoding="utf-8")
    sections = "|".join(Config.model_fields)
    rows = dict(re.findall(rf"^\| `((?:{sections})\.(?!json)\w+)` \| `?([^|`–]*)`? ?–? ?\|", page, re.M))
    expected = {}
    for section, field in Config.model_fields.items():
        kind: Any = field.annotation
        for key, setting in kind.model_fields.items():
            expected[f"{section}.{key}"] = "" if setting.is_required() else setting.default
    assert set(rows) == set(expected)
    for key, default in expected.items():
        if isinstance(default, bool):
            assert rows[key] == str(default).lower(), key
        elif isinstance(default, int | float):
            assert float(rows[key]) == default, key
        elif isinstance(default, tuple | list):
            assert rows[key] == str(list(default)), key
        elif isinstance(default, str) and default:
            assert rows[key] == default, key


@pytest.mark.parametrize(
    ("page", "names"),
    [
        ("evaluate.md", [*METRICS, *MODES, "accuracy_alone", "balanced_accuracy_alone", "partner_flip_rate"]),
        ("split.md", list(PROTOCOLS)),
        ("trust.md", [*CALIBRATIONS, *get_args(Score), *REPORTED, *DISTANCES]),
        ("fusion.md", list(FUSIONS)),
        ("datasets.md", [f"drifa data prepare {name} " for name in (*ADAPTERS, "phantom")]),
        ("datasets.md", [*(adapter.kaggle for adapter in ADAPTERS.values()), *(row.name for row in CONVENTIONS)]),
        ("own_data.md", [*(f"drifa data prepare {name} " for name in OWN), *OPTIONS]),
        ("own_data.md", [key for kind in (Mapping, ModalityMapping, TaskMapping) for key in kind.model_fields]),
    ],
)
def test_every_name_has_its_line(page: str, names: list[str]) -> None:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    assert [name for name in names if (name if " " in name else f"`{name}`") not in text] == []


def test_the_standard_recipe_is_shown_as_it_is() -> None:
    text = (ROOT / "docs" / "train.md").read_text(encoding="utf-8").split("## Recipes")[1]
    assert yaml.safe_load(text.split("```yaml")[1].split("```")[0]) == RECIPES["standard"]


def test_datasets_are_described_with_the_facts_of_their_adapters() -> None:
    text = (ROOT / "docs" / "datasets.md").read_text(encoding="utf-8")
    for adapter in ADAPTERS.values():
        assert adapter.source in text
        for number in adapter.counts.values():
            assert f"{number:,}" in text, f"{adapter.name}: {number:,}"


def _write_titled(fences: list[Fence], folder: Path) -> None:
    """Writes the blocks that are whole files: those with a file name as their title."""
    for fence in fences:
        if "." in fence.title:
            path = folder / fence.title
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(fence.text, encoding="utf-8")


@pytest.mark.parametrize("snippet", SNIPPETS, ids=lambda fence: fence.place)
def test_a_snippet_runs_and_prints_what_stands_below_it(
    snippet: Fence, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if re.search(r"^(?:from|import) monai\b", snippet.text, re.M):
        pytest.importorskip("monai")
    page = snippet.place.split(":")[0]
    _write_titled([fence for fence in FENCES if fence.place.startswith(f"{page}:")], tmp_path)
    monkeypatch.chdir(tmp_path)
    exec(compile(snippet.text, snippet.place, "exec"), {"__name__": "__main__"})
    if snippet.after is not None and snippet.after.language == "text":
        assert capsys.readouterr().out.strip() == snippet.after.text.strip()


def _tiny_world(folder: Path) -> None:
    """The folders that the pages speak of: configs, miniature datasets, another clinic's study, the files shown whole."""
    (folder / "configs").symlink_to(ROOT / "configs")
    for name in (*ADAPTERS, *OWN):
        (folder / "data" / name).mkdir(parents=True)
        runpy.run_path(str(ROOT / "tests" / "data" / name / "data.py"))["write"](folder / "data" / name)
    # The real HAM10000 holds JPEG files only; the miniature mixes formats, and the reader goes by content.
    for path in (folder / "data" / "ham10000").rglob("ISIC_*"):
        if path.suffix != ".jpg":
            path.rename(path.with_suffix(".jpg"))
    (folder / "studies").mkdir()
    prepared = CliRunner().invoke(app, ["data", "prepare", "ham10000", "data/ham10000", "--out", "studies/my_clinic"])
    assert prepared.exit_code == 0, prepared.output
    header = folder / "studies" / "my_clinic" / "study.yaml"
    header.write_text(header.read_text(encoding="utf-8").replace("name: ham10000", "name: my_clinic"), encoding="utf-8")
    _write_titled(FENCES, folder)


@pytest.mark.slow
def test_every_command_runs_in_the_order_of_the_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    _tiny_world(tmp_path)
    monkeypatch.setattr("uvicorn.Server.run", lambda self, sockets: None)  # it would serve for ever
    done: set[tuple[str, ...]] = set()
    lines = [(place, words) for place, words in COMMANDS if words[0] == "drifa" or (words[1:2] and words[1] in TITLED)]
    assert lines
    for place, (program, *words) in lines:
        if program != "drifa":
            runpy.run_path(words[0], run_name="__main__")
            continue
        # The tests of the command line run the demo; downloads need a network.
        if tuple(words) in done or words[0] == "demo" or words[:2] == ["data", "download"]:
            continue
        done.add(tuple(words))
        if words[0] == "train" and "--resume" not in words:
            # Overrides shown in the documentation come last and win, except for what makes it slow.
            config, *rest = words[1:]
            words = ["train", config, *(TINY_BRATS if "brats" in config else TINY), *rest]
        one = [word for word in TINY if not word.startswith("train.members")]
        if words[0] == "compare":  # which sets the members itself
            words = [*words[:2], *one, *words[2:]]
        if words[0] == "serve":
            words = [*words, "--port", "0"]  # 8000 may be in use
        if words[:2] == ["data", "leakage-cost"]:
            words = [*words[:4], *one, *words[4:], "--quiet"]
        if words[0] == "reproduce" and words[1].startswith("table"):
            words = [*words[:2], *one, *words[2:]]
        if words[:2] == ["reproduce", "authors"] and Path(words[2]).is_file():
            words = [*words[:3], *one, *words[3:]]
        result = CliRunner().invoke(
            app, [*words, *(["--quiet"] if words[0] in ("train", "evaluate", "compare", "explain", "reproduce") else [])]
        )
        assert result.exit_code == 0, f"{place}: drifa {' '.join(words)}\n{result.output}\n{result.exception!r}"
    for name in ("metrics.json", "answer.json", "answers.csv", "runs/quick/drifa/report.html"):
        assert (tmp_path / name).stat().st_size > 0


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs")
    pytest.importorskip("mkdocstrings")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-d", str(tmp_path / "site")]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, env=environment, check=False)
    assert result.returncode == 0, result.stderr
    page = (tmp_path / "site" / "api" / "attention.html").read_text(encoding="utf-8")
    assert ":math:" not in page
    assert ":class:" not in page
