"""Which devices `--device auto` means for a model, and the faster of two for the embedded one. All of it [load].

MusicGen           a GPU if there is one, else the CPU; 8 and 4 bits run on a CPU only
embedded           whichever is measured faster: its steps are so small that a GPU may gain nothing

<cache>/embedded_device.json     {key: {"device": "cpu", "realtime_ratio": {"cpu": 12.1, "cuda": 9.4}}}
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from engine.checkpoints.cache import default_cache_dir
from engine.errors import EngineError
from engine.lm.executors.weight_bytes import CODE_BYTES
from engine.models.device import pick_device
from engine.models.load import EMBEDDED
from engine.serve.screen import say
from engine.serve.state import Hot, Wanted
from engine.system import remembered

AUTO, CPU = "auto", "cpu"
LoadOn = Callable[[str], Hot]


def device_of(wanted: Wanted) -> str:
    """The device for a model, as far as it needs no measuring; EngineError for one that is missing."""
    if wanted.device == AUTO and wanted.precision in CODE_BYTES:
        return CPU
    return pick_device(wanted.device)


def load_on_faster(wanted: Wanted, threads: int, load_on: LoadOn, memory: Path | None = None) -> Hot:
    """The model as `load_on(device)` makes it, on the device that `wanted` means.

    With device "auto" and a GPU the embedded model is loaded on both and the one with the higher real-time factor is
    used, unless this machine has been measured. A GPU that fails is not tried again, and a note says why.  Raises what
    `load_on` does.
    """
    device = device_of(wanted)
    if wanted.device != AUTO or wanted.name != EMBEDDED or device == CPU:
        return load_on(device)
    path = memory or default_cache_dir() / "embedded_device.json"
    key = _key(device, wanted, threads)
    found = remembered.read(path).get(key, {}).get("device")
    if found in (CPU, device):
        return load_on(found)
    on_cpu = load_on(CPU)
    try:
        on_gpu = load_on(device)
    except (EngineError, RuntimeError) as fault:
        note = f"it plays on the processor: {device} cannot run it ({str(fault).splitlines()[0][:160]})"
        return replace(on_cpu, notes=(*on_cpu.notes, note))
    ratios = {hot.device: round(hot.realtime_ratio, 2) for hot in (on_cpu, on_gpu)}
    by_device = {hot.device: hot for hot in (on_cpu, on_gpu)}
    faster = max(by_device, key=lambda name: by_device[name].realtime_ratio)
    say(f"measured: {', '.join(f'{ratio:g} times real time on {name}' for name, ratio in ratios.items())}")
    measured = {"device": faster, "realtime_ratio": ratios}
    return by_device[remembered.settle(path, key, measured, lambda other: other.get("device") in by_device)["device"]]


def _key(device: str, wanted: Wanted, threads: int) -> str:
    name = torch.cuda.get_device_name(device) if device.startswith("cuda") else device
    return remembered.key_of(
        name, platform.machine(), platform.node(), os.cpu_count(), threads, wanted.precision, torch.__version__
    )
