"""Moves parameters between the torch modules and the names of the reference files."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from drifa import MFA, MIFA


def named(module: MFA | MIFA) -> dict[str, torch.nn.Parameter]:
    """The parameters under the names of the reference files; convolution weights keep their [out, in, 1, 1] shape."""
    if isinstance(module, MFA):
        layers = {f"hifa_conv{k + 1}": conv for k, conv in enumerate(module.hifa.convs)}
        layers |= {"hifa_fc": module.hifa.fc, "clia_conv1": module.clia.conv1, "clia_conv2": module.clia.conv2}
    else:
        layers = {"mgifa_fc": module.mgifa.f_pool[0]}
        layers |= {f"mlifa_conv{i + 1}": conv for i, conv in enumerate(module.mlifa.convs)}
    found = {f"{name}_{kind}": getattr(layer, kind) for name, layer in layers.items() for kind in ("weight", "bias")}
    return found | {"omega_d": module.omega_d, "omega_l": module.omega_l}


def load(module: MFA | MIFA, arrays: Mapping[str, np.ndarray]) -> None:
    with torch.no_grad():
        for name, parameter in named(module).items():
            parameter.copy_(torch.as_tensor(arrays[name]).reshape(parameter.shape))
        if isinstance(module, MFA):
            module.omega_c.copy_(torch.as_tensor(arrays["omega_c"]))
        else:
            for i in range(module.modalities):
                module.omega_c[i].copy_(torch.as_tensor(arrays[f"omega_c{i + 1}"]))


def randomised(module: MFA | MIFA, seed: int) -> dict[str, np.ndarray]:
    """Gives every parameter a random float64 value and returns them for the NumPy reference."""
    generator = torch.Generator().manual_seed(seed)
    module.double()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    arrays = {
        name: parameter.detach().numpy().squeeze((2, 3)) if parameter.ndim == 4 else parameter.detach().numpy()
        for name, parameter in named(module).items()
    }
    omega_c = module.omega_c.detach().numpy()
    return arrays | ({"omega_c": omega_c} if omega_c.ndim == 1 else {f"omega_c{i + 1}": row for i, row in enumerate(omega_c)})
