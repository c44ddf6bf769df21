"""Running the C or C++ compiler, and installing its result. Standard library only: setup.py uses it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

SECONDS_MAX = 300


class BuildError(Exception):
    """There is no compiler, or the compilation fails; the message says which.  [any]"""


def run_compiler(command: Sequence[str]) -> None:
    """Run a compiler or linker; BuildError with the end of its output.  [main]"""
    try:
        done = subprocess.run(  # noqa: S603 - our own command line
            list(command), capture_output=True, text=True, timeout=SECONDS_MAX, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BuildError(f"{command[0]} does not run: {error}") from error
    if done.returncode:
        raise BuildError(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")


def put_in_place(made: Path, out: Path) -> None:
    """Copy a library beside `out`, then rename it: other processes may have the old one open.  [main]"""
    fresh = out.with_name(f"{out.name}.{os.getpid()}")
    shutil.copyfile(made, fresh)
    fresh.replace(out)


def build_command(build: Callable[[Path], Path], library: Path) -> int:
    """A module's command, `[FILE]`: 0 and the library's path, or 1 and the reason.  [main]"""
    try:
        print(build(Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else library))
    except BuildError as error:
        print(error, file=sys.stderr)
        return 1
    return 0
