"""Memory: a model's need, what is free, and returning an old model's.

The need is estimated from file sizes before loading: weights at the requested precision, the text encoder that
audiocraft's checkpoints omit, ONNX Runtime's copies of the codec, a share for caches and the like.
"""

from __future__ import annotations

import gc
from pathlib import Path

from engine.checkpoints.find import find
from engine.checkpoints.plain_file import header_of
from engine.errors import CheckpointError, EngineError
from engine.serve.lane.timing import resident_mb
from engine.system.freed_memory import trim

SHARE = 1.3  # of the weights: temporary copies, caches, activations
LEAST_MB = 64.0
RESERVE_MB = 256.0  # reserve for other processes
T5_PARAMETERS = 110e6  # t5-base's encoder, if it is not found to be measured
EMBEDDED_PARAMETERS = 17e6
ENCODEC_PARAMETERS = 59e6  # of every published model's codec
CODEC_MB = 270.0 + 200.0  # ONNX Runtime's copies of its decoder and encoder (docs/codec.md)


def need_mb(name: str, bytes_per_weight: float, t5: str | None = None) -> float:
    """Memory in MB that a model will take; 0 if its files are not on this machine yet.  [load]"""
    if name == "embedded":
        return LEAST_MB + SHARE * 4 * EMBEDDED_PARAMETERS / 1e6
    try:
        folder = find(name)
    except EngineError:
        return 0.0
    weights = _parameters(folder)
    encoder = 0.0
    if (folder / "state_dict.bin").exists() and not (folder / "model.safetensors").exists():
        encoder = _text_encoder(t5)
    codec = CODEC_MB if weights > ENCODEC_PARAMETERS else 0.0  # a second runtime does not pay for smaller codecs
    return LEAST_MB + codec + SHARE * (weights * bytes_per_weight + 4 * encoder) / 1e6


def _text_encoder(t5: str | None) -> float:
    try:
        return _parameters(find(t5 or "t5-base")) or T5_PARAMETERS
    except EngineError:
        return T5_PARAMETERS


def _parameters(folder: Path) -> float:
    """Number of weights in a folder, in either format (the published pickles hold 2 bytes each)."""
    stored = [_safetensors_parameters(path) for path in folder.glob("*.safetensors") if path.is_file()]
    if not stored:
        stored = [path.stat().st_size / 2 for path in folder.glob("*.bin") if path.is_file()]
    return sum(stored)


def _safetensors_parameters(path: Path) -> float:
    """Elements of all tensors, from the header as loading reads it; half the file's size if it is invalid."""
    try:
        return float(header_of(path).n_parameters)
    except CheckpointError:
        return path.stat().st_size / 2


def free_mb(device: str, limit_mb: float = 0.0) -> float:
    """Memory in MB that a model may still take on a device.

    On the CPU what the system (and a container's limit) has left, less a reserve; with `limit_mb` at most this
    process's distance from it.  [load]
    """
    if device.startswith("cuda"):
        import torch

        return float(torch.cuda.mem_get_info(device)[0]) / 1e6
    free = min(_system_free_mb(), _container_free_mb()) - RESERVE_MB
    return min(free, limit_mb - resident_mb()) if limit_mb else free


def free_text(free_mb: float, limit_mb: float, device: str = "cpu") -> str:
    """Text on free memory for errors; names the user's limit if one is set and applies.  [load]"""
    text = f"{max(free_mb, 0):.0f} MB are free"
    if not limit_mb or device.startswith("cuda"):
        return text
    return f"{text} (--memory-mb allows {limit_mb:.0f} MB, the process has {resident_mb():.0f} MB already)"


def _system_free_mb() -> float:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(curve.split()[1]) / 1e3 for curve in lines if curve.startswith("MemAvailable:"))
    except (OSError, ValueError, StopIteration):
        return float("inf")  # unknown on this system: allocation itself must fail


def _container_free_mb() -> float:
    try:
        root = Path("/sys/fs/cgroup")
        most = (root / "memory.max").read_text().strip()
        used = int((root / "memory.current").read_text())
        stat = dict(curve.split() for curve in (root / "memory.stat").read_text().splitlines())
        return float("inf") if most == "max" else (int(most) - used + int(stat.get("inactive_file", 0))) / 1e6
    except (OSError, ValueError):
        return float("inf")


def give_back() -> None:
    """Return unused memory to the system, on CPU and GPU.  [load]"""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    trim()
