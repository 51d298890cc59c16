"""The line of a training: epochs count from 1 and nobody reads batches per second."""

from __future__ import annotations

from types import SimpleNamespace

from rich.progress import BarColumn

from drifa.training.bar import BAR, EpochBar


def test_epochs_count_from_1_and_several_networks_are_named() -> None:
    for members, words in ((1, "epoch 1/200"), (5, "network 5/5, epoch 1/200")):
        bar = EpochBar(members - 1, members)
        bar._trainer = SimpleNamespace(max_epochs=200)
        assert bar._get_train_description(0) == words
        assert bar._get_train_description(199) == words.replace("1/200", "200/200")


def test_only_what_people_read_is_shown() -> None:
    bar = EpochBar(0, 1)
    trainer = SimpleNamespace(loggers=[], progress_bar_metrics={"train_loss": 2.0, "val_loss": 1.0})
    assert bar.get_metrics(trainer, None) == {"val_loss": 1.0}
    columns = bar.configure_columns(trainer)
    bars = [column for column in columns if isinstance(column, BarColumn)]
    assert [column.bar_width for column in bars] == [BAR]
    assert not any("Speed" in type(column).__name__ for column in columns)
