"""How the weights of purity were fitted; writes `purity_weights.py` anew. Run it only to change them.

    python -m plugin_host.takes.stems.fit_purity SET ... --test SET ...

A set is a folder of pieces that `engine.train.parts.purity_set` made, or the `features.npz` that is kept of one: X
[n, 72] features, Y [n, 3] shares of energy of drums, bass and others, G [n] the piece of each. Every fifth piece of the
first sets is left out of the fits and chooses size and decay; then all of them are fitted. The figures are about the
pieces of `--test`, which were used for nothing else. Gradient descent by hand (Adam): no torch here. All of it [main].
"""

from __future__ import annotations

import argparse
import base64
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from plugin_host.console.screen import print_line
from plugin_host.takes.stems.lanes import KINDS
from plugin_host.takes.stems.purity_features import N_FEATURES, features, segments
from plugin_host.takes.stems.sound import Floats, band_levels, energy

STEPS, RATE, NOISE = 600, 0.005, 0.1
SIZES = ((16, 0.5), (16, 1.5), (32, 0.5), (32, 1.5), (48, 1.0))  # hidden units and decay, to choose from
CHOOSING = 5  # every so manieth piece
PURE = 0.99
RATE_HZ, FULL = 32_000, 32_767.0
QUIETEST = 1e-6  # mean energy of a segment that counts
FEATURES = "features.npz"


@dataclass(frozen=True)
class Set:
    """Features [n, 72], shares [n, 3], and the number of each row's piece [n]."""

    rows: Floats
    shares: Floats
    pieces: NDArray[np.int64]

    def part(self, chosen: NDArray[np.bool_]) -> Set:
        """Some of the rows."""
        return Set(self.rows[chosen], self.shares[chosen], self.pieces[chosen])

    def words(self) -> str:
        """How much it is."""
        return f"{len(set(self.pieces.tolist()))} pieces, {len(self.rows)} stretches of two seconds"


def fit(rows: Floats, shares: Floats, hidden: int, decay: float) -> list[Floats]:
    """Weights with biases as their last row, of both layers, for features [n, 72] and shares [n, 3]."""
    rng = np.random.default_rng(0)
    mean, spread = rows.mean(axis=0), rows.std(axis=0) + 1e-3
    sizes = ((N_FEATURES + 1, hidden), (hidden + 1, len(KINDS)))
    layers = [rng.uniform(-1, 1, size) / np.sqrt(size[0]) for size in sizes]
    firsts, seconds = ([np.zeros_like(layer) for layer in layers] for _ in range(2))
    for step in range(1, STEPS + 1):
        noisy = (rows - mean) / spread + NOISE * rng.standard_normal(rows.shape)
        rate = RATE * (1 - (step - 1) / STEPS)
        for layer, slope, first, second in zip(layers, _slopes(layers, noisy, shares), firsts, seconds, strict=True):
            first += 0.1 * (slope - first)
            second += 0.001 * (slope**2 - second)
            change = first / (1 - 0.9**step) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)
            layer -= rate * (change + decay * layer)
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
    lines = ['"""' + words + '"""', "", f"HIDDEN = {len(layers[1]) - 1}"]
    for name, text in zip(("FIRST", "SECOND"), texts, strict=True):
        lines += [f"{name} = (", *(f'    "{part}"' for part in textwrap.wrap(text, 100)), ")"]
    for name, scale in zip(("FIRST_SCALES", "SECOND_SCALES"), scales, strict=True):
        lines += [f"{name} = (", *textwrap.wrap(", ".join(map(str, scale)) + ",", 110, initial_indent="    ",
                                                subsequent_indent="    "), ")"]  # fmt: skip
    lines += ["LAYERS = (FIRST, SECOND)", "SCALES = (FIRST_SCALES, SECOND_SCALES)", ""]
    Path(__file__).with_name("purity_weights.py").write_text("\n".join(lines))


