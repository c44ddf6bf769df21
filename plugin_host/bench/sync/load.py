"""Processes that keep the processors busy; ended in every case."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# ends when the bench is gone: a killed bench must leave no load behind
_BUSY = "import os, sys\nparent = int(sys.argv[1])\nwhile os.getppid() == parent:\n    sum(range(200000))\n"


@contextmanager
def busy(processes: int) -> Iterator[list[int]]:
    """Keep `processes` processors busy; returns the process ids.  [main]"""
    started = [
        subprocess.Popen([sys.executable, "-c", _BUSY, str(os.getpid())])  # noqa: S603 - our own words
        for _ in range(processes)
    ]
    try:
        yield [process.pid for process in started]
    finally:
        for process in started:
            process.kill()
        for process in started:
            process.wait()
