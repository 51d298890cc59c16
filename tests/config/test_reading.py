"""Configuration: strict keys, typed values, overrides."""

from __future__ import annotations

from pathlib import Path

import pytest

from drifa import DrifaError
from drifa.config import dump_config, load_config, make_config, parse_override

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
SHIPPED = sorted(path for path in CONFIGS.rglob("*.yaml") if path.parent.name != "experiments")


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.parent.name + "/" + path.stem)
def test_shipped_configs_are_valid(path: Path) -> None:
    load_config(path)


def test_there_are_shipped_configs() -> None:
    assert len(SHIPPED) > 5


def test_defaults_are_the_papers_recipe(tmp_path: Path) -> None:
    config = load_config(write(tmp_path / "c.yaml", "data: {study: s}\n"))
    recipe = config.train
    assert (recipe.epochs, recipe.batch_size, recipe.lr) == (200, 32, 1e-3)
    assert (recipe.lr_factor, recipe.lr_patience, recipe.lr_min) == (0.2, 5, 1e-5)
    assert (recipe.members, config.evaluate.passes, config.model.dropout) == (5, 20, 0.25)
    assert (config.data.image_size, config.data.degrees, config.data.shift) == (128, 20, 5)


def test_a_dumped_config_reads_back_the_same(tmp_path: Path) -> None:
    config = make_config(
        {"data": {"study": ["a", "b"]}, "model": {"mfa": {"clia": False}}, "train": {"task_weights": {"t": 2}}}
    )
    assert load_config(write(tmp_path / "c.yaml", dump_config(config))) == config


def test_overrides_reach_any_depth_with_yaml_values(tmp_path: Path) -> None:
    path = write(tmp_path / "c.yaml", "data: {study: s}\n")
    config = load_config(
        path, ["train.lr=1e-4", "model.fusion=concat", "model.mfa={clia: false}", "train.task_weights.cell=0.7"]
    )
    assert config.train.lr == 1e-4
    assert config.model.fusion == "concat"
    assert config.model.mfa == {"clia": False}
    assert config.train.task_weights == {"cell": 0.7}


@pytest.mark.parametrize(
    ("text", "overrides", "word"),
    [
        ("data: {study: s}\ntrain: {epoch: 3}\n", [], r"'train\.epoch' \(did you mean 'train\.epochs'"),
        ("data: {study: s}\nepochs: 3\n", [], r"'epochs' \(did you mean 'train\.epochs'"),
        ("data: {study: s}\n", ["train.augment={}"], r"'train\.augment' \(did you mean 'data\.augment'"),
        ("data: {study: s}\n", ["data.augment.ct.flp=1"], r"'data\.augment\.ct\.flp' \(did you mean 'data\.augment\.ct\.flip'"),
        ("data: {study: s}\n", ["train.class_weights={a: 2}"], r"holds numbers.*train\.task_weights"),
        ("data: {study: s}\n", ["train.class_weights={a: sqr}"], r"train\.class_weights\.a = 'sqr': .*or 'sqrt'$"),
        ("data: {study: s}\n", ["train.task_weights={a: -1}"], r"train\.task_weights\.a = -1: .*greater"),
        ("data: {study: s}\n", ["model.backbone=3"], r"model\.backbone = 3: .*string, or .*dictionary$"),
        ("data: {study: s}\ntrian: {epochs: 3}\n", [], "did you mean 'train'"),
        ("data: {study: s}\n", ["model.fusoin=drifa"], r"did you mean 'model\.fusion'"),
        ("data: {study: s}\n", ["train.epochs=many"], r"train\.epochs = 'many'"),
        ("data: {study: s}\n", ["train.epochs=0"], r"train\.epochs = 0"),
        ("data: {study: s}\n", ["data.image_size=8"], "image_size 8 is too small"),
        ("data: {study: s}\n", ["epochs=3"], "section.key=value"),
        ("data: {study: s}\n", ["train.epochs"], "section.key=value"),
        ("data: {protocol: leaky, study: s}\n", [], r"c\.yaml: unknown split protocol 'leaky' \(choices: strict"),
        ("data: {study: s}\n", ["data.folds=5"], "folds = 5 does not go with the protocol strict"),
        ("data: {study: s}\n", ["data.fold=1"], "fold = 1 does not go with the protocol strict"),
        ("data: {study: s}\n", ["data.protocol=kfold", "data.folds=5", "data.fold=5"], "numbered from 0 to 4"),
        ("data: {study: s}\n", ["data.protocol=kfold"], "needs folds and fold"),
        ("data: {study: s}\n", ["data.protocol=column"], "needs the name of a column"),
        ("data: {study: s}\n", ["data.protocol=given", "data.sizes=[3, 1, 1]"], "sizes = .* does not go with"),
        ("data: {study: s}\n", ["data.sizes=[3, 1]"], r"sizes \(3, 1\) cannot split"),
        ("train: {epochs: 3}\n", [], "'data' is missing"),
        ("- 1\n", [], "sections data"),
        ("data: [\n", [], "not valid YAML"),
    ],
)
def test_mistakes_are_named_with_the_remedy(tmp_path: Path, text: str, overrides: list[str], word: str) -> None:
    with pytest.raises(DrifaError, match=word):
        load_config(write(tmp_path / "c.yaml", text), overrides)


def test_the_settings_of_a_split_survive_a_dump(tmp_path: Path) -> None:
    for settings in (
        {"protocol": "kfold", "folds": 5, "fold": 0},
        {"protocol": "column", "column": "mine"},
        {"protocol": "paper", "sizes": [201, 35, 133]},
    ):
        config = make_config({"data": {"study": "s", **settings}})
        assert load_config(write(tmp_path / "c.yaml", dump_config(config))) == config
        assert {key: config.data.split_settings[key] for key in settings} == settings


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DrifaError, match=r"nowhere\.yaml does not exist"):
        load_config(tmp_path / "nowhere.yaml")


def test_an_override_is_split_once() -> None:
    assert parse_override("data.study=a=b") == (["data", "study"], "a=b")
