"""The engine that the plugin starts: a process of its own, which outlives the DAW. One for all plugins of the user.

    plugin --lock on descriptor 3--> this --fork, setsid--> supervisor --> python -m engine

    FOLDER/engine-PORT.lock    locked by the plugin that starts it, then by the supervisor for as long as it lives
    FOLDER/engine-PORT.log     what the engine printed
    FOLDER/engine-PORT.end     once it has ended: its exit code, and in the second line the reason

The plugin in C++ does the same with the files, see plugin/src/engine_start.cpp.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

LOCK = 3  # the only descriptor that is kept besides the first three
SAID = "segue engine: "  # before each line of the engine
EXITS = (0, 2, 3, 4)  # codes of an engine that ended by itself: docs of `segue engine`
_LAST = SAID + "ended"
_FALLBACK_MAX = 4096  # descriptors, where the system names no limit


def detach() -> None:
    """Continue in a child process without the DAW's descriptors, folder, terminal and priority; the parent ends.

    [main]
    """
    os.closerange(LOCK + 1, _descriptors())
    if os.fork():
        os._exit(0)
    os.setsid()
    os.chdir("/")
    if hasattr(os, "sched_setscheduler") and os.sched_getscheduler(0) != os.SCHED_OTHER:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def _descriptors() -> int:
    """One more than the highest descriptor."""
    folder = Path("/proc/self/fd")
    if folder.is_dir():
        return max(int(entry.name) for entry in folder.iterdir()) + 1
    most = os.sysconf("SC_OPEN_MAX")
    return most if 0 < most < 1 << 20 else _FALLBACK_MAX


def run(folder: Path, port: int, arguments: Sequence[str]) -> int:
    """Run the engine, supervised, and write down how it ended; returns its exit code.  [main]"""
    from bridge.system import whole_file
    from plugin_host.client.supervisor import run_engine

    ended = folder / f"engine-{port}.end"
    ended.unlink(missing_ok=True)
    code = run_engine([*arguments, "--port", str(port)])
    reason = last_words(folder / f"engine-{port}.log", crashed=code not in EXITS)
    whole_file.put(ended, f"{code}\n{reason}\n".encode())
    return code


def last_words(log: Path, crashed: bool) -> str:
    """The last sentence of the engine in its log; of one that crashed what Python printed last. Empty without any.

    [main]
    """
    try:
        lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    except OSError:
        return ""
    said = [line.removeprefix(SAID) for line in lines if line.startswith(SAID) and line != _LAST]
    other = [line for line in lines if crashed and not line.startswith("segue")]
    return (other[-1:] or said[-1:] or [""])[0]


def main(arguments: Sequence[str]) -> int:
    """`python -m plugin_host.client.started_engine FOLDER ARGUMENTS... PORT`: detach and run.  [main]"""
    folder, *options, port = arguments
    detach()
    return run(Path(folder), int(port), options)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
