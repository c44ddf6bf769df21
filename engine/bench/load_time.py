"""The cost of loading a model on this computer: seconds and peak memory, each in its own process.

    python -m engine.bench.load_time melody [--dtype bfloat16] [--against-float32]

Peak is the process' high-water mark (VmHWM). The bound: the increase by loading, divided by the bytes of the weights
at the requested precision, is at most 1.3; interpreter and torch, about half a gigabyte, are reported separately. With
--against-float32 the logits of random tokens are compared with those in float32.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

BOUND = 1.3
DTYPES = ("float32", "float16", "bfloat16", "int8", "int4")
_STEPS = 24


def peak_bytes() -> int:
    """This process's peak memory; 0 if the system does not report it.  [any]"""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0
    found = [int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")]
    return found[0] if found else 0


def measure_here(name: str, device: str, dtype: str | None, frames: int) -> dict[str, Any]:
    """Load and generate in this process; figures in seconds and bytes.  [main]"""
    import torch

    from engine.api.musicgen import MusicGen
    from engine.models.load import load_model

    before = peak_bytes()
    began = time.monotonic()
    stages: dict[str, float] = {}
    at, since = "reading", began

    def on_progress(stage: str, done: float, total: float) -> None:
        nonlocal at, since
        now = time.monotonic()
        stages[at] = stages.get(at, 0.0) + now - since
        at, since = stage, now

    model = load_model(name, device, dtype=getattr(torch, dtype) if dtype else None, on_progress=on_progress)
    on_progress("ready", 0, 0)
    loaded = time.monotonic() - began
    figures: dict[str, Any] = {
        "name": name,
        "load_seconds": loaded,
        "stages_seconds": stages,
        "weights_bytes": _weights_bytes(model),
        "before_bytes": before,
        "loaded_peak_bytes": peak_bytes(),
    }
    if frames:
        player = MusicGen(model)
        player.set_generation_params(duration=frames / 50)
        began = time.monotonic()
        audio = player.generate(["a warm bass and a slow beat"], seed=1)
        figures["generate_seconds"] = time.monotonic() - began
        figures["audio_seconds"] = audio.shape[-1] / player.sample_rate
        figures["finite"] = bool(audio.isfinite().all())
        figures["generated_peak_bytes"] = peak_bytes()
    return figures


def _weights_bytes(model: Any) -> int:
    """Bytes of all modules' weights, each storage counted once, and of quantised copies."""
    from torch import nn

    seen: dict[int, int] = {}
    queue, known = [model.lm, model.codec, model.conditioner], set()
    while queue:
        item = queue.pop()
        if id(item) in known:
            continue
        known.add(id(item))
        if isinstance(item, nn.Module):
            seen |= {tensor.data_ptr(): tensor.nbytes for tensor in item.state_dict().values()}
        elif type(item).__module__.startswith("engine."):
            queue += [value for value in vars(item).values() if hasattr(value, "__dict__")]
    return sum(seen.values()) + model.executor.held_bytes


def compare_here(name: str, device: str, dtype: str) -> dict[str, Any]:
    """Logits of random tokens at `dtype` and in float32, one model after the other.  [main]"""
    import gc

    import torch

    from engine.core.guidance import Guidance
    from engine.model import Ask
    from engine.models.load import load_model

    logits = []
    for kind in (torch.float32, getattr(torch, dtype)):
        model = load_model(name, device, dtype=kind)
        lm, executor = model.lm, model.executor
        (conditions,) = model.conditioner([Ask(text="a warm bass")], Guidance(), 0, 100)[0]
        generator = torch.Generator().manual_seed(0)
        tokens = torch.randint(0, lm.config.card, (1, lm.config.n_codebooks, _STEPS), generator=generator).to(device)
        tokens = tokens.expand(conditions.rows or 1, -1, -1)
        state = executor.init_state(tokens.shape[0], _STEPS, conditions)
        steps = [executor.prefill(tokens[..., :4], conditions, state)]
        steps += [executor.step(tokens[..., step], state) for step in range(4, _STEPS)]
        logits.append(torch.stack(steps).float().cpu())
        del model, lm, executor, state, conditions
        gc.collect()
    exact, near = logits
    spread = float(exact.std())
    return {
        "dtype": dtype,
        "logits_std": spread,
        "error_std": float((near - exact).std()) / spread,
        "error_max": float((near - exact).abs().max()) / spread,
    }


def _in_own_process(arguments: list[str]) -> dict[str, Any]:
    command = [sys.executable, "-m", "engine.bench.load_time", *arguments, "--here"]
    child = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own module
    if child.returncode:
        raise SystemExit(f"measuring failed:\n{child.stderr[-2000:]}")
    figures: dict[str, Any] = json.loads(child.stdout.splitlines()[-1])
    return figures


def grown(figures: dict[str, Any]) -> float:
    """The increase of the peak by loading, divided by the weights' bytes.  [any]"""
    return float((figures["loaded_peak_bytes"] - figures["before_bytes"]) / figures["weights_bytes"])


def _print_figures(figures: dict[str, Any]) -> None:
    gigabyte, weights = 1e9, figures["weights_bytes"]
    ratio = grown(figures)
    print(f"{figures['name']}: loaded in {figures['load_seconds']:.1f} s")
    for stage, seconds in figures["stages_seconds"].items():
        print(f"    {stage:<12} {seconds:6.1f} s")
    print(f"    weights      {weights / gigabyte:6.2f} GB")
    peak = figures["loaded_peak_bytes"]
    print(f"    peak         {peak / gigabyte:6.2f} GB  ({peak / weights:.2f} x)")
    print(f"      of which   {figures['before_bytes'] / gigabyte:6.2f} GB before loading began")
    print(f"      by loading {ratio:6.2f} x the weights (bound {BOUND})")
    if "generate_seconds" in figures:
        peak = figures["generated_peak_bytes"]
        print(f"    generated    {figures['audio_seconds']:6.2f} s of audio in {figures['generate_seconds']:.1f} s")
        print(f"    peak then    {peak / gigabyte:6.2f} GB  ({peak / weights:.2f} x)")


def main(arguments: list[str]) -> int:
    """The command; returns 1 if the peak exceeds the bound.  [main]"""
    parser = argparse.ArgumentParser(prog="python -m engine.bench.load_time", description=__doc__)
    parser.add_argument("name", help="a model's name, or a folder")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", choices=DTYPES)
    parser.add_argument("--frames", type=int, default=10, help="frames to generate afterwards, 50 a second")
    parser.add_argument("--against-float32", action="store_true", help="compare the logits of --dtype with float32")
    parser.add_argument("--json", action="store_true", help="one line of JSON instead of text")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.against_float32 and given.dtype not in DTYPES[1:]:
        parser.error(f"--against-float32 needs --dtype {', '.join(DTYPES[1:-1])} or {DTYPES[-1]}")
    if given.here:
        measured = compare_here(given.name, given.device, given.dtype) if given.against_float32 else None
        print(json.dumps(measured or measure_here(given.name, given.device, given.dtype, given.frames)))
        return 0
    figures = _in_own_process(arguments)
    if given.json:
        print(json.dumps(figures))
    elif given.against_float32:
        print(f"{given.name} in {given.dtype}, error over the float32 logits' spread ({figures['logits_std']:.2f}):")
        print(f"    standard deviation {figures['error_std']:.5f}, largest {figures['error_max']:.5f}")
    else:
        _print_figures(figures)
    return 0 if given.against_float32 or grown(figures) <= BOUND else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
