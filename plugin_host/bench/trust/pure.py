"""Row 3: what the plugin's audio thread calls: no allocation, no lock, no file, no sleep, no page fault.

The twin allocates in one of a thousand calls. The Python processor is not meant: it cannot be pure.
"""

from __future__ import annotations

import os
import subprocess
import threading
from pathlib import Path

from bridge.ring.writer import RingWriter
from plugin_host.bench.trust.figure import Figure
from plugin_host.bench.trust.stage import Stage
from plugin_host.plugin.build import COMMON, build_program, find_compiler, run_tool
from plugin_host.plugin.build import SOURCES as NATIVE
from plugin_host.plugin.measure import fill

RATE_HZ, BLOCK, LANE = 48_000, 64, 62
UNIT = "calls of process()"
KINDS = ("allocations", "locks", "file and socket calls", "sleeps", "page faults")


def counting_library(folder: Path) -> Path:
    """The library to preload, compiled.  [main]"""
    library = folder / "rtcount.so"
    compiler = "gcc" if find_compiler().endswith("g++") else "clang"
    flags = ["-shared", "-fPIC", "-O1", "-o", str(library), str(NATIVE / "rtcount.c"), "-ldl"]
    run_tool([compiler, *flags])
    return library


def measure(stage: Stage) -> Figure:
    """The row.  [main]"""
    calls = stage.count(100_000, 1_000_000, 1_000_000)
    program, library = build_program(stage.folder, (*COMMON, "purity_main"), "purity"), counting_library(stage.folder)
    writer, stop = RingWriter.create(LANE, RATE_HZ, 2, seconds=8.0), threading.Event()
    filling = threading.Thread(target=fill, args=(writer, calls // 2 * BLOCK, stop), daemon=True)
    filling.start()
    try:
        command = [str(program), writer.name, str(calls), str(BLOCK), *["broken"] * stage.twin]
        environment = {**os.environ, "LD_PRELOAD": str(library)}
        done = subprocess.run(command, capture_output=True, text=True, env=environment)  # noqa: S603 - our own program
    finally:
        stop.set()
        filling.join()
        writer.close()
    if done.returncode:
        return Figure(0, calls, UNIT, faults=(f"it ended with {done.returncode}: {done.stderr[-300:]}",))
    made, played, *counts = map(int, done.stdout.split())
    judged = counts if stage.timed else counts[:-1]  # a kernel short of memory moves pages
    faults = [f"{count} {kind}" for kind, count in zip(KINDS, judged, strict=False) if count]
    if played < calls // 2 * BLOCK * 0.99:
        faults.append(f"only {played} samples were played")
    faults += done.stderr.splitlines() if stage.timed else []
    told = ", ".join(f"{count} {kind}" for kind, count in zip(KINDS, counts, strict=True))
    return Figure(made - min(made, sum(judged)), made, UNIT, f"{told}; C++, block {BLOCK}", tuple(faults))
