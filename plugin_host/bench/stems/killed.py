"""`kill -9` at random moments while stems are made and kept: nothing kept may be lost, no file be half."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

from bridge.errors import SegueError
from plugin_host.bench.bench import FigureRow
from plugin_host.console.screen import print_line
from plugin_host.history.check import faults_of
from plugin_host.history.database import NAME as DATABASE
from plugin_host.history.history import History
from plugin_host.takes.take import read_take

START_SECONDS, FAULTS_SHOWN = 60.0, 20


class KeeperFailed(SegueError):
    """The process that makes stems did not begin; the message has its last words."""

    code = "keeper"


def kills(out: Path, port: int, count: int, seconds: float, show: Callable[[str], None]) -> list[FigureRow]:
    """Kill the keeper `count` times, each within `seconds` after it began, and look at what is left.

    It goes on in the same folder until an order is done, then the next order has a folder of its own.  [main]
    """
    rng, kept, faults, orders, done = random.Random(1), 0, list[str](), 1, 0
    for number in range(count):
        folder = out / f"order-{orders}"
        said = _run_and_kill(port, folder, orders, rng.uniform(0.0, seconds))
        numbers = {int(line) for line in said if line.isdigit()}
        kept += len(numbers)
        faults += [f"kill {number + 1}: {fault}" for fault in left_behind(folder, numbers)]
        if "done" in said:
            orders, done = orders + 1, done + 1
        show(f"killed {number + 1} of {count}")
    show("")
    for fault in faults[:FAULTS_SHOWN]:
        print_line(fault)
    return [
        FigureRow("kill -9: times, while stems were made and kept", count, ""),
        FigureRow("kill -9: takes whose keep had returned", kept, ""),
        FigureRow("kill -9: orders that were complete", done, ""),
        FigureRow("kill -9: kept takes lost, half files, faults of the history", len(faults), "", "0"),
    ]


def _run_and_kill(port: int, folder: Path, seed: int, seconds: float) -> list[str]:
    """What a keeper said, killed some seconds after it was ready."""
    command = [sys.executable, "-m", "plugin_host.bench.stems.keeper", str(port), str(folder), str(seed)]
    said: list[str] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as keeper:  # noqa: S603
        assert keeper.stdout is not None
        assert keeper.stderr is not None
        lines = keeper.stdout
        listener = threading.Thread(target=lambda: said.extend(line.strip() for line in lines), daemon=True)
        listener.start()
        began = time.monotonic()
        while "ready" not in said and keeper.poll() is None and time.monotonic() - began < START_SECONDS:
            time.sleep(0.01)
        if "ready" not in said:
            keeper.kill()
            raise KeeperFailed(f"stems do not begin: {keeper.stderr.read()[-500:]}")
        began = time.monotonic()
        while time.monotonic() - began < seconds and keeper.poll() is None:
            time.sleep(0.005)
        keeper.send_signal(signal.SIGKILL)
        keeper.wait()
        listener.join(5.0)
    return said


def left_behind(folder: Path, kept: set[int]) -> list[str]:
    """What is wrong in a folder in which these takes were kept; empty if nothing is.  [main]"""
    faults = []
    if (folder / DATABASE).exists():
        try:
            with History(folder) as history:
                lost = kept - {node.number for node in history.nodes("kept")}
                faults = [*(f"take {number} is lost" for number in sorted(lost)), *faults_of(history)]
        except SegueError as error:
            faults.append(str(error))
    elif kept:
        faults.append("the history is gone")
    for path in sorted(folder.rglob("[!.]*")):
        if fault := _fault(path):
            faults.append(f"{path.name}: {fault}")
    return faults


def _fault(path: Path) -> str:
    """Why a file under its final name is not whole; empty if it is, or is none of ours."""
    try:
        if path.suffix == ".wav":
            read_take(path)
        elif path.suffix == ".json":
            json.loads(path.read_text(encoding="utf-8"))
        elif path.suffix == ".dawproject":
            zipfile.ZipFile(path).testzip()
        elif path.suffix == ".html" and not path.read_text(encoding="utf-8").rstrip().endswith("</html>"):
            return "half a page"
    except (SegueError, OSError, ValueError, zipfile.BadZipFile) as error:
        return str(error)
    return ""
