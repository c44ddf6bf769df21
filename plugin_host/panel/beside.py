"""`segue engine --panel`: the panel as a process beside the engine, which ends with it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

END_SECONDS = 5.0
PASSED_ON = ("--port", "--secret-file")  # options of the engine that the panel needs, too


def panel_options(arguments: Sequence[str]) -> list[str]:
    """Options of `segue panel` for an engine with these arguments.  [main]"""
    found = ["--no-engine"]
    for at, argument in enumerate(arguments):
        name, equals, value = argument.partition("=")
        if name in PASSED_ON:
            found += [name, value if equals else "".join(arguments[at + 1 : at + 2])]
    return found


@contextmanager
def panel_beside(arguments: Sequence[str]) -> Iterator[None]:
    """A context in which the panel of an engine with these arguments runs.  [main]"""
    apart = {"process_group": 0} if os.name == "posix" else {}  # Ctrl-C reaches the engine first, once
    command = [sys.executable, "-m", "plugin_host.cli", "panel", *panel_options(arguments)]
    panel = subprocess.Popen(command, stdin=subprocess.DEVNULL, **apart)  # type: ignore[call-overload]  # noqa: S603
    try:
        yield
    finally:
        if panel.poll() is None:
            panel.terminate()
            try:
                panel.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                panel.kill()
                panel.wait()
