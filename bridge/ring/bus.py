"""Mappings that survive truncation: `segue_bus.h`, compiled when Segue is installed, if there is a compiler.

    python -m bridge.ring.bus [FILE]     compiles it; needs the standard library and a C compiler

Without it a truncated ring ends the process that reads it (SIGBUS), which Python code cannot catch.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import shutil
import sys
import tempfile
from functools import lru_cache
from pathlib import Path

from bridge.system.compiler import BuildError, build_command, put_in_place, run_compiler

HERE = Path(__file__).parent
LIBRARY = HERE / "_bus.so"
COMPILERS = ("cc", "gcc", "clang")


def build(out: Path = LIBRARY) -> Path:
    """Compile the library to `out`.  Raises BuildError.  [main]"""
    names = filter(None, (os.environ.get("CC"), *COMPILERS))
    compiler = next((found for name in names if (found := shutil.which(name))), "")
    if not compiler or sys.platform == "win32":
        raise BuildError(f"no C compiler: none of {', '.join(COMPILERS)} is there, and CC names none")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="segue-bus-") as work:
        made = Path(work) / out.name
        command = [compiler, "-std=gnu11", "-O2", "-fPIC", "-shared", "-fvisibility=hidden", "-Wall", "-Wextra"]
        command += [str(HERE / "bus.c"), "-o", str(made)]
        run_compiler(command)
        put_in_place(made, out)
    return out


@lru_cache(maxsize=1)
def _library() -> ctypes.CDLL | None:
    try:
        found = ctypes.CDLL(str(LIBRARY))
        found.bus_watch.argtypes = (ctypes.c_void_p, ctypes.c_size_t)
    except (OSError, AttributeError):
        return None
    return found


def available() -> bool:
    """Whether mappings are watched on this machine.  [any]"""
    return _library() is not None


def watch(mapped: mmap.mmap) -> int:
    """Make missing pages of a mapping read as zeros; returns its number, -1 if this is unavailable.  [any]"""
    library = _library()
    if library is None:
        return -1
    held = ctypes.c_char.from_buffer(mapped)
    address = ctypes.addressof(held)
    del held  # a mapping with a view cannot be closed
    return int(library.bus_watch(address, len(mapped)))


def forget(number: int) -> None:
    """Stop watching; call it before the mapping is closed.  [any]"""
    library = _library()
    if library is not None and number >= 0:
        library.bus_forget(number)


if __name__ == "__main__":
    sys.exit(build_command(build, LIBRARY))
