"""Programs as ONNX files, written by PyTorch's exporter and read back with onnxruntime."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from drifa.errors import DrifaError
from drifa.export.program import Arrays, Runner, cannot

#: Packages of the extra ``export``.
PACKAGES = ("onnx", "onnxscript", "onnxruntime")
#: Bytes of weights from which on they stand in a file of their own: a protobuf holds 2 GiB.
LARGE = 2**31 - 2**24


def check_packages() -> None:
    """Refuses where a package of the extra is missing."""
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise DrifaError(f"ONNX takes {', '.join(missing)}, which is not installed: pip install 'drifa[export]'")


def save_onnx(
    program: torch.export.ExportedProgram,
    path: Path,
    inputs: Sequence[str],
    outputs: Sequence[str],
    opset: int | None,
    what: str,
) -> Runner:
    """Writes a program as ONNX and opens it.

    Args:
        program: What :func:`drifa.export.program.exported` gave.
        path: The file.
        inputs: Names, in the order of the program's arguments.
        outputs: Names, in the order of its results.
        opset: Version of the operators; None for the exporter's own choice.
        what: Names it in the error.

    Returns:
        The session.

    Raises:
        DrifaError: The operators of that version cannot say it, or the exporter refuses.
    """
    try:
        with _quiet():
            made = torch.onnx.export(
                program, dynamo=True, opset_version=opset, input_names=inputs, output_names=outputs, verbose=False
            )
            assert made is not None
            written = made.model.opset_imports.get("")
            if opset is not None and written != opset:
                raise DrifaError(
                    f"opset {opset} cannot hold the operators of {what}, which need {written}; leave --opset out, or take a "
                    f"later one"
                )
            size = sum(x.numel() * x.element_size() for x in program.state_dict.values())
            made.save(path, external_data=size > LARGE)
    except DrifaError:
        raise
    except Exception as error:  # the exporter raises many kinds
        raise cannot(what if opset is None else f"{what} in opset {opset}", error) from error
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
    """The exporter tells its steps, and of operators that it has no use for."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
