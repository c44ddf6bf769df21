"""The choice of a codec's runtime: measured once on a machine, then stored.

    <cache>/codec_runtime.json     {key: {"runtime": "onnx", "ms_per_frame": {"torch": 9.1, "onnx": 5.2}}}

The key is a hash of everything that affects the speed: the codec's sizes, device, machine, threads, versions. Both
runtimes give the same audio, which is checked at every start on the loaded weights; if they differ, PyTorch is used.
"""

from __future__ import annotations

import logging
import os
import platform
import statistics
import time
from dataclasses import asdict
from importlib import metadata
from pathlib import Path

import torch
from torch import Tensor

from engine.checkpoints.cache import default_cache_dir
from engine.codec.base import Codec
from engine.codec.encodec import Encodec
from engine.codec.encodec_stream import DecoderState
from engine.codec.onnx_runtime import OnnxRuntime
from engine.codec.runtime import Runtime, TorchRuntime
from engine.codec.stereo import StereoCodec
from engine.errors import UnsupportedError
from engine.system import remembered

RUNTIMES = ("auto", "torch", "onnx")
HOPS_FRAMES = (4, 10)  # frames that the engine decodes at once, with a short and with a long lead
BUDGET_SECONDS = 0.7
LEAST_ROUNDS = 2
WORTH_MEASURING = 1_000_000  # weights; a smaller codec takes hardly any time
EQUAL_TO = 1e-5
_log = logging.getLogger(__name__)


def set_runtime(codec: Codec, runtime: str = "auto", cache_dir: Path | None = None) -> str:
    """Set the runtime of `codec` to "torch", "onnx" or the faster one ("auto"); returns the name of the one in use.

    "auto" measures for less than a second on the codec's device, unless the cache has a result. The embedded model's
    codec always uses PyTorch. Raises UnsupportedError if "onnx" is requested and not available.  [main]
    """
    if runtime not in RUNTIMES:
        raise UnsupportedError(f"codec_runtime is '{runtime}', known are {', '.join(RUNTIMES)}")
    inner = codec.mono if isinstance(codec, StereoCodec) else codec
    if not isinstance(inner, Encodec):
        if runtime == "onnx":
            raise UnsupportedError("the embedded model's codec runs in PyTorch only")
        return "torch"
    if inner.quantizer.get_buffer("tables").device.type == "cuda":
        torch.backends.cudnn.allow_tf32 = False  # else convolutions and LSTMs round to 10 bits: 1e-3, not 1e-5
    inner.runtime = opened(inner) if runtime == "onnx" else TorchRuntime(inner)
    if runtime == "auto":
        inner.runtime = _faster(inner, (cache_dir or default_cache_dir()) / "codec_runtime.json")
    return inner.runtime.name


def opened(codec: Encodec) -> OnnxRuntime:
    """ONNX Runtime, opened and checked against PyTorch; UnsupportedError if it fails or differs.  [main]"""
    onnx = OnnxRuntime(codec)
    hop, state = max(HOPS_FRAMES), under_way(codec, 1)
    wanted, got = (_step(codec, runtime, hop, state) for runtime in (TorchRuntime(codec), onnx))
    error, most = float((got - wanted).abs().max()), EQUAL_TO * max(1.0, float(wanted.abs().max()))
    if not error <= most:
        raise UnsupportedError(f"ONNX Runtime differs from PyTorch by {error:.1e} on {onnx.device}, allowed {most:.1e}")
    return onnx


def _faster(codec: Encodec, memory: Path) -> Runtime:
    """The faster runtime, as remembered or newly measured."""
    plain = TorchRuntime(codec)
    if sum(weight.numel() for weight in codec.parameters()) < WORTH_MEASURING:
        return plain
    key = _key(codec)
    known = remembered.read(memory).get(key, {}).get("runtime")
    if known == plain.name:
        return plain
    try:
        onnx = opened(codec)
    except UnsupportedError as fault:
        _log.info("the codec runs in PyTorch: %s", fault)
        return plain
    by_name: dict[str, Runtime] = {plain.name: plain, onnx.name: onnx}
    if known == onnx.name:
        return onnx
    spent = measure(codec, [plain, onnx])
    found = {"runtime": min(by_name, key=lambda name: spent[name]), "ms_per_frame": spent}
    return by_name[remembered.settle(memory, key, found, lambda other: other.get("runtime") in by_name)["runtime"]]


def measure(codec: Encodec, runtimes: list[Runtime], budget_seconds: float = BUDGET_SECONDS) -> dict[str, float]:
    """Milliseconds a frame, the mean over the hops of medians; the runtimes alternate until time is up.  [main]"""
    state = under_way(codec, 1)
    took: dict[tuple[str, int], list[float]] = {}
    began = time.perf_counter()
    rounds = 0
    while rounds < LEAST_ROUNDS or time.perf_counter() - began < budget_seconds:
        for hop in HOPS_FRAMES:
            for runtime in runtimes:
                start = time.perf_counter()
                _step(codec, runtime, hop, state)
                took.setdefault((runtime.name, hop), []).append((time.perf_counter() - start) * 1000.0 / hop)
        rounds += 1
    return {
        runtime.name: round(statistics.mean(statistics.median(took[runtime.name, hop]) for hop in HOPS_FRAMES), 3)
        for runtime in runtimes
    }


def some_codes(codec: Encodec, n_streams: int, n_frames: int) -> Tensor:
    """Codes [B, K, T] with a long period, always the same, on the codec's device.  [any]"""
    numbers = torch.arange(n_streams * codec.n_codebooks * n_frames, device=codec.quantizer.get_buffer("tables").device)
    return (numbers * 7919 % codec.card).view(n_streams, codec.n_codebooks, n_frames)


def under_way(codec: Encodec, n_streams: int) -> DecoderState:
    """A state inside a stream, as in nearly all steps.  [generate]"""
    return codec.init_decoder(prompt_codes=some_codes(codec, n_streams, codec.reach.first_frames + 4))


def _step(codec: Encodec, runtime: Runtime, hop: int, state: DecoderState) -> Tensor:
    """One hop of decoding, finished when it returns."""
    assert state.past is not None
    with torch.no_grad():
        latents = codec.quantizer.decode(some_codes(codec, 1, hop))
        audio, _ = runtime.decode(latents, state.past)
    return audio.cpu()


def _key(codec: Encodec) -> str:
    """A hash of everything that the speed depends on."""
    device = codec.quantizer.get_buffer("tables").device
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
    machine = [str(device), name, platform.node(), os.cpu_count(), torch.get_num_threads()]
    return remembered.key_of(asdict(codec.config), machine, torch.__version__, _onnx_version())


def _onnx_version() -> str:
    for name in ("onnxruntime-gpu", "onnxruntime"):
        try:
            return f"{name} {metadata.version(name)}"
        except metadata.PackageNotFoundError:
            continue
    return ""
