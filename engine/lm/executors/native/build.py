"""Compile the native step: `python -m engine.lm.executors.native.build [FILE]`.

Needs the standard library and a C++ compiler.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import sys
import tempfile
from pathlib import Path

from bridge.system.compiler import BuildError, build_command, put_in_place, run_compiler

HERE = Path(__file__).parent
LIBRARY = HERE / "_step.so"
COMPILERS = ("c++", "g++", "clang++")
COMMON = (
    "-std=c++17",
    "-O3",
    "-fPIC",
    "-fvisibility=default",
    "-Wall",
    "-Wno-uninitialized",
    "-Wno-maybe-uninitialized",
)
WIDE = ("-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mavx512vnni", "-mfma")
SOURCES: dict[str, tuple[str, ...]] = {
    "processor.cpp": (),
    "step.cpp": WIDE,
    "draw.cpp": WIDE,
    "tile.cpp": WIDE,
    "phase.cpp": WIDE,
}


def find_compiler() -> str:
    """The compiler's path: $CXX or the first one found.  Raises BuildError, also on unsupported CPUs.

    [any]
    """
    if platform.machine().lower() not in ("x86_64", "amd64") or sys.platform == "win32":
        raise BuildError(
            f"the native step is for x86-64 on Linux and macOS, this is {platform.machine()}, {sys.platform}"
        )
    for name in filter(None, (os.environ.get("CXX"), *COMPILERS)):
        found = shutil.which(name)
        if found:
            return found
    raise BuildError(f"no C++ compiler: none of {', '.join(COMPILERS)} is there, and CXX names none")


def stamp() -> str:
    """A stamp of the sources in this folder; a library has the stamp of its own sources.  [any]"""
    found = sorted([*HERE.glob("*.cpp"), *HERE.glob("*.h")])
    return hashlib.sha256(b"".join(path.read_bytes() for path in found)).hexdigest()[:16]


def build(out: Path = LIBRARY, extra: tuple[str, ...] = ()) -> Path:
    """Compile the library to `out`, with `extra` flags.  Raises BuildError.  [main]"""
    compiler = find_compiler()
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="segue-native-") as work:
        objects = []
        for source, flags in SOURCES.items():
            objects.append(str(Path(work) / f"{source}.o"))
            run_compiler(
                [
                    compiler,
                    *COMMON,
                    *flags,
                    *extra,
                    f'-DSEGUE_STAMP="{stamp()}"',
                    "-c",
                    str(HERE / source),
                    "-o",
                    objects[-1],
                ]
            )
        made = Path(work) / out.name
        alone = ("-static-libstdc++", "-static-libgcc") if sys.platform == "linux" and not extra else ()
        run_compiler([compiler, "-shared", "-pthread", *alone, *extra, *objects, "-o", str(made)])
        put_in_place(made, out)
    return out


if __name__ == "__main__":
    sys.exit(build_command(build, LIBRARY))
