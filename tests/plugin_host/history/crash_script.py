"""Run with failing_calls.c preloaded: every file call of a session fails, or ends the process, in turn.

    crash_script.py LIBRARY FOLDER

Each case is a process of its own, forked from this one. Prints how many calls there
were, by mode; exits with the first fault.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

from sessions import stretch

from bridge.errors import SegueError
from plugin_host.history.check import faults_of
from plugin_host.history.head import go
from plugin_host.history.history import History

MODES = {
    "fails once": (0, 1),
    "disk full": (1, 3),
    "all fail": (2, 3),
    "killed": (3, 1),
    "killed within a write": (4, 2),
}
TAKES, CALLS_MAX = 2, 1000
UNNAMED, UNFLUSHED = 97, 98  # exit codes: a file got its name before it was flushed; a keep returned before that


def flushed(library: ctypes.CDLL) -> None:
    """End the process if something that was written is not on the disk, now that a keep has returned."""
    if library.unflushed():
        os._exit(UNFLUSHED)


def keeps(library: ctypes.CDLL, folder: Path, kept: mmap.mmap, again: bool) -> None:
    """Make takes and keep each; `kept` counts those whose keep has returned. `again`: a failed one is tried again."""
    with History(folder, create=True) as history:
        for number in range(TAKES):
            for tries in range(2):
                try:
                    (node,) = history.add([stretch(folder, f"take-{number}-{tries}")])
                    history.keep([node.number])
                    flushed(library)
                    go(history, node.number)
                    break
                except SegueError:
                    if not again or tries:
                        raise
            kept[0] += 1
            kept[kept[0]] = node.number


def tried(library: ctypes.CDLL, folder: Path, kept: mmap.mmap, again: bool) -> bool:
    """Whether `keeps` ended without a fault, with `again` at the second try."""
    for _ in range(2 if again else 1):
        try:
            keeps(library, folder, kept, again)
            return True
        except SegueError:
            if kept[0]:
                break
    return False


def case(library: ctypes.CDLL, folder: Path, at: int, mode: int, kept: mmap.mmap) -> int:
    """One process; returns how many calls it made."""
    child = os.fork()
    if child == 0:
        library.arm(at, mode)
        done = tried(library, folder, kept, mode == 0)
        library.disarm()
        kept[100:104] = library.calls().to_bytes(4, "little")
        os._exit(0 if done else 1)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status in (UNNAMED, UNFLUSHED):
        raise SystemExit(f"call {at}: {'named' if status == UNNAMED else 'kept'} before it was flushed to the disk")
    if mode == 0 and status:
        raise SystemExit(f"call {at} failed once, and the second try failed too")
    return int.from_bytes(kept[100:104], "little") if status != 99 else at


def check(folder: Path, kept: mmap.mmap, where: str) -> None:
    """Nothing kept is lost, no file is half, and the session goes on."""
    with History(folder, create=True) as history:
        found = {node.number for node in history.nodes() if node.kept}
        lost = set(kept[1 : 1 + kept[0]]) - found
        faults = list(faults_of(history))
        for path in folder.glob("*.wav"):
            if path.read_bytes() != f"music of {path.stem}".encode() * 100:
                faults.append(f"{path.name} is half a file")
        (node,) = history.add([stretch(folder, "after")])
        history.keep([node.number])
    if lost or faults:
        raise SystemExit(f"{where}: kept takes lost {lost}, {faults}")


def killed(library: ctypes.CDLL, folder: Path, seconds: float, kept: mmap.mmap) -> None:
    """A process that keeps takes is killed after a while."""
    child = os.fork()
    if child == 0:
        keeps(library, folder, kept, False)
        os._exit(0)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def main() -> None:
    library, base = ctypes.CDLL(sys.argv[1]), Path(sys.argv[2])
    for name, (mode, step) in MODES.items():  # of the library, and the step from case to case
        at = 1
        while at < CALLS_MAX:
            folder, kept = base / "session", mmap.mmap(-1, 128)
            folder.mkdir()
            calls = case(library, folder, at, mode, kept)
            check(folder, kept, f"{name} at call {at}")
            shutil.rmtree(folder)
            if calls < at:
                break
            at += step
        print(f"{name}: {calls} calls")
    rng = random.Random(1)
    for number in range(50):
        folder, kept = base / "session", mmap.mmap(-1, 128)
        folder.mkdir()
        killed(library, folder, rng.uniform(0, 0.05), kept)
        check(folder, kept, f"kill {number}")
        shutil.rmtree(folder)
    print("kill -9: 50 times")


if __name__ == "__main__":
    main()
