"""Row 15: hostile checkpoints to the engine's readers, in a process of the engine's package.

No opcode of a pickle runs; a changed header of safetensors is refused, or is a whole one again, which is counted. The
twin is Python's own pickle, with gadgets that only create a file.
"""

from __future__ import annotations

import json
import subprocess
import sys

from plugin_host.bench.trust.figure import Figure, counted
from plugin_host.bench.trust.stage import Stage

ALL, LIVE = 10_000, 20


def measure(stage: Stage) -> Figure:
    """The row.  [main]"""
    n_headers = stage.count(5_000, 100_000, 2_000_000)
    words = [str(LIVE if stage.twin else ALL), str(n_headers), *["python"] * stage.twin]
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "engine.bench.hostile", *words], capture_output=True, text=True, cwd=stage.folder
    )
    if done.returncode:
        return Figure(0, n_headers, "checkpoints", faults=(f"it ended with {done.returncode}: {done.stderr[-300:]}",))
    found = json.loads(done.stdout.strip().splitlines()[-1])
    told = f"{found['pickles']} pickles; of {n_headers:,} changed headers {found['accepted']} were whole; "
    bloated = f"100,000 tensors took {1000 * found['bloated_seconds']:.0f} ms"
    return counted(found["tried"], "hostile checkpoints", found["faults"], told + bloated)
