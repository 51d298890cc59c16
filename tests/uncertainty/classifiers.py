"""Classifiers whose true probabilities are known."""

from __future__ import annotations

import numpy as np


def softmax(logits: np.ndarray) -> np.ndarray:
    e = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def drawn(random: np.random.Generator, probabilities: np.ndarray) -> np.ndarray:
    """A class for each row, drawn from its probabilities. [N, C] -> [N]"""
    return (random.random((len(probabilities), 1)) > probabilities.cumsum(axis=1)[:, :-1]).sum(axis=1)


def classifier(n: int, classes: int = 4, temperature: float = 1.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Labels, and probabilities that only after division of their logarithms by ``temperature`` are the true ones."""
    random = np.random.default_rng(seed)
    logits = random.normal(scale=2, size=(n, classes))
    return drawn(random, softmax(logits)), softmax(logits * temperature)
