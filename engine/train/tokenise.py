"""Turns rendered pieces into training data of the language model: codes, chroma and facts, about 8 MB an hour.

    python -m engine.train.tokenise --data DATA --codec codec.pt --out TOKENS [--watch]

Resumable; with --watch it continues as long as new pieces appear.

All of it [main].
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch

from bridge.system.whole_file import settle
from engine.codec.spectral import SpectralCodec
from engine.codec.spectral_net import SpectralNet, config_of
from engine.train.codec_fit import load_audio


def tokenise(path: Path, codec: SpectralCodec, out: Path) -> None:
    """One piece; complete or not at all."""
    piece = np.load(path)
    codes = codec.encode(load_audio(path)[None, None])[0].numpy().astype(np.int16)
    n_frames = codes.shape[1]
    chroma = np.stack([piece[f"chroma_{name}"][:n_frames] for name in ("melody", "harmony", "mix")])
    part = out.with_suffix(".part")
    with part.open("wb") as stream:
        np.savez(stream, codes=codes, chroma=chroma, facts=piece["facts"])
    settle(part, out)


def load_codec(path: Path) -> SpectralCodec:
    """The codec of a training checkpoint."""
    weights = torch.load(path, weights_only=True)
    net = SpectralNet(config_of(weights))
    net.load_state_dict(weights)
    return SpectralCodec(net)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--codec", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--watch", action="store_true")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    codec, idle = load_codec(args.codec), 0
    while idle < 20:
        todo = [path for path in sorted(args.data.glob("*.npz")) if not (args.out / path.name).exists()]
        for index, path in enumerate(todo):
            tokenise(path, codec, args.out / path.name)
            if index % 100 == 0:
                print(f"{index} of {len(todo)}", flush=True)
        if not args.watch:
            return
        idle = 0 if todo else idle + 1
        time.sleep(3)


if __name__ == "__main__":
    main()
