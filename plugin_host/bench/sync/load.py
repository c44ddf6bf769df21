"""Processes that do nothing but keep the processors busy, as many as asked for; ended in every case."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# ends itself when the bench is gone: a bench that was killed must leave no load behind
_BUSY = "import os, sys\nparent = int(sys.argv[1])\nwhile os.getppid() == parent:\n    sum(range(200000))\n"


@contextmanager
def busy(processes: int) -> Iterator[list[int]]:
    """Keep so many processors busy; the process numbers.  [main]"""
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
