"""Makes true stems and mixes of composed pieces, from which `segue stems` learns to tell how pure a stem is.

    python -m engine.train.parts.purity_set --out SET [--first 1000] [--pieces 30]
    python -m plugin_host.takes.stems.fit_purity SET ...

A file SEED.npz is a piece: `mixes` [m, n] int16 at 32 kHz, and `parts` [m, 3, n], what drums, bass and other
instruments have in each. First each kind alone, then four mixes at drawn levels, then all as composed; half of them
have only one of the other instruments. Six in ten go through the embedded codec, as music of the model does. A piece is
20 MB; what is there is not made again.

All of it [main].
"""

import argparse
import random
import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from bridge.system.whole_file import settle
from engine.codec.base import Codec
from engine.models.embedded_model import load
from engine.train.parts.arrange import arrange
from engine.train.parts.stems import Stem, render_stems
from engine.train.render import Audio

KINDS = {"drums": 0, "bass": 1}  # all other instruments: 2
SECONDS = (12.0, 20.0)
MIXES, LEVELS_DB = 4, (-24.0, 9.0)
CODED, ONE_OTHER = 0.6, 0.5
RMS, SILENT = 0.09, 1e-4
FULL = 32_767


def groups_of(stems: list[Stem]) -> Audio:
    """Audio [3, n] of drums, bass and all others.  [any]"""
    groups = np.zeros((3, len(stems[0].audio)), np.float32)
    for stem in stems:
        groups[KINDS.get(stem.instrument, 2)] += stem.audio
    return groups


def levels_of(groups: Audio, rng: random.Random) -> list[list[float]]:
    """Factors of the three groups in each mix.  [any]"""
    heard = [index for index in range(3) if np.abs(groups[index]).max() > SILENT]
    alone = [[float(index == kind) for index in range(3)] for kind in heard]
    drawn = [
        [10 ** (rng.uniform(*LEVELS_DB) / 20) if index in heard else 0.0 for index in range(3)] for _ in range(MIXES)
    ]
    return [*alone, *drawn, [1.0] * 3]


def made(seed: int, codec: Codec) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    """The mixes and parts of a piece.  [any]"""
    rng = random.Random(seed * 7 + 1)
    stems = render_stems(arrange(seed, rng.uniform(*SECONDS)), rng)
    groups, mixes, all_parts = groups_of(stems), [], []
    others = [stem.audio for stem in stems if stem.instrument not in KINDS and np.abs(stem.audio).max() > SILENT]
    for factors in levels_of(groups, rng):
        sources = groups.copy()
        if others and rng.random() < ONE_OTHER:
            sources[2] = rng.choice(others)
        parts = sources * np.array(factors, np.float32)[:, None]
        mix = parts.sum(axis=0)
        if np.abs(mix).max() < SILENT:
            continue
        scale = np.float32(RMS / (np.sqrt(np.mean(mix**2)) + 1e-9))
        mix, parts = mix * scale, parts * scale
        mixes.append(_through(codec, mix) if rng.random() < CODED else mix)
        all_parts.append(parts)
    whole = [np.rint(np.clip(np.stack(each), -1, 1) * FULL).astype(np.int16) for each in (mixes, all_parts)]
    return whole[0], whole[1]


def _through(codec: Codec, audio: Audio) -> Audio:
    """Audio [n] coded and decoded."""
    with torch.no_grad():
        again = codec.decode(codec.encode(torch.from_numpy(audio)[None, None]))
    return np.asarray(again[0, 0, : len(audio)].numpy(), np.float32)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--first", type=int, default=1000, help="seed of the first piece")
    parser.add_argument("--pieces", type=int, default=30)
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    codec, began = load("cpu").codec, time.monotonic()
    for seed in range(options.first, options.first + options.pieces):
        path = options.out / f"{seed}.npz"
        if path.exists():
            continue
        partial = path.with_suffix(".partial")
        with partial.open("wb") as file:
            mixes, parts = made(seed, codec)
            np.savez_compressed(file, mixes=mixes, parts=parts)
        settle(partial, path)
        print(f"{seed}: {time.monotonic() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
