"""What every kind of task keeps, with its target: inherit it, and give three things to make an example of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from drifa.config import make_config
from drifa.data import Modality, Study, Task
from drifa.data.targets import TARGETS, Target
from drifa.errors import DrifaError
from drifa.tasks import KINDS, Kind, SubjectKind, kinds_from, learn_kinds

PLACE = "study.csv"


class KindContract:
    """Properties of a target and its kind.

    Attributes:
        target: An example.
        texts: A column of eight entries, the last one not known; the second differs from the first.
        wrong: A text that the column must not hold.
    """

    target: Target
    texts: tuple[str, ...]
    wrong: str

    def study(self, tmp_path: Path, texts: tuple[str, ...] | None = None) -> Study:
        names = [f"s{number}" for number in range(8)]
        table = pd.DataFrame({"subject": names, "modality": "photo", "path": [f"{name}.png" for name in names]})
        table = table.assign(group=names, split=["train"] * 6 + ["val", "test"], asked=list(texts or self.texts))
        tasks = {"asked": Task("asked", self.target, ("photo",))}
        return Study("made", tmp_path, table, {"photo": Modality("photo", 1)}, tasks)

    def kind(self, tmp_path: Path) -> Kind:
        return learn_kinds(self.study(tmp_path), make_config({"data": {"study": "made"}}))["asked"]

    def outputs(self, kind: Kind, truth: torch.Tensor) -> torch.Tensor:
        """Outputs of a network that is right and sure."""
        raise NotImplementedError

    def truth(self, study: Study) -> tuple[torch.Tensor, torch.Tensor]:
        """What a batch of the eight subjects holds: values and what is known."""
        subjects = study.subjects()
        return torch.from_numpy(subjects.targets["asked"]), torch.from_numpy(subjects.known_of("asked"))

    def test_both_sides_have_one_name_and_read_alike(self, tmp_path: Path) -> None:
        kind = self.kind(tmp_path)
        assert TARGETS[self.target.kind] is type(self.target)
        assert KINDS[self.target.kind] is type(kind)
        assert kind.reads == self.target.reads

    def test_a_target_survives_the_disk(self, tmp_path: Path) -> None:
        study = self.study(tmp_path / "images")
        study.save(tmp_path / "made")
        loaded = Study.load(tmp_path / "made")
        assert loaded.tasks == study.tasks
        assert loaded.table["asked"].tolist() == list(self.texts)

    def test_a_kind_survives_the_run(self, tmp_path: Path) -> None:
        kind = self.kind(tmp_path)
        assert kinds_from(json.loads(json.dumps({"asked": kind.to_json()}))) == {"asked": kind}

    def test_what_is_known_is_told_by_a_mask(self, tmp_path: Path) -> None:
        subjects = self.study(tmp_path).subjects()
        assert subjects.known_of("asked").tolist() == [bool(text) for text in self.texts]
        assert subjects.targets["asked"][0] != subjects.targets["asked"][1]

    def test_strata_are_of_the_known_alone(self, tmp_path: Path) -> None:
        subjects = self.study(tmp_path).subjects()
        assert (subjects.strata[~subjects.known] == -1).all()
        counted = self.target.counted(subjects.targets["asked"], subjects.known_of("asked"))
        assert sum(int(has.sum()) for has in counted.values()) == sum(bool(text) for text in self.texts)

    def test_a_wrong_entry_is_named_with_its_row(self, tmp_path: Path) -> None:
        with pytest.raises(DrifaError) as caught:
            self.study(tmp_path, (*self.texts[:3], self.wrong, *self.texts[4:]))
        assert all(part in str(caught.value) for part in ("row 5 of", repr(self.wrong), "'asked'"))

    def test_a_column_without_entries_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(DrifaError, match="'asked'"):
            self.study(tmp_path, ("",) * 8)

    def test_another_kind_of_another_study_is_refused(self) -> None:
        for other in TARGETS.values():
            if not isinstance(self.target, other):
                theirs = object.__new__(other)
                message = f"of the kind {other.kind} in study 'b' and of the kind {self.target.kind}"
                with pytest.raises(DrifaError, match=message):
                    self.target.translated(theirs, np.empty(0), "asked", "b")

    def test_being_right_costs_less_than_being_wrong(self, tmp_path: Path) -> None:
        kind = self.kind(tmp_path)
        truth, known = self.truth(self.study(tmp_path))
        right = self.outputs(kind, truth)
        other = right[torch.arange(len(right)).roll(1)]
        assert kind.loss(right, truth, known) < kind.loss(other, truth, known)

    def test_what_is_not_known_costs_nothing(self, tmp_path: Path) -> None:
        kind = self.kind(tmp_path)
        truth, known = self.truth(self.study(tmp_path))
        outputs = self.outputs(kind, truth).requires_grad_()
        loss = kind.loss(outputs, truth, known)
        (gradient,) = torch.autograd.grad(loss, outputs)
        assert torch.isfinite(loss)
        assert (gradient[~known] == 0).all()
        kept = kind.loss(outputs[known], truth[known], known[known])
        assert loss.item() == pytest.approx(kept.item(), rel=1e-5)

    def test_the_figures_of_an_epoch_do_not_depend_on_the_order_of_its_rows(self, tmp_path: Path) -> None:
        kind = self.kind(tmp_path)
        truth, known = self.truth(self.study(tmp_path))
        outputs = self.outputs(kind, truth).roll(1, dims=0)
        order = torch.randperm(len(truth))
        one = kind.figures(kind.sums(outputs, truth, known))
        other = kind.figures(kind.sums(outputs[order], truth[order], known[order]))
        assert next(iter(one)) == "loss"
        assert one == pytest.approx(other, rel=1e-5)
        assert kind.figures(kind.sums(outputs, truth, torch.zeros_like(known))) == {}


class SubjectKindContract(KindContract):
    """Properties of a kind that answers about subjects, beside those of every kind."""

    #: What a perfect answer scores: metric -> value.
    perfect: dict[str, float]

    def answers(self, kind: SubjectKind[Any], truth: np.ndarray, draws: int = 3) -> np.ndarray:
        """Draws ``[T, N, k]`` that are right and agree."""
        from drifa.links import LINKS

        outputs = self.outputs(kind, torch.from_numpy(truth))
        return np.repeat(LINKS[kind.link].answer(outputs).double().numpy()[None], draws, axis=0)

    def example(self, tmp_path: Path) -> tuple[SubjectKind[Any], np.ndarray, np.ndarray]:
        kind, subjects = self.kind(tmp_path), self.study(tmp_path).subjects()
        assert isinstance(kind, SubjectKind)
        return kind, subjects.targets["asked"], subjects.known_of("asked")

    def test_a_row_counts_by_its_share(self, tmp_path: Path) -> None:
        kind, values, has = self.example(tmp_path)
        truth, known = torch.from_numpy(values), torch.from_numpy(has)
        outputs = self.outputs(kind, truth).roll(1, dims=0)
        share = torch.tensor([1.0, 3, 2, 1, 4, 1, 2, 1])
        again = torch.arange(8).repeat_interleave(share.long())
        expected = kind.loss(outputs[again], truth[again], known[again]).item()
        assert kind.loss(outputs, truth, known, share).item() == pytest.approx(expected, rel=1e-5)
        assert kind.loss(outputs, truth, known).item() != pytest.approx(expected, rel=1e-3)
        figures = kind.figures(kind.sums(outputs[again], truth[again], known[again]))
        assert kind.figures(kind.sums(outputs, truth, known, share=share)) == pytest.approx(figures, rel=1e-5)

    def test_a_perfect_answer_has_perfect_metrics(self, tmp_path: Path) -> None:
        kind, truth, known = self.example(tmp_path)
        measured = kind.measured(kind.summarise(self.answers(kind, truth)), truth, known)
        found = {name: float(values[0]) for name, values in measured.measure(np.ones((1, int(known.sum())))).items()}
        assert {name: found[name] for name in self.perfect} == pytest.approx(self.perfect, abs=1e-4)
        assert set(kind.alone) <= found.keys()

    def test_rows_are_judged_as_the_answers_that_they_hold(self, tmp_path: Path) -> None:
        kind, truth, known = self.example(tmp_path)
        summary = kind.summarise(self.answers(kind, np.roll(truth, 1)))
        rows = pd.DataFrame(kind.columns(summary, truth, known, None))[known]
        weights = np.ones((1, int(known.sum())))
        expected = kind.measured(summary, truth, known).measure(weights)
        found = kind.judged_rows(rows).measure(weights)
        assert found.keys() == expected.keys()
        for name, values in found.items():
            np.testing.assert_allclose(values, expected[name], rtol=1e-9, err_msg=name)

    def test_draws_that_agree_say_what_one_of_them_says(self, tmp_path: Path) -> None:
        kind, truth, known = self.example(tmp_path)
        draws = self.answers(kind, truth)
        many = kind.columns(kind.summarise(draws), truth, known, None)
        one = kind.columns(kind.summarise(draws[:1]), truth, known, None)
        point = {"predicted", "value"} & many.keys()
        assert point
        for name in point:
            assert np.array_equal(many[name], one[name]) or np.allclose(many[name], one[name], rtol=1e-12)
        np.testing.assert_allclose(kind.over_partners(draws), 0, atol=1e-6)

    def test_rows_details_and_answers_are_of_one_entry_each_and_json_can_hold_them(self, tmp_path: Path) -> None:
        kind, truth, known = self.example(tmp_path)
        summary = kind.summarise(self.answers(kind, truth))
        table = pd.DataFrame(kind.columns(summary, truth, known, np.zeros(8)))
        assert len(table) == 8
        assert kind.effect in table
        json.dumps({**kind.about(truth[known]), **kind.details(summary, truth, known)}, allow_nan=False)
        answer = kind.answer(kind.summarise(self.answers(kind, truth)[:, :1]), 0.0)
        json.dumps(answer.row(), allow_nan=False)
        assert answer.words()

    def test_the_order_of_rows_changes_nothing(self, tmp_path: Path) -> None:
        kind, truth, known = self.example(tmp_path)
        draws, order = self.answers(kind, np.roll(truth, 1)), np.random.default_rng(0).permutation(8)
        weights = np.ones((1, int(known.sum())))
        one = kind.measured(kind.summarise(draws), truth, known).measure(weights)
        other = kind.measured(kind.summarise(draws[:, order]), truth[order], known[order]).measure(weights)
        for name, values in one.items():
            np.testing.assert_allclose(values, other[name], rtol=1e-9, err_msg=name)
