"""`segue bench --trust`: two rows at a time, a line for each row, a JSON file with all figures."""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bridge.errors import SegueError
from plugin_host.bench.processor_time import ProcessorTime
from plugin_host.bench.trust.child import run_apart
from plugin_host.bench.trust.figure import Figure, shown
from plugin_host.bench.trust.stage import Size, Stage
from plugin_host.bench.trust.table import TABLE, Row, rows_of
from plugin_host.console.output import put, ready_folder
from plugin_host.console.screen import Screen
from plugin_host.doctor.doctor import version

Judged = tuple[Row, Figure]


@dataclass(frozen=True)
class TrustOptions:
    """Which rows (none: all), how much is counted, and whether the broken twins run instead."""

    out: Path = Path("segue-trust")
    rows: tuple[int, ...] = ()
    size: Size = Size.USUAL
    twins: bool = False


class WrongRows(SegueError):
    """Rows that the table does not have; the message says which it has."""

    code = "wrong_option"


class RowsMissed(SegueError):
    """A row below its figure, or a twin that no row found; the message names them."""

    code = "missed"


def parse_rows(text: str) -> tuple[int, ...]:
    """The rows of "1,4,12"; WrongRows.  [main]"""
    known = sorted(row.number for row in TABLE)
    numbers = tuple(each.strip() for each in text.split(",") if each.strip())
    if any(not each.isdigit() or int(each) not in known for each in numbers):
        raise WrongRows(f"--rows takes of {', '.join(map(str, known))}, with commas between; got {text!r}")
    return tuple(map(int, numbers))


def run_trust_bench(options: TrustOptions, screen: Screen) -> list[Judged]:
    """Count, print, write; RowsMissed if a row is below its figure, with `twins` if one was not found.  [main]"""
    if sys.platform != "linux":
        raise WrongRows("--trust reads /proc, sends signals and preloads libraries: it is for Linux alone")
    out = ready_folder(options.out)
    rows = rows_of(options.rows, options.size)
    began, processors, load = time.monotonic(), ProcessorTime(), os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="segue-trust-") as work:
        judged = _both_kinds(rows, Path(work), options, screen)
    taken = processors.taken()
    others = None if taken is None else taken.by_others
    seconds = time.monotonic() - began
    head = {
        "segue": version(), "machine": platform.platform(), "cores": os.cpu_count(), "load_before": load,
        "processor_time_others_had": others, "seconds": seconds,
        "options": {key: str(value) for key, value in asdict(options).items()},
    }  # fmt: skip
    found = [{"row": row.number, "name": row.name, "met": figure.met, **asdict(figure)} for row, figure in judged]
    put(out / "trust.json", json.dumps({**head, "rows": found}, indent=1) + "\n")
    bad = [str(row.number) for row, figure in judged if figure.met == options.twins]
    screen.say(f"{len(judged)} rows in {seconds:.0f} s, load before {load:.1f}; written to {out / 'trust.json'}")
    if bad:
        what = "twins that no row found" if options.twins else "rows below their figure"
        raise RowsMissed(f"{what}: {', '.join(bad)}")
    return judged


def _both_kinds(rows: Sequence[Row], work: Path, options: TrustOptions, screen: Screen) -> list[Judged]:
    """Run the rows of each kind in their order, both kinds at once."""
    judged: list[Judged] = []
    lock, failures = threading.Lock(), list[BaseException]()

    def lane(ours: Sequence[Row]) -> None:
        try:
            for row in ours:
                folder = work / f"row-{row.number}"
                figure = run_apart(row, Stage(folder, options.size, options.twins))
                shutil.rmtree(folder, ignore_errors=True)
                with lock:
                    judged.append((row, figure))
                    tell(row, figure, options.twins, screen.say)
        except BaseException as failure:
            failures.append(failure)

    lanes = [
        threading.Thread(target=lane, args=([row for row in rows if row.clock == kind],)) for kind in (True, False)
    ]
    for each in lanes:
        each.start()
    for each in lanes:
        each.join()
    if failures:
        raise failures[0]
    return sorted(judged, key=lambda pair: pair[0].number)


def tell(row: Row, figure: Figure, twin: bool, say: Callable[[str], None]) -> None:
    """Print a row, and what was wrong.  [any]"""
    say(f"{figure.line(row.number, twin)}  ({row.name})")
    for fault in shown(figure.faults):
        say(f"    {fault}")
