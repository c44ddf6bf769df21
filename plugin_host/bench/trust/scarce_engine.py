"""The engine, short of memory on request: on SIGUSR1 one of Python's next allocations fails, in whichever thread.

    SEGUE_TRUST_SCARCE=FILE python -m plugin_host.bench.trust.scarce_engine ARGUMENTS OF THE ENGINE

The file says which allocation from the signal on fails; -1: all from then on. Needs CPython's own test module
`_testcapi`.
"""

from __future__ import annotations

import importlib
import os
import runpy
import signal
from pathlib import Path
from types import FrameType

FILE = "SEGUE_TRUST_SCARCE"
HOOKS = "_testcapi"  # part of CPython's build, left out of some


def arm(number: int, frame: FrameType | None) -> None:
    """Let one allocation fail.  [main]"""
    which = int(Path(os.environ[FILE]).read_text())
    hooks = importlib.import_module(HOOKS)
    hooks.remove_mem_hooks()
    if which < 0:
        hooks.set_nomemory(0)
    else:
        hooks.set_nomemory(which, which + 1)


if __name__ == "__main__":
    importlib.import_module(HOOKS)
    signal.signal(signal.SIGUSR1, arm)
    runpy.run_module("engine", run_name="__main__", alter_sys=True)
