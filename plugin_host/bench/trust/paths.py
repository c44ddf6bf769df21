"""Row 14: paths that lead elsewhere, to the reader of regions: nothing but a plain file is opened.

Python's audit hook sees every file that is opened. The twin opens whatever it is given.
"""

from __future__ import annotations

import os
import random
import stat
import sys
from collections.abc import Callable
from pathlib import Path

from bridge.errors import RegionError
from bridge.region.region_file import read_region
from plugin_host.bench.trust.figure import Figure, counted
from plugin_host.bench.trust.stage import Stage

DEVICES = ("/dev/zero", "/dev/full", "/dev/random", "/dev/stdin", "/dev/fd/0", "/proc/self/mem", "/proc/self/environ")
PARTS = (
    "..",
    ".",
    "",
    "~",
    "%2e%2e",
    "a\0b",
    "\udcff",
    "é" * 60,
    "x" * 255,
    "x" * 300,
    "\n",
    "CON",
    "*",
    "$HOME",
    "`id`",
)


def traps(folder: Path) -> list[str]:
    """Links, pipes, sockets and folders, made in a folder.  [main]"""
    import socket

    os.mkfifo(folder / "pipe.wav")
    (folder / "folder.wav").mkdir()
    (folder / "empty.wav").touch()
    for name, target in (("link.wav", "/dev/zero"), ("loop.wav", "loop.wav"), ("pipe-link.wav", "pipe.wav"),
                         ("gone.wav", "/nowhere/at/all"), ("folder-link.wav", "/etc")):  # fmt: skip
        (folder / name).symlink_to(target)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / "socket.wav"))
    return [str(path) for path in folder.iterdir()]


def shapes(folder: Path, count: int) -> list[str]:
    """`count` paths: the traps, devices, and seeded ones of odd parts.  [main]"""
    rng, found = random.Random(14), [*traps(folder), *DEVICES, "", "/", ".", "..", "riff.wav", "~nobody/riff.wav"]
    while len(found) < count:
        depth = rng.choice((1, 2, 3, 8, 40))
        head = rng.choice(("", "/", str(folder) + "/", "/proc/self/root/dev/", "/dev/", "~/"))
        found.append(head + "/".join(rng.choice((*PARTS, "zero", "etc", "pipe.wav")) for _ in range(depth)))
    return found[:count]


def opened_by(read: Callable[[str], object], paths: list[str]) -> list[str]:
    """What was opened that is no plain file, or raised what is no RegionError.  [main]"""
    faults, now, watching = list[str](), [""], [True]

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if watching[0] and event == "open" and isinstance(arguments[0], str):
            try:
                plain = stat.S_ISREG(os.stat(arguments[0]).st_mode)
            except (OSError, ValueError):
                plain = True  # it is not there: the system refuses it
            if not plain or arguments[0].startswith(("/proc/self/mem", "/proc/self/environ")):
                faults.append(f"{now[0][:60]!r} opened {arguments[0][:60]!r}")

    sys.addaudithook(hook)
    for path in paths:
        now[0] = path
        try:
            read(path)
        except RegionError:
            continue
        except Exception as error:
            faults.append(f"{path[:60]!r}: {type(error).__name__}: {error}")
    watching[0] = False
    return faults


def believing(path: str) -> None:
    """What opens all but pipes, which would stand still.  [main]"""
    if os.path.exists(path) and not path.endswith(("pipe.wav", "pipe-link.wav", "stdin", "0")):
        with open(path, "rb") as file:
            file.read(64)


def measure(stage: Stage) -> Figure:
    """The row.  [main]"""
    count = stage.count(500, 2_000, 20_000)
    read = believing if stage.twin else lambda path: read_region(path, "continue", 120.0, 0.0)
    return counted(count, "paths", opened_by(read, shapes(stage.folder, count)))
