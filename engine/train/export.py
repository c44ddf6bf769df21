"""Writes the shipped files: half-precision shards under 15 MB and a config, from the two training checkpoints.

python -m engine.train.export --lm lm.pt --codec codec.pt --out engine/models/embedded

All of it [main].
"""

import argparse
import dataclasses
import json
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from bridge.system.whole_file import put
from engine.codec.spectral_net import config_of
from engine.train.lm_train import EMBEDDED_S

SHARD_BYTES = 14_000_000
WINDOWS = {"window_frames": 500, "stride_frames": 200, "cfg_coef": 2.5, "temperature": 0.9}


def shards(tensors: dict[str, Tensor]) -> list[dict[str, Tensor]]:
    """Tensors in order, split so that no shard is over the limit."""
    out: list[dict[str, Tensor]] = [{}]
    size = 0
    for name, tensor in tensors.items():
        nbytes = tensor.numel() * tensor.element_size()
        if size + nbytes > SHARD_BYTES and out[-1]:
            out.append({})
            size = 0
        out[-1][name] = tensor
        size += nbytes
    return out


def export(lm: Path, codec: Path, out: Path) -> None:
    """Write everything; old shards go."""
    tensors = dict(torch.load(lm, weights_only=True)["model"])
    codec_weights = torch.load(codec, weights_only=True)
    tensors |= {f"codec.{name}": t for name, t in codec_weights.items()}
    half = {name: tensor.to(torch.float16).contiguous() for name, tensor in tensors.items()}
    out.mkdir(parents=True, exist_ok=True)
    for old in out.glob("*.safetensors"):
        old.unlink()
    parts = shards(half)
    for index, part in enumerate(parts):
        put(out / f"embedded-{index + 1:02d}-of-{len(parts):02d}.safetensors", save(part))
    sizes = dataclasses.asdict(config_of(codec_weights))
    config = {"lm": dataclasses.asdict(EMBEDDED_S), "codec": sizes, "windows": WINDOWS}
    put(out / "config.json", (json.dumps(config, indent=2) + "\n").encode())


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--lm", type=Path, required=True)
    parser.add_argument("--codec", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    export(args.lm, args.codec, args.out)


if __name__ == "__main__":
    main()
