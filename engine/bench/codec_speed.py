"""Speed of EnCodec in PyTorch and in ONNX Runtime, alternating, on random weights of the published size.

    python -m engine.bench.codec_speed [--rounds 7] [--threads 1] [--device cpu] [--json FILE]

Milliseconds a frame (20 ms of audio), medians over the rounds. Streams are measured after their first frames.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bridge.system.whole_file import put
from engine.codec.encodec import Encodec, EncodecConfig
from engine.codec.encodec_stream import DecoderState
from engine.codec.runtime import Runtime, TorchRuntime
from engine.models.codec_choice import opened, some_codes, under_way

HOPS = ((1, 1), (4, 1), (10, 1), (50, 1), (4, 2), (10, 2))  # frames, streams
ENCODE_SECONDS = 10


def random_codec(config: EncodecConfig, device: str) -> Encodec:
    """A codec with PyTorch's initial weights, the same every time.  [main]"""
    torch.manual_seed(0)
    codec = Encodec(config).eval()
    torch.nn.init.normal_(codec.quantizer.get_buffer("tables"))
    codec = codec.to(device)
    codec.runtime = TorchRuntime(codec)
    return codec


def works(codec: Encodec) -> dict[str, tuple[int, Callable[[], Any]]]:
    """The measured calls by name, each with its frames.  [main]"""
    made: dict[str, tuple[int, Callable[[], Any]]] = {}
    for frames, streams in HOPS:
        codes, state = some_codes(codec, streams, frames), under_way(codec, streams)
        name = f"stream, hop of {frames}" + (f", {streams} channels" if streams > 1 else "")
        made[name] = (frames, partial(_hop, codec, codes, state))
    frames = ENCODE_SECONDS * codec.sample_rate // codec.frame_samples
    codes = some_codes(codec, 1, frames)
    audio = codec.decode(codes)
    made[f"decode {ENCODE_SECONDS} s"] = (frames, lambda: codec.decode(codes).cpu())
    made[f"encode {ENCODE_SECONDS} s"] = (frames, lambda: codec.encode(audio).cpu())
    return made


def _hop(codec: Encodec, codes: Tensor, state: DecoderState) -> Tensor:
    return codec.decode_step(codes, state)[0].cpu()


def measure(codec: Encodec, runtimes: list[Runtime], rounds: int) -> dict[str, dict[str, float]]:
    """Median milliseconds a frame by work and runtime; a first round is not counted.  [main]"""
    work = works(codec)
    took: dict[str, dict[str, list[float]]] = {name: {runtime.name: [] for runtime in runtimes} for name in work}
    for number in range(rounds + 1):
        for name, (frames, call) in work.items():
            for runtime in runtimes:
                codec.runtime = runtime
                began = time.perf_counter()
                call()
                if number:
                    took[name][runtime.name].append((time.perf_counter() - began) * 1000.0 / frames)
    return {
        name: {runtime: statistics.median(times) for runtime, times in by_runtime.items()}
        for name, by_runtime in took.items()
    }


def main() -> None:
    """Command line; see the head of this file.  [main]"""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--json", type=Path, default=None)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    codec = random_codec(EncodecConfig(), args.device)
    began = time.perf_counter()
    onnx = opened(codec)
    print(f"ONNX Runtime opened in {time.perf_counter() - began:.1f} s, equal to PyTorch")
    figures = measure(codec, [TorchRuntime(codec), onnx], args.rounds)
    print(f"{'ms a frame':<32}{'torch':>10}{'onnx':>10}{'torch/onnx':>12}")
    for name, by_runtime in figures.items():
        plain, other = by_runtime["torch"], by_runtime["onnx"]
        print(f"{name:<32}{plain:>10.2f}{other:>10.2f}{plain / other:>12.2f}")
    if args.json:
        put(args.json, (json.dumps({"threads": args.threads, "figures": figures}, indent=2) + "\n").encode())


if __name__ == "__main__":
    main()
