"""Averages the weights of a run with those it began from, so that it keeps what the old model could do.

    python -m engine.train.blend --old engine/models/embedded --new lm.pt --share 0.78 --strength 3.5 --out blended.pt

A short run on other music forgets: its weights are moved a part of the way back (Wortsman et al. 2022, WiSE-FT).
Weights of frame features that the old model lacks stay those of the run. They began at zero and are still small after a
short run, so `--strength` multiplies those of instruments and density.

All of it [main].
"""

import argparse
from pathlib import Path

import torch
from torch import Tensor

from engine.conditions.frames import BASIC_FEATURES, DENSITY_COLUMNS, INSTRUMENT_COLUMNS, N_FEATURES
from engine.models.embedded_model import read_shards, widened

PROJECTION = "lm.frame_proj.weight"


def blend(old: dict[str, Tensor], new: dict[str, Tensor], share: float, strength: float) -> dict[str, Tensor]:
    """`share` of the new weights and the rest of the old ones, by name; ValueError for a share outside 0 to 1."""
    if not 0.0 <= share <= 1.0:
        raise ValueError(f"share is {share}, must be from 0 (the old weights) to 1 (the new ones)")
    before = widened(old, N_FEATURES)
    out = {name: torch.lerp(before[name].float(), tensor.float(), share) for name, tensor in new.items()}
    out[PROJECTION][:, BASIC_FEATURES:] = new[PROJECTION][:, BASIC_FEATURES:]
    for columns in (INSTRUMENT_COLUMNS, DENSITY_COLUMNS):
        out[PROJECTION][:, columns] *= strength
    return out


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--old", type=Path, required=True)
    parser.add_argument("--new", type=Path, required=True)
    parser.add_argument("--share", type=float, default=0.78)
    parser.add_argument("--strength", type=float, default=1.0)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    new = torch.load(args.new, weights_only=True, map_location="cpu")["model"]
    torch.save({"model": blend(read_shards(args.old), new, args.share, args.strength)}, args.out)


if __name__ == "__main__":
    main()
