"""`segue bench --stems`: the scenes in order, a table, and a JSON file with all figures."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

from bridge.errors import SegueError
from plugin_host.bench.bench import FigureRow, show_rows
from plugin_host.bench.stems import batch, heard, killed, live
from plugin_host.console.output import put, ready_folder
from plugin_host.console.screen import Screen
from plugin_host.doctor.doctor import version
from plugin_host.run.region_layout import shipped_regions
from plugin_host.takes.engines import EngineRequest, HotEngine, hot_engine

SCENES = ("batch", "kill", "live")
BARS, VARIATIONS = 8, 4
QUICK_BARS, QUICK_VARIATIONS, QUICK_KILLS, QUICK_SECONDS = 1, 2, 3, 6.0
KILLS, KILLED_WITHIN_SECONDS = 50, 3.0
COMMANDS_A_MINUTE = 8


@dataclass(frozen=True)
class StemsBenchOptions:
    """Options: minutes of the live session, which scenes, and `quick`: a small run of each."""

    out: Path = Path("segue-stems-bench")
    minutes: float = 5.0
    only: tuple[str, ...] = ()
    quick: bool = False
    kills: int = KILLS


class NoSuchScene(SegueError):
    """No such scene; the message says which there are."""

    code = "wrong_option"


class Bench:
    """The scenes, in one new folder."""

    def __init__(self, options: StemsBenchOptions, screen: Screen) -> None:
        self._options, self._screen, self._out = options, screen, ready_folder(options.out)
        if any(self._out.iterdir()):
            raise NoSuchScene(f"{self._out} holds something already: choose a new folder with --out")

    def batch(self, engine: HotEngine) -> list[FigureRow]:
        """One run against one by one, and what the stems are.  [main]"""
        quick = self._options.quick
        order = batch.order_of(QUICK_BARS if quick else BARS, QUICK_VARIATIONS if quick else VARIATIONS)
        rows = batch.both_ways(engine, self._out, order, self._screen.show)
        folder = self._out / "batch"
        rows += batch.purities(folder, order) + batch.togetherness(folder, order)
        if why := heard.missing():
            self._screen.say(f"  not heard by librosa: {why}")
            return rows
        return rows + heard.heard(folder, shipped_regions()[batch.REGION])

    def kill(self, engine: HotEngine) -> list[FigureRow]:
        """`kill -9` at random moments.  [main]"""
        count = QUICK_KILLS if self._options.quick else self._options.kills
        port = engine.client.port
        return killed.kills(self._out / "killed", port, count, KILLED_WITHIN_SECONDS, self._screen.show)

    def live(self) -> list[FigureRow]:
        """Live, and rendered.  [main]"""
        seconds = QUICK_SECONDS if self._options.quick else 60 * self._options.minutes
        n_commands = max(2, round(COMMANDS_A_MINUTE * seconds / 60))
        return live.compared(ready_folder(self._out / "live"), seconds, n_commands, self._screen.show)

    def run(self) -> list[FigureRow]:
        """The wanted scenes.  [main]"""
        wanted, rows = self._options.only or SCENES, list[FigureRow]()
        with ExitStack() as stack:
            if {"batch", "kill"} & set(wanted):
                engine = stack.enter_context(hot_engine(EngineRequest(), self._screen.say))
                scenes: dict[str, Callable[[HotEngine], list[FigureRow]]] = {"batch": self.batch, "kill": self.kill}
                for name in filter(wanted.__contains__, scenes):
                    rows += self._played(name, lambda name=name: scenes[name](engine))  # type: ignore[misc]
        return rows + (self._played("live", self.live) if "live" in wanted else [])

    def _played(self, name: str, scene: Callable[[], list[FigureRow]]) -> list[FigureRow]:
        self._screen.say(f"{name}:")
        rows = scene()
        show_rows(rows, self._screen)
        return rows


def run_stems_bench(options: StemsBenchOptions, screen: Screen) -> list[FigureRow]:
    """Make, measure, print, write; returns the figures.  [main]"""
    strange = sorted(set(options.only) - set(SCENES))
    if strange:
        raise NoSuchScene(f"--only takes {', '.join(SCENES)}; got {', '.join(strange)}")
    rows = Bench(options, screen).run()
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    head = {"segue": version(), "machine": platform.platform(), "cores": os.cpu_count(), "load": load}
    told = {**head, "options": {key: str(value) for key, value in asdict(options).items()}}
    put(options.out / "stems.json", json.dumps({**told, "rows": [asdict(row) for row in rows]}, indent=1) + "\n")
    screen.say(f"written to {options.out / 'stems.json'}")
    return rows
