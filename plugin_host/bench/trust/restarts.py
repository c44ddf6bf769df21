"""Row 7: after each kill the music comes back by itself, in the same lane; see kills.py. The twin has no supervisor."""

from __future__ import annotations

from plugin_host.bench.trust import kills
from plugin_host.bench.trust.figure import Figure, counted
from plugin_host.bench.trust.stage import Stage

TWIN_SECONDS = 15.0


def measure(stage: Stage) -> Figure:
    """The row.  [main]"""
    count = stage.count(2, 10, 100)
    patience = TWIN_SECONDS if stage.twin else kills.BACK_SECONDS
    found, _ = kills.run(stage, count, with_supervisor=not stage.twin, patience=patience)
    back = found.back_seconds
    told = f"music again after {sorted(back)[len(back) // 2]:.1f} s (median), {max(back):.1f} s at most" if back else ""
    return counted(count, "kills after which the music came back by itself", found.back_faults, told)
