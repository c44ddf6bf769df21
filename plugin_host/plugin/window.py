"""Compiling the plugin's window: its sources, and the framework's for windows (DGL with NanoVG, on X11 and OpenGL).

src/window_*.cpp + DPF's dgl/  --once--> objects --> VST3, CLAP: into the plugin;  LV2: Segue_ui.so
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from plugin_host.plugin.build import SOURCES, PluginBuildError, Toolchain, compile_all, find_compiler

WINDOW = (
    "window", "window_input", "window_draw", "window_sound", "window_controls", "window_link", "window_text",
    "window_memory",
)  # fmt: skip
WINDOW_NEEDS = ("osc", "engine_order")  # of the plugin's common sources
WINDOW_LIBRARIES = ("-lX11", "-lGL")
DGL = (
    "Application", "ApplicationPrivateData", "Color", "EventHandlers", "Geometry", "ImageBase", "ImageBaseWidgets",
    "Layout", "Resources", "SubWidget", "SubWidgetPrivateData", "TopLevelWidget", "TopLevelWidgetPrivateData",
    "Widget", "WidgetPrivateData", "Window", "WindowPrivateData", "OpenGL", "NanoVG", "pugl",
)  # fmt: skip
_DEFINED = ("HAVE_X11", "HAVE_OPENGL", "HAVE_DGL", "DGL_OPENGL", "DGL_FILE_BROWSER_DISABLED", "SEGUE_WINDOW")
_PROBE = "#include <X11/Xlib.h>\n#include <X11/Xresource.h>\n#include <GL/gl.h>\nint main() { glFlush(); XFlush(0); }\n"
_QUIET = ("-w",)  # the framework's own warnings


def window_flags(dpf: Path) -> list[str]:
    """Compiler flags of everything that belongs to a plugin with a window.  [any]"""
    return [*(f"-D{name}" for name in _DEFINED), f"-I{dpf / 'dgl'}", f"-I{dpf}"]


def build_window(tools: Toolchain, dpf: Path, work: Path) -> list[Path]:
    """The objects of the window, for all formats; PluginBuildError if they do not compile.  [main]"""
    source = dpf / "dgl" / "src"
    flags, distrho = window_flags(dpf), f"-I{dpf / 'distrho'}"
    dgl = [(source / f"{name}.cpp", work / f"dgl_{name}.o") for name in DGL]
    includes = [f"-I{source}", f"-I{source / 'pugl-upstream' / 'include'}", "-DDONT_SET_USING_DGL_NAMESPACE"]
    objects = compile_all(tools, dgl, [*flags, *includes, *_QUIET])
    own = [(SOURCES / f"{name}.cpp", work / f"{name}.o") for name in WINDOW]
    named = ["-DDISTRHO_PLUGIN_TARGET_CLAP", "-Wno-unused-parameter"]
    return [*objects, *compile_all(tools, own, [*flags, distrho, *named])]


def why_no_window() -> str:
    """What a window lacks on this machine, with the command that installs it; empty: it can be built.  [main]"""
    if sys.platform != "linux":
        return "it was written for Linux (X11)"
    try:
        compiler = find_compiler()
    except PluginBuildError:
        return ""  # the build says it
    with tempfile.TemporaryDirectory(prefix="segue-probe-") as folder:
        source = Path(folder) / "probe.cpp"
        source.write_text(_PROBE)
        command = [compiler, str(source), "-o", str(source.with_suffix("")), *WINDOW_LIBRARIES]
        done = subprocess.run(command, capture_output=True, timeout=60)  # noqa: S603 - our own command line
    return "apt install libx11-dev libgl-dev  (X11 and OpenGL)" if done.returncode else ""
