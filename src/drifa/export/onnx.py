"""Programs as ONNX files, written by PyTorch's exporter and read back with onnxruntime."""

from __future__ import annotations

import io
import os
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from drifa.errors import DrifaError
from drifa.export.program import PRESENT, Arrays, Runner, cannot

#: Packages of the extra ``export``.
PACKAGES = ("onnx", "onnxruntime")
#: Version of the operators: old enough for runtimes of the last years, and it has layer normalisation.
OPSET = 17


class Flat(nn.Module):
    """A module of mappings of tensors as one of tensors: ONNX knows no mappings.

    Args:
        module: Reads ``parts``, gives a mapping.
        parts: Of each argument the names of its tensors; None for an argument that is a tensor.
    """

    def __init__(self, module: nn.Module, parts: Sequence[Sequence[str] | None]) -> None:
        super().__init__()
        self.module, self.parts = module, parts

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        left = iter(tensors)
        arguments = [next(left) if names is None else {name: next(left) for name in names} for names in self.parts]
        return tuple(self.module(*arguments).values())


def check_packages() -> None:
    """Refuses where a package of the extra is missing."""
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise DrifaError(f"ONNX takes {' and '.join(missing)}, not installed here: pip install 'drifa[export]'")


def save_onnx(
    module: nn.Module,
    arguments: Sequence[Any],
    path: Path,
    outputs: Sequence[str],
    what: str,
    opset: int | None = None,
    any_size: bool = False,
) -> Runner:
    """Writes a module as ONNX, for any number of rows, and opens it.

    The exporter follows the operations of one pass (TorchScript): that of ``torch.export`` gives the same answers, and takes
    tens of times longer on an ensemble.

    Args:
        module: In evaluation mode; gives a mapping.
        arguments: Tensors (one, called ``present``) and mappings of tensors, of two rows.
        path: The file.
        outputs: Names of the results.
        what: Names it in the error.
        opset: Version of the operators; None for :data:`OPSET`.
        any_size: Images and outputs may have any height and width.

    Returns:
        The session.

    Raises:
        DrifaError: The operators of that version cannot say it, or the exporter refuses.
    """
    parts = [list(part) if isinstance(part, dict) else None for part in arguments]
    tensors = [x for part in arguments for x in (part.values() if isinstance(part, dict) else [part])]
    inputs = [name for names in parts for name in names or [PRESENT]]
    sides = {2: "height", 3: "width"} if any_size else {}
    axes = {name: {0: "batch"} | (sides if name != PRESENT else {}) for name in (*inputs, *outputs)}
    try:
        with torch.no_grad(), _quiet():
            torch.onnx.export(
                *(Flat(module, parts).eval(), tuple(tensors), str(path)),
                dynamo=False,
                opset_version=opset or OPSET,
                input_names=inputs,
                output_names=list(outputs),
                dynamic_axes=axes,
            )
    except OSError:  # of the disk
        raise
    except Exception as error:  # the exporter raises many kinds
        remedy = "" if opset is None else f"leave --opset {opset} out, as {OPSET} holds the operators of most networks"
        raise cannot(what, error, remedy) from error
    return open_onnx(path)


def open_onnx(path: Path) -> Runner:
    """An ONNX file on the CPU.

    Raises:
        DrifaError: onnxruntime cannot run it.
    """
    import onnxruntime

    try:
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    except Exception as error:  # its kinds are built at run time
        raise cannot(str(path.name), error) from error
    names = [output.name for output in session.get_outputs()]
    read = {wanted.name for wanted in session.get_inputs()}

    def run(inputs: Mapping[str, Tensor]) -> Arrays:
        given: dict[str, Any] = {name: x.numpy() for name, x in inputs.items() if name in read}
        return dict(zip(names, session.run(None, given), strict=True))

    return run


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporter warns of every size that it takes for fixed, and prints the whole graph where it fails.

    It does so from C++ too, past `sys.stdout`: the output of the process itself is turned away.
    """
    sys.stdout.flush()
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()), open(os.devnull, "wb") as nowhere:
        warnings.simplefilter("ignore")
        kept = os.dup(1)
        os.dup2(nowhere.fileno(), 1)
        try:
            yield
        finally:
            os.dup2(kept, 1)
            os.close(kept)
