"""The table over model shapes: `python -m engine.bench --models ...` as a process, its lines on the screen.

The engine measures; this side only asks, shows and reads the JSON that is left.
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

LIMIT_SECONDS = 12 * 3600  # of everything; the engine gives each of its processes a limit of its own


class BenchError(SegueError):
    """The engine's own measuring failed; the message has what it said."""

    code = "bench"


@dataclass(frozen=True)
class Table:
    """What the table is to be about; empty and 0: the engine chooses."""

    models: str
    precision: str = ""
    device: str = "auto"
    fast: bool = False
    threads: int = 0
    limit_minutes: float = 0.0

    def arguments(self, out: Path) -> list[str]:
        """Of the engine's command.  [main]"""
        arguments = ["--models", self.models, "--device", self.device, "--json", str(out)]
        arguments += ["--precision", self.precision] if self.precision else []
        arguments += ["--fast"] if self.fast else []
        arguments += ["--threads", str(self.threads)] if self.threads else []
        return [*arguments, "--limit-minutes", str(self.limit_minutes)] if self.limit_minutes else arguments


def run_table(table: Table, out: Path, screen: Screen) -> dict[str, Any]:
    """Measure, show, leave `out` (JSON), and beside it the table as .txt and a picture as .png; what the JSON says.

    Raises OutputError where nothing can be written there, BenchError where nothing was measured.  [main]
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
    """The embedded model's table, quickly; its picture is put at `picture`.  Raises BenchError.  [main]"""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "models.json"
        found = run_table(Table("embedded", device=device, fast=True), out, screen)
        put(picture, out.with_suffix(".png").read_bytes())
    return found
