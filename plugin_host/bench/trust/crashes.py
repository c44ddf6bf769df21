"""Row 10: a crash, a full disk and an I/O error at every file call of a session that keeps takes.

No take whose keep had returned may be lost, no file under its final name be half, and the session must go on. The
twin writes its files in place.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from plugin_host.bench.trust.figure import Figure
from plugin_host.bench.trust.stage import Stage
from plugin_host.plugin.build import SOURCES, run_tool

MEMORY = Path("/dev/shm")  # noqa: S108 - no disk to wait for


def measure(stage: Stage) -> Figure:
    """The row.  [main]"""
    library = stage.folder / "failing_calls.so"
    run_tool(["cc", "-shared", "-fPIC", "-O1", "-o", str(library), str(SOURCES / "failing_calls.c"), "-ldl"])
    takes, kills = stage.count(1, 6, 20), stage.count(10, 100, 500)
    with tempfile.TemporaryDirectory(prefix="segue-trust-", dir=MEMORY) as folder:
        words = [str(library), folder, str(takes), str(kills), *["bare"] * stage.twin]
        done = subprocess.run(  # noqa: S603 - our own command
            [sys.executable, "-m", "plugin_host.bench.trust.file_calls", *words],
            capture_output=True, text=True, env={**os.environ, "LD_PRELOAD": str(library)},
        )  # fmt: skip
    tried = sum(map(int, re.findall(r"(\d+) tried", done.stdout)))
    faults = [] if done.returncode == 0 else [done.stderr.strip()[-300:] or f"it ended with {done.returncode}"]
    told = "; ".join(line.rpartition(",")[0] for line in done.stdout.splitlines())
    return Figure(tried, tried + len(faults), "crashes and faults", f"{takes} takes; {told}", tuple(faults))
