"""Random checkpoints in the published layout, with the real names, shapes, types and sizes, without the published
weights.

    python -m engine.checkpoints.make_random melody FOLDER [--format transformers]
    SEGUE_MODELS=FOLDER segue engine --model melody

Writes FOLDER/musicgen-melody and the companions of an audiocraft checkpoint (t5-base, for style MERT-v1-95M, for
stereo the codec's repository, to which the file then refers). Streams to disk: a few megabytes of memory.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import sys
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import yaml

from bridge.system.whole_file import put
from engine.checkpoints import layout_transformers, published
from engine.checkpoints.catalog import CODEC, MERT, MODELS
from engine.checkpoints.layout import ModelSizes, Named, audiocraft_codec, audiocraft_lm, sizes_of, t5_encoder
from engine.checkpoints.nodes import ITEM_BYTES
from engine.checkpoints.torch_writer import TensorPieces, TensorSpec, write_shards, write_torch
from engine.conditions.text_t5 import T5Config

POOL = 1 << 20
SHARD_BYTES = 5 * 10**9
_NUMPY = {"F16": "<f2", "F32": "<f4", "I64": "<i8"}
_ONES = ("norm.weight", "norm1.weight", "norm2.weight", "norm_cross.weight", "weight_g", "original0", "running_var")
_ZEROS = ("bias", "running_mean", "num_batches_tracked")
LETTERS = "▁abcdefghijklmnopqrstuvwxyz0123456789-,.'&"


class Noise(TensorPieces):
    """Normal numbers, scaled so that a signal keeps its level from layer to layer; the same for the same seed."""

    def __init__(self, seed: int = 0) -> None:
        pool = np.random.default_rng(seed).standard_normal(POOL, dtype=np.float32)
        self._pool = np.concatenate([pool, pool])
        self._seed = seed

    def __call__(self, spec: TensorSpec) -> Iterator[bytes]:
        """See `TensorPieces`.  [any]"""
        left = math.prod(spec.shape)
        plain = self._plain(spec)
        if plain is not None:
            yield np.full(left, plain, _NUMPY[spec.dtype]).tobytes()
            return
        tied = spec.name.replace("encoder.embed_tokens.weight", "shared.weight")
        start = zlib.crc32(tied.encode(), self._seed) % POOL
        block = self._pool[start : start + min(left, POOL)] * np.float32(_spread(spec))
        data = block.astype(_NUMPY[spec.dtype]).tobytes()
        item = ITEM_BYTES[spec.dtype]
        while left > 0:
            yield data[: left * item]
            left -= POOL

    @staticmethod
    def _plain(spec: TensorSpec) -> int | None:
        """The constant that fills a tensor, if it is constant."""
        name = spec.name
        if spec.dtype == "I64" or name.endswith(_ZEROS) or "bias_" in name:
            return 0
        if name.endswith(_ONES) or "norm" in name or name.endswith(("inited", "cluster_size")):
            return 1
        return None


def _spread(spec: TensorSpec) -> float:
    """Standard deviation: 1 over the root of the number of summands, larger for tables."""
    if ".emb" in f".{spec.name}" or "shared" in spec.name or "codebook" in spec.name:
        return 0.5
    if len(spec.shape) < 2:
        return 0.02
    return math.prod(spec.shape[1:]) ** -0.5


def _specs(named: Named, dtype: str) -> list[TensorSpec]:
    return [TensorSpec(name, "I64" if name.endswith("tracked") else dtype, shape) for name, shape in named]


def write_audiocraft(folder: Path, sizes: ModelSizes, noise: Noise, pointer: bool = False, nodes: bool = False) -> None:
    """state_dict.bin and compression_state_dict.bin.

    `pointer`: the codec's file only names its repository; `nodes`: the configuration is pickled OmegaConf objects, as
    in the published style model, instead of YAML text.  [main]
    """
    folder.mkdir(parents=True, exist_ok=True)
    config = published.lm_config(sizes)
    rest = {"xp.cfg": config if nodes else yaml.safe_dump(config), "version": "1.4.0a2", "exported": True}
    write_torch(folder / "state_dict.bin", _specs(audiocraft_lm(sizes), "F16"), noise, rest, nodes)
    path = folder / "compression_state_dict.bin"
    if pointer:
        write_torch(path, [], noise, {"pretrained": CODEC, "exported": True, "version": "1.4.0a2"})
        return
    rest["xp.cfg"] = yaml.safe_dump(published.codec_config(sizes.codec))
    write_torch(path, _specs(audiocraft_codec(sizes.codec), "F32"), noise, rest)


def write_transformers(folder: Path, sizes: ModelSizes, noise: Noise, shard_bytes: int = SHARD_BYTES) -> None:
    """config.json, generation_config.json, tokenizer.json and model.safetensors or its shards.  [main]"""
    folder.mkdir(parents=True, exist_ok=True)
    _write_json(folder / "config.json", published.whole_json(sizes))
    _write_json(folder / "generation_config.json", {"do_sample": True, "guidance_scale": 3.0, "max_length": 1500})
    _write_json(folder / "preprocessor_config.json", {"chunk_length_s": None, "sampling_rate": 32000})
    write_tokenizer(folder)
    write_shards(folder, _specs(layout_transformers.whole(sizes), "F32"), noise, shard_bytes)


def write_t5(folder: Path, t5: T5Config, noise: Noise) -> None:
    """A T5 encoder with a tokenizer of letters.  [main]"""
    folder.mkdir(parents=True, exist_ok=True)
    _write_json(folder / "config.json", published.t5_json(t5))
    write_tokenizer(folder)
    write_shards(folder, _specs(t5_encoder(t5), "F32"), noise, SHARD_BYTES)


def write_tokenizer(folder: Path) -> None:
    """tokenizer.json: pieces of one letter, ids as in T5 (0 padding, 1 end, 2 unknown).  [main]"""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *((letter, -3.0) for letter in LETTERS)]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=2))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    tokenizer.save(str(folder / "tokenizer.json"))


def write_codec(folder: Path, sizes: ModelSizes, noise: Noise) -> None:
    """The codec's own repository.  [main]"""
    folder.mkdir(parents=True, exist_ok=True)
    _write_json(folder / "config.json", published.codec_json(sizes.codec))
    write_shards(folder, _specs(layout_transformers.codec(sizes.codec), "F32"), noise, SHARD_BYTES)


