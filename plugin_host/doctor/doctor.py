"""`segue doctor`: what this machine has, what works, and what to install for missing parts.

Every finding is tested: ONNX Runtime's providers run a session, PortAudio lists devices, ports are bound. Heavy
libraries are tested in a child process, so that a crash is a finding too.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import platform
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bridge.control.messages import DEFAULT_PORT
from bridge.ring import shared_memory
from bridge.system.dependencies import advice
from plugin_host.doctor.libraries import try_libraries
from plugin_host.doctor.probes import MIDI_PROBE, ONNX_PROBE, STEPS_PROBE, SYNC_PROBE, TORCH_PROBE

PROBE_SECONDS = 60
NEEDED_SHM_BYTES = 16 * 2**20
FOR_THE_DEMO = (
    "torch", "numpy", "python-osc", "soundfile", "safetensors", "platformdirs", "typer", "matplotlib", "packaging",
)  # fmt: skip
GOOD, NOTE, BAD = "ok", "--", "!!"


@dataclass(frozen=True)
class Finding:
    """One line: `mark` is ok, -- (missing, the main job works without it) or !! (the main job needs it)."""

    mark: str
    what: str
    text: str
    advice: str = ""


def examine(port: int = DEFAULT_PORT) -> list[Finding]:
    """All findings, in order; takes some seconds.  [main]"""
    checks: tuple[Callable[[], list[Finding]], ...] = (
        _machine, _libraries, _torch, _gpu, _onnx, _steps, _models, _audio, _midi, _sync, lambda: _ports(port),
        _shared_memory, _regions, _plugin,
    )  # fmt: skip
    return [finding for check in checks for finding in check()]


def _plugin() -> list[Finding]:
    """The DAW plugin: installed, or the requirements of building it."""
    from plugin_host.plugin.build import PluginBuildError, find_compiler
    from plugin_host.plugin.bundles import find_dpf
    from plugin_host.plugin.install import installed, shipped

    there = ", ".join(dict.fromkeys(str(path.parent) for path in installed()))
    if there:
        return [Finding(GOOD, "DAW plugin", f"in {there}")]
    if shipped() is not None:
        return [Finding(NOTE, "DAW plugin", "not installed", "segue plugin install  (it came with Segue)")]
    try:
        how = f"with {find_compiler()} and {find_dpf()}"
    except PluginBuildError as fault:
        return [Finding(NOTE, "DAW plugin", "not installed, and cannot be built here", str(fault))]
    return [Finding(NOTE, "DAW plugin", "not installed", f"segue plugin install  ({how})")]


def _machine() -> list[Finding]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    system = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}, {cores} CPU cores"
    if cores < 2:
        return [Finding(NOTE, "computer", system, "two cores are the least for playing live; --offline works")]
    return [Finding(GOOD, "computer", system)]


def _libraries() -> list[Finding]:
    """Import every library that Segue needs; one line for those that load."""
    found = try_libraries()
    if not found:
        return [Finding(NOTE, "libraries", "Segue is not installed: what it needs is not known", "pip install -e .")]
    broken = [library for library in found if library.fault]
    faults = {library.fault: library for library in sorted(broken, key=lambda one: one.name in FOR_THE_DEMO)}
    results = [
        Finding(BAD if library.name in FOR_THE_DEMO else NOTE, "libraries", library.fault, library.advice)
        for library in faults.values()  # several with the same reason are one finding
    ]
    return [*results, Finding(GOOD, "libraries", f"{len(found) - len(broken)} of {len(found)} load")]


def _probe(code: str) -> tuple[dict[str, object] | None, str]:
    """The JSON that a child process printed, or None and the reason."""
    command = [sys.executable, "-c", code]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PROBE_SECONDS)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired) as error:
        return None, str(error)
    if done.returncode != 0:
        ended = f"ended with code {done.returncode}"
        return None, (done.stderr.strip().splitlines() or [ended])[-1]
    try:
        found = json.loads(done.stdout.strip().splitlines()[-1])
    except (ValueError, IndexError):
        return None, "gave no answer"
    return found, ""


def _torch() -> list[Finding]:
    found, why = _probe(TORCH_PROBE)
    if found is None:
        return [Finding(BAD, "torch", why, advice("torch"))]
    devices = found["devices"]
    names = ", ".join(str(name) for name in devices) if isinstance(devices, list) else ""
    return [Finding(GOOD, "torch", f"{found['version']}; computes on {names}")]


def _gpu() -> list[Finding]:
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return [Finding(NOTE, "GPU", "no NVIDIA driver (nvidia-smi)", "not needed: the model runs on the CPU")]
    query = [tool, "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=20)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired) as error:
        return [Finding(NOTE, "GPU", f"nvidia-smi does not answer: {error}")]
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines()
        return [Finding(NOTE, "GPU", said[0] if said else f"nvidia-smi ended with code {done.returncode}")]
    return [Finding(GOOD, "GPU", f"{line}; MusicGen models run on it") for line in done.stdout.splitlines() if line]


def _onnx() -> list[Finding]:
    if importlib.util.find_spec("onnxruntime") is None:
        how = "not needed by the embedded model; pip install onnxruntime"
        return [Finding(NOTE, "ONNX Runtime", "not installed", how)]
    found, why = _probe(ONNX_PROBE)
    if found is None:
        return [Finding(NOTE, "ONNX Runtime", f"does not work: {why}", "pip install --force-reinstall onnxruntime")]
    providers = found["providers"]
    results = []
    for name, fault in providers.items() if isinstance(providers, dict) else ():
        tried = "runs" if not fault else f"listed, does not run: {fault}"
        results.append(Finding(NOTE if fault else GOOD, "ONNX Runtime", f"{found['version']} {name}: {tried}"))
    return results


def _steps() -> list[Finding]:
    """The executors of a model's steps on this processor."""
    found, why = _probe(STEPS_PROBE)
    if found is None:
        return [Finding(NOTE, "steps", f"could not be tried: {why}")]
    if found["native"]:
        return [Finding(GOOD, "steps", "native code takes a model's steps on this processor")]
    how = "slower, else all the same; docs/precision.md says how to build it"
    return [Finding(NOTE, "steps", f"PyTorch and ONNX Runtime take a model's steps: {found['why']}", how)]


