"""The table of models: runs `python -m engine.bench --models ...` and shows its lines on the screen.

The engine measures; this module starts it, shows its output and reads its JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bridge.errors import SegueError
from plugin_host.console.output import check_file, put
from plugin_host.console.screen import Screen

LIMIT_SECONDS = 12 * 3600  # of the whole run; the engine limits each of its processes too


class BenchError(SegueError):
    """The engine's measurement failed; the message has its output."""

    code = "bench"


@dataclass(frozen=True)
class Table:
    """The options of the table; empty and 0: the engine chooses."""

    models: str
    precision: str = ""
    device: str = "auto"
    fast: bool = False
    threads: int = 0
    limit_minutes: float = 0.0

    def arguments(self, out: Path) -> list[str]:
        """Arguments of the engine's command.  [main]"""
        arguments = ["--models", self.models, "--device", self.device, "--json", str(out)]
        arguments += ["--precision", self.precision] if self.precision else []
        arguments += ["--fast"] if self.fast else []
        arguments += ["--threads", str(self.threads)] if self.threads else []
        return [*arguments, "--limit-minutes", str(self.limit_minutes)] if self.limit_minutes else arguments


def run_table(table: Table, out: Path, screen: Screen) -> dict[str, Any]:
    """Measure, show, write `out` (JSON), and beside it the table as .txt and a picture as .png; returns the JSON.

    Raises OutputError if the files cannot be written, BenchError if nothing was measured.  [main]
    """
    check_file(out)
    command = [sys.executable, "-m", "engine.bench", *table.arguments(out)]
    with subprocess.Popen(  # noqa: S603 - our own command
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8", errors="replace"
    ) as engine:
        last = ""
        try:
            assert engine.stdout is not None
            for line in engine.stdout:
                last = line.rstrip() or last
                screen.say(line.rstrip())
            code = engine.wait(LIMIT_SECONDS)
        except BaseException:
            engine.terminate()
            raise
    if code != 0:
        raise BenchError(f"the models' bench ended with code {code}: {last}")
    return dict(json.loads(out.read_text("utf-8")))


def embedded_table(device: str, picture: Path, screen: Screen) -> dict[str, Any]:
    """The embedded model's table, quickly; writes its picture to `picture`.  Raises BenchError.  [main]"""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "models.json"
        found = run_table(Table("embedded", device=device, fast=True), out, screen)
        put(picture, out.with_suffix(".png").read_bytes())
    return found
