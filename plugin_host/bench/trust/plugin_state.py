"""Row 18: hostile saved states, parameters and host times for the plugin, under sanitizers.

A damaged capture leaves the one before; numbers stay in their ranges; what is saved comes back from another instance as
the same bytes; every block is finite. The twin forgets a capture when a damaged one comes. What hosts and validators
ask of a plugin is in tests/plugin_host/plugin.
"""

from __future__ import annotations

import os
import subprocess

from plugin_host.bench.trust.figure import Figure
from plugin_host.bench.trust.stage import Stage
from plugin_host.plugin.build import COMMON, build_program

UNIT = "hostile states and blocks"
WRONG = ("damaged captures replaced a whole one", "numbers out of their range", "instances did not save the same again",
         "blocks were not finite")  # fmt: skip


def measure(stage: Stage) -> Figure:
    """The row.  [main]"""
    states, blocks = stage.count(2_000, 10_000, 100_000), stage.count(2_000, 50_000, 500_000)
    program = build_program(stage.folder, (*COMMON, "hostile_state_main"), "hostile_state", "address,undefined")
    command = [str(program), str(states), str(blocks), "29", *["naive"] * stage.twin]
    environment = {**os.environ, "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, errors="replace")  # noqa: S603
    if done.returncode or done.stderr:
        return Figure(0, states + blocks, UNIT, faults=(f"ended with {done.returncode}: {done.stderr.strip()[:800]}",))
    tried, refused, not_kept, out_of_range, not_equal, played, not_finite = map(int, done.stdout.split())
    wrong = (not_kept, out_of_range, not_equal, not_finite)
    faults = tuple(f"{count} {what}" for count, what in zip(wrong, WRONG, strict=True) if count)
    told = f"{tried:,} states, {refused:,} of them damaged captures; {played:,} blocks; C++ under ASan and UBSan"
    return Figure(tried + played - min(tried + played, sum(wrong)), states + blocks, UNIT, told, faults)
