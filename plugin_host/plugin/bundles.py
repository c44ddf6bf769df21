"""The plugin's bundles in three formats: compiled, laid out in folders, and described.

`Segue` has two channels in and out, `Segue mono` one. VST3 and CLAP are described by their binaries. For LV2 the binary
writes the text, and this module adds the free-wheeling port, with which a host reports that it renders faster than
real time.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from plugin_host.plugin.build import (
    COMMON,
    SOURCES,
    PluginBuildError,
    Toolchain,
    compile_all,
    find_compiler,
    link,
    machine_folder,
)
from plugin_host.plugin.window import WINDOW_LIBRARIES, WINDOW_NEEDS, build_window, window_flags

DPF_FOLDERS = ("/usr/share/dpf", "/usr/local/share/dpf")
FORMATS = ("lv2", "vst3", "clap")
_OF_THE_WINDOW = ("port", "lane_now")
_NOT_ON_GUI = "http://lv2plug.in/ns/ext/port-props#notOnGUI"
_FREE_WHEELING = 'lv2:symbol "offline" ;'


@dataclass(frozen=True)
class Variant:
    """One of the plugins: its name in hosts and its compiler flags."""

    name: str
    flags: tuple[str, ...] = ()

    @property
    def file_name(self) -> str:
        """The name of its bundle, without spaces, which LV2's texts do not allow in file names.  [any]"""
        return self.name.replace(" ", "-")


VARIANTS = (Variant("Segue"), Variant("Segue mono", ("-DSEGUE_MONO",)))
UNITS = tuple((variant, kind) for variant in VARIANTS for kind in FORMATS)


def find_dpf() -> Path:
    """The framework's folder; PluginBuildError says what to install.  [main]"""
    wanted = os.environ.get("SEGUE_DPF")
    for folder in [wanted] if wanted else DPF_FOLDERS:
        if (Path(folder) / "distrho" / "DistrhoPluginMain.cpp").is_file():
            return Path(folder)
    where = wanted or " or ".join(DPF_FOLDERS)
    raise PluginBuildError(
        f"the DISTRHO Plugin Framework is not in {where}; install it (Debian, Ubuntu: apt install dpf-source) or "
        "fetch github.com/DISTRHO/DPF and set SEGUE_DPF to its folder"
    )


def build_bundles(
    out: Path,
    work: Path,
    units: Sequence[tuple[Variant, str]] = UNITS,
    level: str = "-O2",
    window: bool = False,
    common: Sequence[Path] = (),
) -> list[Path]:
    """Compile plugins, each in a format; returns their bundles in `out`. `work` is for object files.

    With `window` they have one, see `window.why_no_window`. `common` are the common objects, if they are compiled.

    PluginBuildError for a missing compiler or framework, or if the compilation fails.  [main]
    """
    if sys.platform == "win32":
        raise PluginBuildError("the plugin is built on Linux and macOS; on Windows it cannot be built yet")
    dpf, tools = find_dpf(), Toolchain(find_compiler(), level=level)
    work.mkdir(parents=True, exist_ok=True)
    jobs = [] if common else [(SOURCES / f"{name}.cpp", work / f"{name}.o") for name in COMMON]
    includes = [f"-I{dpf / 'distrho'}", *(window_flags(dpf) if window else [])]
    with ThreadPoolExecutor(os.cpu_count() or 2) as pool:
        compiled = pool.submit(compile_all, tools, jobs)
        shared = pool.submit(build_window, tools, dpf, work) if window else None
        special = list(pool.map(lambda unit: _compile(tools, work, includes, window, *unit), units))
    parts = Parts([*common, *compiled.result()], shared.result() if shared else [])
    return [_bundle(tools, *unit, parts, own, out) for unit, own in zip(units, special, strict=True)]