def _models() -> list[Finding]:
    spec = importlib.util.find_spec("engine")
    folder = Path(spec.submodule_search_locations[0]) if spec and spec.submodule_search_locations else None
    shipped = sorted((folder / "models" / "embedded").glob("*.safetensors")) if folder else []
    if not shipped:
        return [Finding(BAD, "model", "the embedded model is not in the package", "install Segue again, whole")]
    size = sum(path.stat().st_size for path in shipped) / 2**20
    parts = re.search(r"-of-(\d+)$", shipped[0].stem)
    if parts and int(parts[1]) != len(shipped):
        text = f"{len(shipped)} of {int(parts[1])} files of the embedded model are there"
        return [Finding(BAD, "model", text, "install Segue again, whole")]
    return [Finding(GOOD, "model", f"embedded, {size:.0f} MB in {len(shipped)} files")]


def _audio() -> list[Finding]:
    from plugin_host.host import soundcard

    how = "not needed for WAV files"
    try:
        found = soundcard.outputs()
    except soundcard.SoundCardError as error:
        return [Finding(NOTE, "sound card", str(error), how)]
    except Exception as error:  # any error of PortAudio on a machine without sound
        return [Finding(NOTE, "sound card", f"PortAudio: {error}", how)]
    if not found:
        return [Finding(NOTE, "sound card", "PortAudio finds none that plays", f"{how}; is JACK running?")]
    return [Finding(GOOD, "sound card", name) for name in found]


def _midi() -> list[Finding]:
    if importlib.util.find_spec("mido") is None:
        return [Finding(NOTE, "MIDI", "mido is not installed", "for MIDI control: pip install mido python-rtmidi")]
    found, why = _probe(MIDI_PROBE)
    if found is None:
        return [Finding(NOTE, "MIDI", why, "for MIDI control: pip install python-rtmidi")]
    backends = found["backends"]
    results = []
    for name, state in backends.items() if isinstance(backends, dict) else ():
        works = isinstance(state, list)
        ports = ", ".join(state) if state else "works, no ports"
        text = ports if works else str(state)
        results.append(Finding(GOOD if works else NOTE, "MIDI", f"{name}: {text}"))
    if not any(finding.mark == GOOD for finding in results):
        results[-1:] = [
            Finding(NOTE, "MIDI", results[-1].text if results else "no back end", "pip install python-rtmidi")
        ]
    return results


def _sync() -> list[Finding]:
    """The leaders that `segue host --sync` can follow here."""
    found, why = _probe(SYNC_PROBE)
    if found is None:
        return [Finding(NOTE, "sync", why)]
    results = []
    for mode, state in found.items():
        how_it_is, text = state if isinstance(state, list) else ("broken", str(state))
        how = f"pip install 'segue[{mode}]'" if how_it_is == "missing" else ""
        results.append(Finding(GOOD if how_it_is == "works" else NOTE, "sync", f"--sync {mode}: {text}", how))
    return [*results, Finding(GOOD, "sync", "--sync osc, own: always there")]


def _ports(port: int) -> list[Finding]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            how = f"an engine that runs already? Another port: segue engine --port {port + 1}"
            return [Finding(NOTE, "UDP port", f"{port} is in use ({error.strerror})", how)]
    return [Finding(GOOD, "UDP port", f"{port} is free")]


def _shared_memory() -> list[Finding]:
    free = shared_memory.available_bytes()
    results = []
    if free is not None and free < NEEDED_SHM_BYTES:
        how = "in a container: --shm-size=64m; else free some of /dev/shm"
        results.append(Finding(BAD, "shared memory", f"{free / 2**20:.1f} MB free in /dev/shm", how))
    else:
        text = "available" if free is None else f"{free / 2**20:.0f} MB free"
        results.append(_try_segment(text))
    left = [name for name in shared_memory.existing() if not shared_memory.pid_alive(int(name.split("-")[1]))]
    if left:
        text = f"{len(left)} left by a killed engine"
        results.append(Finding(NOTE, "shared memory", text, "the next engine clears them away"))
    return results


def _try_segment(text: str) -> Finding:
    from bridge.errors import SegueError

    try:
        segment = shared_memory.Segment.create(shared_memory.segment_name(999_999), NEEDED_SHM_BYTES)
    except (SegueError, OSError) as error:
        return Finding(BAD, "shared memory", str(error), "is /dev/shm mounted and writable?")
    segment.unlink()
    segment.close()
    return Finding(GOOD, "shared memory", text)


def _regions() -> list[Finding]:
    from plugin_host.run.region_layout import shipped_regions

    missing = [name for name in ("numpy", "soundfile", "matplotlib") if importlib.util.find_spec(name) is None]
    results = [Finding(BAD, "libraries", f"{name} is not installed", f"pip install {name}") for name in missing]
    found = [] if missing else list(shipped_regions())
    if found:
        results.append(Finding(GOOD, "regions", ", ".join(found)))
    elif not missing:
        results.append(Finding(NOTE, "regions", "none in the package", "segue demo --region FILE takes yours"))
    return results


def version() -> str:
    """The version of the installed package, or of the checkout.  [any]"""
    try:
        return importlib.metadata.version("segue")
    except importlib.metadata.PackageNotFoundError:
        return "0 (not installed)"
