"""Renders a set of pieces to disk, resumable, one file a piece: audio, chroma of each reference, facts.

    python -m engine.train.render_set --out DATA --pieces 2000 [--first 0] [--seconds 40]

Piece n depends only on seed n; seeds from HELD_OUT on are not in the training set.

All of it [main].
"""

import argparse
import json
import random
import time
from pathlib import Path

import numpy as np
import torch

from bridge.system.whole_file import settle
from engine.conditions.frames import chroma_frames
from engine.train.captions import caption_facts
from engine.train.compose import Piece, compose
from engine.train.render import Rendered, render

HELD_OUT = 1_000_000


def facts(piece: Piece, seed: int) -> dict[str, object]:
    """Exact facts of a piece, for conditions and evaluation."""
    return {
        "seed": seed,
        "genre": piece.genre.name,
        "bpm": piece.bpm,
        "beats_per_bar": piece.beats_per_bar,
        "tonic": piece.tonic,
        "mode": piece.mode,
        "programs": piece.programs,
        **caption_facts(piece),
    }


def make(seed: int, seconds: float) -> tuple[Piece, Rendered]:
    """Piece and audio of one seed.  [any]"""
    piece = compose(seed, seconds=seconds)
    return piece, render(piece, seed)


def save(path: Path, piece: Piece, audio: Rendered, seed: int) -> None:
    """Write one piece; complete or not at all."""
    chroma = {
        name: (chroma_frames(torch.from_numpy(getattr(audio, name))) * 255).round().to(torch.uint8).numpy()
        for name in ("mix", "melody", "harmony")
    }
    part = path.with_suffix(".part")
    with part.open("wb") as out:
        np.savez(
            out,
            audio=np.round(np.clip(audio.mix, -1, 1) * 32767).astype(np.int16),
            facts=np.array(json.dumps(facts(piece, seed))),
            chroma_mix=chroma["mix"],
            chroma_melody=chroma["melody"],
            chroma_harmony=chroma["harmony"],
        )
    settle(part, path)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--pieces", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=40.0)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    began, done = time.time(), 0.0
    for seed in range(args.first, args.first + args.pieces):
        path = args.out / f"{seed:07d}.npz"
        if path.exists():
            continue
        length = random.Random(seed).uniform(0.7, 1.3) * args.seconds
        piece, audio = make(seed, length)
        save(path, piece, audio, seed)
        done += piece.seconds
        if seed % 20 == 0:
            print(f"{seed}: {done / 3600:.2f} h, {done / (time.time() - began):.0f}x real time", flush=True)


if __name__ == "__main__":
    main()
