"""Compiling the plugin from src/ with this machine's C++ compiler and the DISTRHO Plugin Framework (DPF).

    common sources --once--> objects --+--> Segue.clap
    plugin.cpp + entry_<format>.cpp ---+--> Segue.vst3/Contents/x86_64-linux/Segue.so
                                       +--> Segue.lv2/Segue.so + .ttl

Segue contains no part of DPF; it is used from $SEGUE_DPF or /usr/share/dpf.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

SOURCES = Path(__file__).parent / "src"
BRIDGE = Path(__file__).parents[2] / "bridge"
COMMON = (
    "segment", "ring_reader", "held_bar", "processor", "host_time", "osc", "link",
    "capture", "saved_capture", "jam_plan", "jam_pace", "jam_presses", "jam_memory", "jam_leak", "session",
    "session_send", "session_captures", "session_jam", "session_orders", "session_presses", "session_show",
    "session_start", "session_view", "engine_order", "engine_start", "lane_host",
)  # fmt: skip
TESTED = (
    "segment", "ring_reader", "held_bar", "processor", "jam_plan", "jam_pace", "jam_presses", "jam_memory", "jam_leak",
    "count", "capi",
)  # fmt: skip
FLAGS = ("-std=c++17", "-fPIC", "-fvisibility=hidden", "-ffp-contract=off", "-Wall", "-Wextra", "-pthread")
SECONDS_MAX = 300


class PluginBuildError(Exception):
    """Something is missing or does not compile; the message says what."""


@dataclass(frozen=True)
class Toolchain:
    """Compiler and its extra flags; `sanitize` is a comma list such as address,undefined."""

    compiler: str
    sanitize: str = ""
    level: str = "-O2"

    def flags(self) -> list[str]:
        """Flags of every compile and link.  [any]"""
        if not self.sanitize:
            return [*FLAGS, self.level]
        visible = [flag for flag in FLAGS if flag != "-fvisibility=hidden"]
        return [*visible, "-O1", "-g", "-fno-omit-frame-pointer", f"-fsanitize={self.sanitize}"]


def find_compiler() -> str:
    """The C++ compiler: $CXX, g++ or clang++; PluginBuildError says what to install.  [main]"""
    wanted = [os.environ["CXX"]] if os.environ.get("CXX") else ["g++", "clang++"]
    for name in wanted:
        found = shutil.which(name)
        if found:
            return found
    how = "xcode-select --install" if sys.platform == "darwin" else "apt install g++  (or your system's C++ compiler)"
    raise PluginBuildError(f"no C++ compiler found (looked for {', '.join(wanted)}); install one: {how}")


def run_tool(command: Sequence[str], folder: Path | None = None) -> None:
    """Run a compiler or linker; PluginBuildError with the end of its output.  [main]"""
    try:
        done = subprocess.run(  # noqa: S603 - our own command line
            list(command), cwd=folder, capture_output=True, text=True, timeout=SECONDS_MAX, errors="replace"
        )
    except (OSError, subprocess.TimeoutExpired) as fault:
        raise PluginBuildError(f"{command[0]} did not run: {fault}") from None
    if done.returncode:
        raise PluginBuildError(f"{' '.join(command[:1])} failed:\n{(done.stderr or done.stdout)[-4000:]}")


def compile_all(tools: Toolchain, jobs: Sequence[tuple[Path, Path]], extra: Sequence[str] = ()) -> list[Path]:
    """Compile (source, object) pairs, one on each processor; returns the objects.  [main]"""
    includes = [f"-I{SOURCES}", f"-I{BRIDGE / 'ring'}", f"-I{BRIDGE / 'region'}"]

    def one(job: tuple[Path, Path]) -> Path:
        source, target = job
        run_tool([tools.compiler, *tools.flags(), *includes, *extra, "-c", str(source), "-o", str(target)])
        return target

    with ThreadPoolExecutor(os.cpu_count() or 2) as pool:
        return list(pool.map(one, jobs))


def link(tools: Toolchain, objects: Sequence[Path], target: Path, libraries: Sequence[str] = ()) -> Path:
    """A shared library of objects.  [main]"""
    target.parent.mkdir(parents=True, exist_ok=True)
    system = [] if sys.platform == "darwin" else ["-lrt", "-Wl,--no-undefined"] if not tools.sanitize else ["-lrt"]
    run_tool([tools.compiler, *tools.flags(), "-shared", *map(str, objects), "-o", str(target), *libraries, *system])
    return target


def build_core(folder: Path, sanitize: str = "") -> Path:
    """The audio thread's part with C functions, as a shared library for tests and measurements.  [main]"""
    folder.mkdir(parents=True, exist_ok=True)
    tools = Toolchain(find_compiler(), sanitize)
    jobs = [(SOURCES / f"{name}.cpp", folder / f"{name}.o") for name in TESTED]
    return link(tools, compile_all(tools, jobs, ["-DSEGUE_CAPI", "-fvisibility=default"]), folder / "libsegue_core.so")


def build_count(folder: Path, sanitize: str) -> Path:
    """The ring test as a program under a sanitizer.  [main]"""
    return build_program(folder, ("segment", "ring_reader", "count", "count_main"), "count", sanitize)


def build_program(folder: Path, names: Sequence[str], program: str, sanitize: str = "") -> Path:
    """A program of these sources, as `folder`/`program`; PluginBuildError.  [main]"""
    folder.mkdir(parents=True, exist_ok=True)
    tools, target = Toolchain(find_compiler(), sanitize), folder / program
    jobs = [(SOURCES / f"{name}.cpp", folder / f"{name}.o") for name in names]
    run_tool([tools.compiler, *tools.flags(), *map(str, compile_all(tools, jobs)), "-o", str(target), "-lrt", "-ldl"])
    return target


def machine_folder() -> str:
    """The folder of this machine's binary in a VST3 bundle.  [any]"""
    return "MacOS" if sys.platform == "darwin" else f"{platform.machine()}-linux"
