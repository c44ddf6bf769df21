"""Every file call of a session fails, or ends the process, in turn; failing_calls.c is preloaded.

    python -m plugin_host.bench.trust.file_calls LIBRARY FOLDER TAKES KILLS [bare]

Each case is a process of its own, forked from this one. Prints how many calls there were and how many were tried, by
mode; exits with the first fault. `bare` writes files without care, as the broken twin does. All of it [main].
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

from bridge.errors import SegueError
from plugin_host.bench.trust import sessions
from plugin_host.bench.trust.sessions import stretch
from plugin_host.console.screen import print_line
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
CALLS_MAX, KEPT_BYTES = 20_000, 1024
CALLS_AT = KEPT_BYTES - 8
UNNAMED, UNFLUSHED = 97, 98  # exit codes: a file got its name before it was flushed; a keep returned before that


def flushed(library: ctypes.CDLL) -> None:
    """End the process if something that was written is not on the disk, now that a keep has returned."""
    if library.unflushed():
        os._exit(UNFLUSHED)


def keeps(library: ctypes.CDLL, folder: Path, kept: mmap.mmap, again: bool, takes: int) -> None:
    """Make takes and keep each; `kept` counts those whose keep has returned. `again`: a failed one is tried again."""
    with History(folder, create=True) as history:
        for number in range(takes):
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


def tried(library: ctypes.CDLL, folder: Path, kept: mmap.mmap, again: bool, takes: int) -> bool:
    """Whether `keeps` ended without a fault, with `again` at the second try."""
    for _ in range(2 if again else 1):
        try:
            keeps(library, folder, kept, again, takes)
            return True
        except SegueError:
            if kept[0]:
                break
    return False


def case(library: ctypes.CDLL, folder: Path, at: int, mode: int, kept: mmap.mmap, takes: int) -> int:
    """One process; returns how many calls it made."""
    child = os.fork()
    if child == 0:
        library.arm(at, mode)
        done = tried(library, folder, kept, mode == 0, takes)
        library.disarm()
        kept[CALLS_AT : CALLS_AT + 4] = library.calls().to_bytes(4, "little")
        os._exit(0 if done else 1)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status in (UNNAMED, UNFLUSHED):
        raise SystemExit(f"call {at}: {'named' if status == UNNAMED else 'kept'} before it was flushed to the disk")
    if mode == 0 and status:
        raise SystemExit(f"call {at} failed once, and the second try failed too")
    return int.from_bytes(kept[CALLS_AT : CALLS_AT + 4], "little") if status != 99 else at


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
        keeps(library, folder, kept, False, 20)
        os._exit(0)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def turn(library: ctypes.CDLL, base: Path, name: str, takes: int) -> None:
    """All cases of a mode, one call after the other."""
    mode, step = MODES[name]
    at, points = 1, 0
    while at < CALLS_MAX:
        folder, kept = base / "session", mmap.mmap(-1, KEPT_BYTES)
        folder.mkdir()
        n_calls = case(library, folder, at, mode, kept, takes)
        check(folder, kept, f"{name} at call {at}")
        shutil.rmtree(folder)
        points += 1
        if n_calls < at:
            break
        at += step
    print_line(f"{name}: {n_calls} calls, {points} tried")


def kills(library: ctypes.CDLL, base: Path, count: int) -> None:
    """kill -9 at random moments."""
    rng = random.Random(1)
    for number in range(count):
        folder, kept = base / "session", mmap.mmap(-1, KEPT_BYTES)
        folder.mkdir()
        killed(library, folder, rng.uniform(0, 0.05), kept)
        check(folder, kept, f"kill {number}")
        shutil.rmtree(folder)
    print_line(f"kill -9: {count} times, {count} tried")


def main() -> None:
    """The program."""
    library, base, takes, n_kills = ctypes.CDLL(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    if sys.argv[5:] == ["bare"]:
        sessions.write_bare()
    for name in MODES:
        turn(library, base, name, takes)
    kills(library, base, n_kills)


if __name__ == "__main__":
    main()
