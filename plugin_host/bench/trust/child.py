"""One row in a process of its own: `python -m plugin_host.bench.trust.child NUMBER SIZE FOLDER [twin]`.

Its last line is the figure as JSON.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import subprocess
import sys
import traceback
from pathlib import Path

from plugin_host.bench.trust.figure import Figure, unpacked
from plugin_host.bench.trust.stage import Size, Stage
from plugin_host.bench.trust.table import TABLE, Row
from plugin_host.console.screen import print_line

LAST_WORDS = 400


def run_apart(row: Row, stage: Stage) -> Figure:
    """A row's figure, from its own process; a process that hangs or crashes has reached nothing.  [any]"""
    stage.folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "plugin_host.bench.trust.child", str(row.number), stage.size, str(stage.folder)]
    child = subprocess.Popen(  # noqa: S603 - our own command
        command + ["twin"] * stage.twin,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        process_group=0,
    )
    limit = row.limit(stage.size)
    try:
        said, complained = child.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        return Figure(0, 1, "run", faults=(f"it was not done in {limit:.0f} s",))
    finally:
        _end_group(child)
    lines = said.strip().splitlines()
    if child.returncode or not lines:
        return Figure(0, 1, "run", faults=(f"it ended with {child.returncode}: {complained[-LAST_WORDS:]}",))
    return unpacked(lines[-1])


def _end_group(child: subprocess.Popen[str]) -> None:
    """End what the child left behind, and the child."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    child.communicate()


def measured(row: Row, stage: Stage) -> Figure:
    """A row's figure, in this process; an exception is a fault.  [main]"""
    module = importlib.import_module(f"plugin_host.bench.trust.{row.module}")
    try:
        figure: Figure = module.measure(stage)
    except Exception as error:
        traceback.print_exc()
        return Figure(0, 1, "run", faults=(f"it ended with {type(error).__name__}: {error}",))
    return figure


def main(words: list[str]) -> None:
    """The program.  [main]"""
    number, size, folder, *twin = words
    row = next(each for each in TABLE if each.number == int(number))
    figure = measured(row, Stage(Path(folder), Size(size), bool(twin)))
    print_line(figure.packed())


if __name__ == "__main__":
    main(sys.argv[1:])
