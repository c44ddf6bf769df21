"""How the weights of purity were fitted; writes `purity_weights.py` anew. Run it only to change them.

    python -m plugin_host.takes.stems.fit_purity SET.npz ...

A set has X [n, 72] features, Y [n, 3] shares of energy of drums, bass and others, G [n] the piece of each. Every fifth
piece is left out of the fit, and the figures are about those. Gradient descent by hand (Adam): no torch here.
All of it [main].
"""

from __future__ import annotations

import argparse
import base64
import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from plugin_host.console.screen import print_line
from plugin_host.takes.stems.lanes import KINDS
from plugin_host.takes.stems.purity_features import N_FEATURES
from plugin_host.takes.stems.sound import Floats

HIDDEN, STEPS, RATE, DECAY, NOISE = 32, 600, 0.005, 0.5, 0.1
HELD_OUT = 5  # every so manieth piece
PURE = 0.99


def fit(rows: Floats, shares: Floats) -> list[Floats]:
    """Weights with biases as their last row, of both layers, for features [n, 72] and shares [n, 3]."""
    rng = np.random.default_rng(0)
    mean, spread = rows.mean(axis=0), rows.std(axis=0) + 1e-3
    sizes = ((N_FEATURES + 1, HIDDEN), (HIDDEN + 1, len(KINDS)))
    layers = [rng.uniform(-1, 1, size) / np.sqrt(size[0]) for size in sizes]
    firsts, seconds = ([np.zeros_like(layer) for layer in layers] for _ in range(2))
    for step in range(1, STEPS + 1):
        noisy = (rows - mean) / spread + NOISE * rng.standard_normal(rows.shape)
        rate = RATE * (1 - (step - 1) / STEPS)
        for layer, slope, first, second in zip(layers, _slopes(layers, noisy, shares), firsts, seconds, strict=True):
            first += 0.1 * (slope - first)
            second += 0.001 * (slope**2 - second)
            change = first / (1 - 0.9**step) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)
            layer -= rate * (change + DECAY * layer)
    scaled = layers[0][:-1] / spread[:, None]
    return [np.vstack([scaled, layers[0][-1] - mean @ scaled]), layers[1]]


def _slopes(layers: Sequence[Floats], rows: Floats, shares: Floats) -> list[Floats]:
    """Gradient of the cross-entropy by each layer."""
    ones = np.ones((len(rows), 1))
    inner = np.tanh(np.hstack([rows, ones]) @ layers[0])
    wide = np.hstack([inner, ones])
    error = (softmax(wide @ layers[1]) - shares) / len(rows)
    back = (error @ layers[1][:-1].T) * (1 - inner**2)
    return [np.hstack([rows, ones]).T @ back, wide.T @ error]


def softmax(out: Floats) -> Floats:
    """Shares of outputs [n, 3]."""
    exps = np.exp(out - out.max(axis=1, keepdims=True))
    return np.asarray(exps / exps.sum(axis=1, keepdims=True), np.float64)


def write(layers: Sequence[Floats], words: str) -> None:
    """Write the weights as 8-bit numbers."""
    texts, scales = [], []
    for layer in layers:
        scale = np.abs(layer).max(axis=0) / 127
        scales.append([float(f"{value:.5g}") for value in scale])
        whole = np.rint(layer / np.array(scales[-1])).clip(-127, 127).astype(np.int8).tobytes()
        texts.append(base64.b85encode(whole + b"\0" * (-len(whole) % 4)).decode())
    lines = ['"""' + words + '"""', "", f"HIDDEN = {HIDDEN}"]
    for name, text in zip(("FIRST", "SECOND"), texts, strict=True):
        lines += [f"{name} = (", *(f'    "{part}"' for part in textwrap.wrap(text, 100)), ")"]
    for name, scale in zip(("FIRST_SCALES", "SECOND_SCALES"), scales, strict=True):
        lines += [f"{name} = (", *textwrap.wrap(", ".join(map(str, scale)) + ",", 110, initial_indent="    ",
                                                subsequent_indent="    "), ")"]  # fmt: skip
    lines += ["LAYERS = (FIRST, SECOND)", "SCALES = (FIRST_SCALES, SECOND_SCALES)", ""]
    Path(__file__).with_name("purity_weights.py").write_text("\n".join(lines))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("sets", type=Path, nargs="+")
    loaded = [np.load(path) for path in parser.parse_args().sets]
    rows, shares, pieces = (np.concatenate([each[name] for each in loaded]) for name in ("X", "Y", "G"))
    left = pieces % HELD_OUT == 0
    layers = fit(np.asarray(rows[~left], np.float64), shares[~left])
    out = softmax(np.hstack([np.tanh(np.hstack([rows[left], np.ones((left.sum(), 1))]) @ layers[0]),
                             np.ones((left.sum(), 1))]) @ layers[1])  # fmt: skip
    pure = shares[left].max(axis=1) > PURE
    right = float((out.argmax(axis=1) == shares[left].argmax(axis=1))[pure].mean())
    error = float(np.abs(out - shares[left]).mean())
    fitted, others = (len(set(pieces[part].tolist())) for part in (~left, left))
    write(layers, f"Weights of `purity.py`, as `fit_purity.py` wrote them.\n\nFitted on {fitted} "
          f"pieces, {int((~left).sum())} stretches of two seconds. On {others}\nothers: "
          f"{100 * right:.0f} % of pure stretches named rightly, shares off by {error:.2f} on average.\n")  # fmt: skip
    print_line(f"{100 * right:.1f} % of pure stretches right, shares off by {error:.3f}")


if __name__ == "__main__":
    main()
