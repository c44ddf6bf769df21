"""How much of a sound is drums, bass, or other instruments: shares of energy, by a small network of our own.

    levels --features of 2 s--> 72 numbers --tanh--> 32 --softmax--> shares, averaged by energy

It was fitted on stems of composed pieces, alone and mixed at known levels, most of them through the embedded codec
(`fit_purity.py`); tests/data/stems has true stems of pieces that it was not fitted on. It tells kinds of instruments
apart, not one instrument of a kind from another, and quiet tones beside drums count for more than their energy.
All of it [any].
"""

from __future__ import annotations

import base64
from functools import cache

import numpy as np

from plugin_host.takes.stems.lanes import KINDS
from plugin_host.takes.stems.purity_features import N_FEATURES, features, weights
from plugin_host.takes.stems.purity_weights import HIDDEN, LAYERS, SCALES
from plugin_host.takes.stems.sound import Floats


def shares(levels: Floats) -> dict[str, float]:
    """Share of the energy of band levels [T, 72] that each kind of instrument has; they add up to 1."""
    rows, energies = of_features(features(levels)), weights(levels)
    mean = (rows * energies[:, None]).sum(axis=0) / max(float(energies.sum()), 1e-12)
    return dict(zip(KINDS, map(float, mean), strict=True))


def of_features(rows: Floats) -> Floats:
    """Shares [n, 3] of features [n, 72]."""
    (first, first_bias), (second, second_bias) = _layers()
    out = np.tanh(rows @ first + first_bias) @ second + second_bias
    exps = np.exp(out - out.max(axis=1, keepdims=True))
    return np.asarray(exps / exps.sum(axis=1, keepdims=True), np.float64)


@cache
def _layers() -> list[tuple[Floats, Floats]]:
    """Weights and biases of both layers, from their 8-bit form."""
    sizes = ((N_FEATURES + 1, HIDDEN), (HIDDEN + 1, len(KINDS)))
    found = []
    for text, scale, (rows, columns) in zip(LAYERS, SCALES, sizes, strict=True):
        whole = np.frombuffer(base64.b85decode(text), np.int8)[: rows * columns].reshape(rows, columns)
        table = whole.astype(np.float64) * np.array(scale)
        found.append((table[:-1], table[-1]))
    return found
