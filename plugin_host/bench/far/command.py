"""`segue bench --far`: the scenes, a table, and a JSON file with all figures."""

from __future__ import annotations

import json
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plugin_host.bench.bench import FigureRow, show_rows
from plugin_host.bench.far.scenes import Scenes, result_of
from plugin_host.bench.far.wire import ENGINE_SIDE, MUSICIAN_SIDE, Weather, Wire
from plugin_host.console.output import put, ready_folder
from plugin_host.console.screen import Screen

WEATHERS = (Weather(), Weather(5, 2, 0.01), Weather(20, 5, 0.01), Weather(60, 15, 0.01))
SECONDS, QUICK_SECONDS = 24.0, 9.0
DOWN_SECONDS, BEFORE_SECONDS, AFTER_SECONDS = 10.0, 6.0, 16.0
STEER_EVERY_SECONDS = 3.0


@dataclass(frozen=True)
class FarBenchOptions:
    """Options: the folder, the engine's model, and `quick`: shorter scenes."""

    out: Path = Path("segue-far-bench")
    model: str = "embedded"
    quick: bool = False


def run_far_bench(options: FarBenchOptions, screen: Screen) -> list[FigureRow]:
    """Measure, print, write; NoWire without root.  [main]"""
    out = ready_folder(options.out)
    seconds = QUICK_SECONDS if options.quick else SECONDS
    steers = int(seconds / STEER_EVERY_SECONDS) - 1
    rows, all_found = list[FigureRow](), dict[str, Any]()
    with Wire() as wire:
        scenes = Scenes(wire, out, options.model)
        with scenes.engine():
            found = scenes.played(ENGINE_SIDE, seconds, steers)
            all_found["on the engine's machine"] = found
            rows += _show("on the engine's machine, no relay", found, screen)
            for weather in WEATHERS:
                wire.weather = weather
                with scenes.relay():
                    found = scenes.played(MUSICIAN_SIDE, seconds, steers)
                all_found[str(weather)] = found
                rows += _show(f"each way {weather}", found, screen)
            wire.weather = WEATHERS[2]
            with scenes.relay():
                found = _link_down(scenes, wire)
            all_found["down"] = found
            rows += _show_down(found, screen)
        clear = scenes.in_the_clear()
        all_found["in the clear"] = clear
        rows += _show_clear(clear, screen)
    put(out / "far.json", json.dumps({"rows": all_found}, indent=1) + "\n")
    screen.say(f"written to {out / 'far.json'}")
    return rows


def _link_down(scenes: Scenes, wire: Wire) -> dict[str, Any]:
    """Cut the wire for ten seconds while the player plays."""
    total = BEFORE_SECONDS + DOWN_SECONDS + AFTER_SECONDS
    with scenes.player(MUSICIAN_SIDE, total, 0) as process:
        time.sleep(BEFORE_SECONDS)
        wire.cut = True
        time.sleep(DOWN_SECONDS)
        wire.cut = False
        return result_of(process)


def _show(name: str, found: dict[str, Any], screen: Screen) -> list[FigureRow]:
    heard = [each for each in found["steer_ms"] if each >= 0]
    rows = [
        FigureRow("holes (20 ms of silence)", found["holes"], "", "0"),
        FigureRow("underruns", found["underruns"], "", "0"),
        FigureRow("late blocks", found["late_blocks"], "", "0"),
        FigureRow("lowest ring fill", found["fill_low_ms"], "ms", "> 0"),
        FigureRow(f"prompt to its sound, p50 of {len(heard)}", statistics.median(heard) if heard else -1.0, "ms"),
        FigureRow("prompt to its sound, longest", max(heard, default=-1.0), "ms"),
        FigureRow("blocks for which this machine was too busy", found["host_late"], ""),
    ]
    screen.say(f"{name}:")
    show_rows(rows, screen)
    return rows


def _show_down(found: dict[str, Any], screen: Screen) -> list[FigureRow]:
    off = found["rejoin_off_samples"]
    rows = [
        FigureRow("holes (20 ms of silence)", found["holes"], "", "0"),
        FigureRow("bar repeated", found["held_ms"] / 1000, "s"),
        FigureRow("joins after a repeated bar", len(off), "", "1"),
        FigureRow("of these farthest from a bar line", max(off, default=0), "samples", "< 256"),
    ]
    screen.say(f"each way {WEATHERS[2]}, cut for {DOWN_SECONDS:g} s:")
    show_rows(rows, screen)
    return rows


def _show_clear(clear: dict[str, int], screen: Screen) -> list[FigureRow]:
    rows = [FigureRow(f"{name} on the wire", clear[name], "", "0") for name in ("secret", "prompts", "OSC addresses")]
    rows.append(FigureRow("bytes searched", clear["bytes"], ""))
    rows.append(FigureRow("a prompt sent in the clear is seen", clear["seen"], "", "1"))
    screen.say("the wire:")
    show_rows(rows, screen)
    return rows