def write_mert(folder: Path, noise: Noise) -> None:
    """MERT as published: a pickle with the older names of weight norm.  [main]"""
    folder.mkdir(parents=True, exist_ok=True)
    _write_json(folder / "config.json", published.mert_json())
    write_torch(folder / "pytorch_model.bin", _specs(layout_transformers.hubert(), "F32"), noise, {})


def _write_json(path: Path, value: published.Config) -> None:
    put(path, json.dumps(value, indent=1).encode())


def make(name: str, folder: Path, form: str, seed: int = 0) -> list[Path]:
    """Write a model and its companions; returns their folders.  KeyError for an unknown name.  [main]"""
    model, noise = MODELS[name], Noise(seed)
    sizes, target = sizes_of(model), folder / f"musicgen-{name}"
    made = [target]
    if form == "transformers":
        write_transformers(target, sizes, noise)
        return made
    points = model.channels == 2 or name == "melody-large"
    write_audiocraft(target, sizes, noise, pointer=points, nodes=model.kind == "style")
    beside = {"t5-base": lambda place: write_t5(place, sizes.t5, noise)}
    if points:
        beside["encodec_32khz"] = lambda place: write_codec(place, sizes, noise)
    if model.kind == "style":
        beside[MERT.rpartition("/")[2]] = lambda place: write_mert(place, noise)
    for companion, write in beside.items():
        if not (folder / companion).exists():
            write(folder / companion)
        made.append(folder / companion)
    return made


def needed_bytes(name: str, form: str) -> int:
    """Bytes that `make` writes, companions included.  [any]"""
    sizes = sizes_of(MODELS[name])
    both: Iterable[TensorSpec] = [*_specs(audiocraft_lm(sizes), "F16"), *_specs(audiocraft_codec(sizes.codec), "F32")]
    if form == "transformers":
        both = _specs(layout_transformers.whole(sizes), "F32")
    else:
        both = [*both, *_specs(t5_encoder(sizes.t5), "F32")]
        both = [*both, *_specs(layout_transformers.hubert(), "F32")] if sizes.kind == "style" else both
    return sum(spec.n_bytes for spec in both)


def main(arguments: list[str]) -> int:
    """The command.  [main]"""
    parser = argparse.ArgumentParser(prog="python -m engine.checkpoints.make_random", description=__doc__)
    parser.add_argument("name", choices=sorted(MODELS))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--format", choices=("audiocraft", "transformers"), default="audiocraft")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    if given.format == "transformers" and MODELS[given.name].kind == "style":
        parser.error("transformers has no style model")
    given.folder.mkdir(parents=True, exist_ok=True)
    need, free = needed_bytes(given.name, given.format), shutil.disk_usage(given.folder).free
    if free < need * 1.05:
        parser.error(f"{need / 1e9:.1f} GB are needed in {given.folder}, {free / 1e9:.1f} GB are free")
    for folder in make(given.name, given.folder, given.format, given.seed):
        size = sum(path.stat().st_size for path in folder.iterdir())
        print(f"{folder}  {size / 1e9:.3f} GB")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
