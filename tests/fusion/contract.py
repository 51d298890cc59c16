"""What every fusion promises, as one class to inherit.

A subclass gives ``fusion`` and ``options`` and, for another kind of network, overrides :meth:`build`, :meth:`images` and
:attr:`modalities`. Everything else is asked through the common interface: ``net(inputs, present)`` and
``net.training_logits(inputs, present)``.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn

from drifa import create_model, load_model, save_model
from tests.studies import TINY_NET

MIXED = torch.tensor([[True, True], [True, False], [False, True], [True, True]])
#: Parameters that hold the modalities one after the other, in blocks of equal size, and the dimensions along which they do. All
#: others belong to a modality by its name, by a number (see NUMBERED), or to no modality.
ORDERED = {
    r"fusion\.mifa\.\d+\.omega_c": (0,),
    r"fusion\.ratios\.\d+\.weight": (0, 1),
    r"fusion\.ratios\.\d+\.bias": (0,),
    r"fusion\.join\.0\.weight": (1,),
}
#: Lists with an entry per modality.
NUMBERED = r"(fusion\.mifa\.\d+\.mlifa\.(?:convs|expand)\.)(\d+)(\..+)"


class FusionContract:
    """Runs over one fusion; two modalities, four rows."""

    fusion: ClassVar[str]
    options: ClassVar[dict[str, Any]] = {}
    #: More of ORDERED that this fusion has, such as heads that read the modalities side by side.
    ordered: ClassVar[dict[str, tuple[int, ...]]] = {r"heads\.\w+\.weight": (1,)}
    modalities: ClassVar[dict[str, int]] = {"dermoscopy": 3, "pap_smear": 1}
    tasks: ClassVar[dict[str, int]] = {"skin_lesion": 7, "cell": 5}
    sources: ClassVar[dict[str, list[str]]] = {"skin_lesion": ["dermoscopy"], "cell": ["pap_smear"]}
    size: ClassVar[int] = 40

    def build(self, modalities: dict[str, int], **changes: Any) -> nn.Module:
        """A network on these modalities, in training mode."""
        arguments: dict[str, Any] = {
            "fusion": self.fusion,
            "fusion_args": self.options,
            "backbone_args": TINY_NET,
            "modalities": modalities,
            "tasks": self.tasks,
            "task_modalities": self.sources,
        }
        return create_model(**{**arguments, **changes})

    def net(self, modalities: dict[str, int] | None = None, **changes: Any) -> nn.Module:
        """The network in evaluation mode, every parameter and statistic away from where it starts."""
        torch.manual_seed(0)
        net = self.build(modalities or self.modalities, **changes)
        with torch.no_grad():
            for parameter in net.parameters():
                parameter.add_(0.05 * torch.randn_like(parameter))
            for name, buffer in net.named_buffers():
                if name.endswith("running_mean"):
                    buffer.add_(0.05 * torch.randn_like(buffer))
        return net.eval()

    def images(self, batch: int = 4, modalities: dict[str, int] | None = None) -> dict[str, Tensor]:
        generator = torch.Generator().manual_seed(1)
        channels = modalities or self.modalities
        return {name: torch.randn(batch, c, self.size, self.size, generator=generator) for name, c in channels.items()}

    def loss(self, net: nn.Module, inputs: dict[str, Tensor], present: Tensor | None = None) -> Tensor:
        """A training loss: squares of all that is supervised, combined by the fusion, and its own terms."""
        logits, auxiliary = net.training_logits(inputs, present)
        parts = {task: torch.stack([value.square().mean() for value in values]).sum() for task, values in logits.items()}
        return net.fusion.combine(parts, dict.fromkeys(parts, 1.0)) + sum(auxiliary.values())

    def test_every_task_gets_finite_logits(self) -> None:
        for task, logits in self.net()(self.images()).items():
            assert tuple(logits.shape[:2]) == (4, self.tasks[task])
            assert logits.isfinite().all()

    @pytest.mark.parametrize("present", [None, MIXED], ids=["all", "mixed"])
    def test_a_gradient_reaches_every_parameter(self, present: Tensor | None) -> None:
        net = self.net().train()
        self.loss(net, self.images(), present).backward()
        assert [name for name, parameter in net.named_parameters() if parameter.grad is None] == []
        assert [name for name, parameter in net.named_parameters() if not parameter.grad.isfinite().all()] == []

    def test_the_order_of_the_inputs_does_not_matter(self) -> None:
        net, x = self.net(), self.images()
        with torch.no_grad():
            expected, found = net(x), net(dict(reversed(x.items())))
        assert all(torch.equal(found[task], value) for task, value in expected.items())

    def test_the_order_of_the_modalities_does_not_matter(self) -> None:
        """The network declared with its modalities the other way round, and the same parameters, gives the same answers."""
        net, x = self.net(), self.images()
        turned = self.net(dict(reversed(self.modalities.items())))
        turned.load_state_dict(self.turned(net.state_dict()))
        with torch.no_grad():
            for present in (None, MIXED):
                expected, found = net(x, present), turned(x, None if present is None else present.flip(1))
                for task, value in expected.items():
                    torch.testing.assert_close(found[task], value, rtol=1e-4, atol=1e-5)

    def turned(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """The parameters and statistics of a network of two modalities, as the network with the other order holds them."""
        found = {}
        for key, value in state.items():
            for pattern, dimensions in {**ORDERED, **self.ordered}.items():
                for dimension in dimensions if re.fullmatch(pattern, key) else ():
                    value = torch.cat(value.chunk(2, dim=dimension)[::-1], dim=dimension)
            found[re.sub(NUMBERED, lambda match: f"{match[1]}{1 - int(match[2])}{match[3]}", key)] = value
        return found

    def test_what_stands_in_an_absent_slot_does_not_matter(self) -> None:
        net, x = self.net(), self.images()
        poisoned = {name: value.clone() for name, value in x.items()}
        for i, value in enumerate(poisoned.values()):
            value[~MIXED[:, i]] = float("nan")
        with torch.no_grad():
            expected, found = net(x, MIXED), net(poisoned, MIXED)
        assert all(torch.equal(found[task], value) for task, value in expected.items())
        net.train()
        self.loss(net, poisoned, MIXED).backward()
        assert all(parameter.grad.isfinite().all() for parameter in net.parameters())

    def test_absent_images_do_not_matter_in_training_either(self) -> None:
        x = self.images()
        other = {name: value.clone() for name, value in x.items()}
        for i, value in enumerate(other.values()):
            value[~MIXED[:, i]] = 100.0
        losses = []
        for inputs in (x, other):
            net = self.net().train()
            torch.manual_seed(3)
            losses.append(self.loss(net, inputs, MIXED))
        assert torch.equal(*losses)

    def test_rows_of_a_mixed_batch_equal_rows_alone(self) -> None:
        net, x = self.net(), self.images()
        with torch.no_grad():
            together = net(x, MIXED)
            for row in range(4):
                alone = {name: x[name][row : row + 1] for i, name in enumerate(x) if MIXED[row, i]}
                for task, value in net(alone).items():
                    torch.testing.assert_close(together[task][row : row + 1], value, rtol=1e-4, atol=1e-5)

    def test_a_row_does_not_depend_on_the_others(self) -> None:
        net, x = self.net(), self.images()
        changed = {name: torch.cat([value[:1], 5 * value[1:].flip(0)]) for name, value in x.items()}
        with torch.no_grad():
            expected, found = net(x), net(changed)
        for task, value in expected.items():
            torch.testing.assert_close(found[task][:1], value[:1], rtol=1e-4, atol=1e-5)

    def test_draws_belong_to_rows(self) -> None:
        net, x = self.net(), self.images()
        keys = torch.randint(2**31, (2, 4), generator=torch.Generator().manual_seed(2))
        with torch.no_grad():
            drawn = net.sample(x, MIXED, keys)
            for row in range(4):
                one = {name: value[row : row + 1] for name, value in x.items()}
                for task, value in net(one, MIXED[row : row + 1], keys[1, row : row + 1]).items():
                    torch.testing.assert_close(drawn[task][1, row : row + 1], value, rtol=1e-4, atol=1e-5)
        assert all(not torch.equal(draws[0], draws[1]) for draws in drawn.values())

    def test_training_survives_a_modality_that_one_row_has(self) -> None:
        net = self.net().train()
        x = {name: value[:, :, :32, :32] for name, value in self.images().items()}  # 1x1 maps at the end
        present = torch.tensor([[True, True], [True, False], [True, False], [True, False]])
        assert self.loss(net, x, present).isfinite()
        assert all(module.training for module in net.modules())

    def test_one_modality_is_enough(self) -> None:
        modalities = dict(list(self.modalities.items())[:1])
        everything = {task: list(modalities) for task in self.tasks}
        net, x = self.net(modalities, task_modalities=everything), self.images(modalities=modalities)
        assert all(value.isfinite().all() for value in net(x).values())
        net.train()
        self.loss(net, x).backward()
        assert [name for name, parameter in net.named_parameters() if parameter.grad is None] == []

    def test_three_modalities_in_any_subset(self) -> None:
        modalities = {**self.modalities, "third": 2}
        net, x = self.net(modalities), self.images(7, modalities)
        present = torch.tensor([[bool(bits & 1), bool(bits & 2), bool(bits & 4)] for bits in range(1, 8)])
        assert all(value.isfinite().all() for value in net(x, present).values())

    def test_it_is_the_same_in_double_precision(self) -> None:
        net, x = self.net(), self.images()
        with torch.no_grad():
            single = net(x, MIXED)
            double = net.double()({name: value.double() for name, value in x.items()}, MIXED)
        for task, value in double.items():
            assert value.dtype == torch.float64
            torch.testing.assert_close(single[task].double(), value, rtol=1e-3, atol=1e-4)

    def test_a_folder_gives_the_same_network_back(self, tmp_path: Path) -> None:
        net, x = self.net(), self.images()
        again = load_model(save_model(net, tmp_path / "model"))
        assert again.config == net.config
        with torch.no_grad():
            expected, found = net(x, MIXED), again(x, MIXED)
        assert all(torch.equal(found[task], value) for task, value in expected.items())

    @pytest.mark.slow
    def test_it_compiles_without_graph_breaks(self) -> None:
        net, x = self.net(), self.images(2)
        torch.compiler.reset()
        compiled = torch.compile(net, fullgraph=True, backend="eager")
        with torch.no_grad():
            expected, found = net(x), compiled(x)
        for task, value in expected.items():
            torch.testing.assert_close(found[task], value, rtol=1e-4, atol=1e-5)

    @pytest.mark.slow
    def test_training_compiles_without_graph_breaks(self) -> None:
        net, x = self.net(), self.images(2)
        torch.compiler.reset()
        compiled = torch.compile(net.training_logits, fullgraph=True, backend="eager")
        for task, values in compiled(x)[0].items():
            assert all(value.shape[0] == 2 for value in values), task