def _compile(
    tools: Toolchain, work: Path, includes: list[str], window: bool, variant: Variant, kind: str
) -> list[Path]:
    """The entries of one plugin: its own, and its window's."""
    flags = [*includes, *variant.flags, f"-DDISTRHO_PLUGIN_TARGET_{kind.upper()}", "-Wno-unused-parameter"]
    jobs = [(SOURCES / f"entry_{kind}.cpp", work / f"{variant.file_name}_{kind}.o")]
    if window:
        jobs.append((SOURCES / "window_entry.cpp", work / f"{variant.file_name}_{kind}_window.o"))
    return compile_all(tools, jobs, flags)


@dataclass(frozen=True)
class Parts:
    """Objects of all plugins, and of their windows, if they have any."""

    common: list[Path]
    window: list[Path]


def _bundle(tools: Toolchain, variant: Variant, kind: str, parts: Parts, own: list[Path], out: Path) -> Path:
    """Link one plugin; returns the bundle's path."""
    name = variant.file_name
    bundle = out / f"{name}.{kind}"
    if kind == "vst3":
        suffix = "" if sys.platform == "darwin" else ".so"
        binary = bundle / "Contents" / machine_folder() / f"{name}{suffix}"
    elif kind == "clap" and sys.platform != "darwin":
        binary = bundle
    elif kind == "clap":
        binary = bundle / "Contents" / "MacOS" / name
    else:
        name += "_dsp" if parts.window else ""
        binary = bundle / f"{name}{'.dylib' if sys.platform == 'darwin' else '.so'}"
    _link(tools, kind, parts, own, binary)
    if sys.platform == "darwin" and kind != "lv2":
        _write_property_list(bundle / "Contents" / "Info.plist", name)
    if kind == "lv2" and not tools.sanitize:
        _describe(bundle, binary, bool(parts.window))
    return bundle


def _link(tools: Toolchain, kind: str, parts: Parts, own: list[Path], binary: Path) -> None:
    """Link the plugin with its window; in LV2 the window is a file of its own, loaded only if it is opened."""
    if not parts.window:
        link(tools, [*parts.common, *own], binary)
        return
    if kind != "lv2":
        link(tools, [*parts.common, *parts.window, *own], binary, WINDOW_LIBRARIES)
        return
    link(tools, [*parts.common, own[0]], binary)
    needed = [path for path in parts.common if path.stem in WINDOW_NEEDS]
    link(
        tools, [*needed, *parts.window, own[1]], binary.with_stem(binary.stem.replace("_dsp", "_ui")), WINDOW_LIBRARIES
    )


def _describe(bundle: Path, binary: Path, window: bool) -> None:
    """Let the binary write its LV2 text, and mark ports: free-wheeling, and what only the window shows."""
    code = "import ctypes,sys; ctypes.CDLL(sys.argv[1]).lv2_generate_ttl(sys.argv[2].encode())"
    command = [sys.executable, "-c", code, str(binary.resolve()), binary.stem]
    done = subprocess.run(command, cwd=bundle, capture_output=True, text=True, timeout=60)  # noqa: S603 - our own
    if done.returncode:
        raise PluginBuildError(f"the LV2 plugin could not describe itself: {done.stderr[-500:]}")
    for path in bundle.glob("*.ttl"):
        text = path.read_text(encoding="utf-8")
        text = text.replace(_FREE_WHEELING, f"{_FREE_WHEELING}\n        lv2:designation lv2:freeWheeling ;")
        for symbol in _OF_THE_WINDOW if window else ():
            named = f'lv2:symbol "{symbol}" ;'
            text = text.replace(named, f"{named}\n        lv2:portProperty <{_NOT_ON_GUI}> ;")
        path.write_text(text, encoding="utf-8")


def _write_property_list(path: Path, name: str) -> None:
    """Write the property list of a macOS bundle."""
    import plistlib

    identifier = f"org.segue.{name.lower()}"
    values = {"CFBundleExecutable": name, "CFBundleIdentifier": identifier, "CFBundlePackageType": "BNDL"}
    path.write_bytes(plistlib.dumps(values))
