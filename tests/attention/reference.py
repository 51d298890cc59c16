"""MFA and MIFA once more, in float64 NumPy and straight from the equations: the independent reference of the tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

Array = np.ndarray


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def pointwise(x: Array, weight: Array, bias: Array) -> Array:
    """A 1x1 convolution: [B, C, H, W] with weight [out, in]."""
    return np.einsum("oc,bchw->bohw", weight, x) + bias[None, :, None, None]


def dense(x: Array, weight: Array, bias: Array) -> Array:
    return x @ weight.T + bias


def mfa_attention(x: Array, p: Mapping[str, Array], fuse: str = "add") -> Array:
    """Equations 1-4; `p` names its arrays as the reference files do."""
    conv = [lambda z, k=k: sigmoid(pointwise(z, p[f"hifa_conv{k}_weight"], p[f"hifa_conv{k}_bias"])) for k in (1, 2, 3, 4)]
    big_pi = conv[0](x)
    lambda1 = conv[1](big_pi)
    lambda2 = conv[2](big_pi + lambda1)
    lambda3 = conv[3](lambda2)
    l = [big_pi.mean((2, 3)), lambda1.max((2, 3)), lambda2.mean((2, 3)), lambda3.max((2, 3))]  # noqa: E741
    joined = [l[0] + l[1], l[2] + l[3]] if fuse == "add" else l
    d_hat = sigmoid(dense(np.concatenate(joined, axis=1), p["hifa_fc_weight"], p["hifa_fc_bias"]))
    eta1 = sigmoid(pointwise(x, p["clia_conv1_weight"], p["clia_conv1_bias"])).mean((2, 3))
    eta2 = sigmoid(dense(eta1, p["clia_conv2_weight"], p["clia_conv2_bias"]))
    return sigmoid(d_hat * p["omega_d"] + (eta1 + eta2) * p["omega_l"])


def mfa(x: Array, p: Mapping[str, Array], fuse: str = "add") -> Array:
    return x * (mfa_attention(x, p, fuse) * p["omega_c"])[:, :, None, None]


def mifa_attention(xs: Sequence[Array], p: Mapping[str, Array], present: Array | None = None) -> Array:
    """Equations 6-8 with sums over the modalities present."""
    here = np.ones((len(xs[0]), len(xs))) if present is None else present.astype(float)
    pools = [lambda z: z.min((2, 3)), lambda z: z.mean((2, 3)), lambda z: z.max((2, 3))]
    g = sum(
        sigmoid(dense(sum(here[:, [i]] * pool(x) for i, x in enumerate(xs)), p["mgifa_fc_weight"], p["mgifa_fc_bias"]))
        for pool in pools
    )
    local = [sigmoid(pointwise(x, p[f"mlifa_conv{i + 1}_weight"], p[f"mlifa_conv{i + 1}_bias"])) for i, x in enumerate(xs)]
    l = sum(here[:, [i]] * sum(pool(z) for pool in pools) for i, z in enumerate(local))  # noqa: E741
    return sigmoid(g * p["omega_d"] + l * p["omega_l"])


def mifa(xs: Sequence[Array], p: Mapping[str, Array], present: Array | None = None) -> list[Array]:
    shared = mifa_attention(xs, p, present)
    return [x * (shared * p[f"omega_c{i + 1}"])[:, :, None, None] for i, x in enumerate(xs)]