def read_set(path: Path) -> Set:
    """A set: its features, worked out if it is a folder of pieces, and kept there."""
    if path.is_dir():
        kept = path / FEATURES
        if not kept.exists():
            parts = [_of_piece(file) for file in sorted(path.glob("[0-9]*.npz"))]
            rows, shares, pieces = (np.concatenate([part[name] for part in parts]) for name in "XYG")
            np.savez(kept, X=rows, Y=shares, G=pieces)
        path = kept
    with np.load(path) as found:
        return Set(np.asarray(found["X"], np.float64), np.asarray(found["Y"], np.float64), found["G"].astype(np.int64))


def _of_piece(file: Path) -> dict[str, NDArray[np.float64]]:
    """Features and shares of all mixes of a piece."""
    rows, shares = [], []
    with np.load(file) as found:
        pairs = list(zip(found["mixes"], found["parts"], strict=True))
    for mix, parts in pairs:
        of_mix = band_levels(mix[:, None] / FULL, RATE_HZ)
        energies = np.stack([energy(band_levels(part[:, None] / FULL, RATE_HZ)) for part in parts])
        places = segments(len(of_mix))
        loud = np.array([energy(of_mix)[place].mean() > QUIETEST for place in places])
        share = np.array([energies[:, place].sum(axis=1) for place in places])
        rows.append(features(of_mix)[loud])
        shares.append((share / (share.sum(axis=1, keepdims=True) + 1e-15))[loud])
    found_rows = np.concatenate(rows)
    return {"X": found_rows, "Y": np.concatenate(shares), "G": np.full(len(found_rows), float(file.stem))}


def judged(layers: Sequence[Floats], of: Set) -> tuple[float, float]:
    """Share of pure stretches that are named rightly, and how far shares are off on average."""
    ones = np.ones((len(of.rows), 1))
    out = softmax(np.hstack([np.tanh(np.hstack([of.rows, ones]) @ layers[0]), ones]) @ layers[1])
    pure = of.shares.max(axis=1) > PURE
    right = (out.argmax(axis=1) == of.shares.argmax(axis=1))[pure].mean()
    return float(right), float(np.abs(out - of.shares).mean())


def chosen_size(of: Set) -> tuple[int, float]:
    """The size and decay whose shares are the least off for every fifth piece, when the others are fitted."""
    left = of.pieces % CHOOSING == 0
    found = []
    for hidden, decay in SIZES:
        right, off = judged(fit(of.rows[~left], of.shares[~left], hidden, decay), of.part(left))
        print_line(f"{hidden} units, decay {decay:g}: {100 * right:.1f} % of pure stretches right, off by {off:.3f}")
        found.append((off, hidden, decay))
    return min(found)[1:]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("sets", type=Path, nargs="+")
    parser.add_argument("--test", type=Path, nargs="+", required=True)
    options = parser.parse_args()
    learnt, test = (_together([read_set(path) for path in paths]) for paths in (options.sets, options.test))
    if both := set(learnt.pieces.tolist()) & set(test.pieces.tolist()):
        parser.error(f"pieces {sorted(both)[:5]} are in both kinds of sets")
    hidden, decay = chosen_size(learnt)
    layers = fit(learnt.rows, learnt.shares, hidden, decay)
    right, off = judged(layers, test)
    write(layers, f"Weights of `purity.py`, as `fit_purity.py` wrote them.\n\nFitted on {learnt.words()}; "
          f"every fifth piece chose\nsize and decay. On {test.words()}, used for nothing else:\n"
          f"{100 * right:.1f} % of pure stretches named rightly, shares off by {off:.3f} on average.\n")  # fmt: skip
    print_line(f"test, {test.words()}: {100 * right:.1f} % of pure stretches right, shares off by {off:.3f}")


def _together(sets: Sequence[Set]) -> Set:
    return Set(*(np.concatenate([getattr(each, name) for each in sets]) for name in ("rows", "shares", "pieces")))


if __name__ == "__main__":
    main()
