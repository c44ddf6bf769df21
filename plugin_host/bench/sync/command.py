"""`segue bench --sync`: runs the scenes in order, prints a table, then writes JSON and pictures to a folder."""

from __future__ import annotations

import json
import math
import os
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from bridge.errors import SegueError
from plugin_host.bench.bench import show_rows
from plugin_host.bench.processor_time import ProcessorTime
from plugin_host.bench.sync.changes import CHANGES, LOOPS, measure_change, measure_loop
from plugin_host.bench.sync.control import TURNS, measure_control
from plugin_host.bench.sync.detection import librosa
from plugin_host.bench.sync.dial import RATES, measure_dial
from plugin_host.bench.sync.loops import measure_loops
from plugin_host.bench.sync.pictures import save_phases, save_tempi
from plugin_host.bench.sync.results import SceneResults
from plugin_host.bench.sync.stage import ClockKind, Stage
from plugin_host.bench.sync.stalls import measure_holes, measure_kill, measure_stalls
from plugin_host.bench.sync.steady import TEMPI_BPM, measure_tempo, play_steady
from plugin_host.bench.sync.steer import CHANGES as PROMPT_CHANGES
from plugin_host.bench.sync.steer import WEIGHTS_SECONDS, measure_steer, measure_weights
from plugin_host.console.output import OutputError, put, ready_folder
from plugin_host.console.screen import Screen
from plugin_host.doctor.doctor import version

SLOW_RATIO = 2.0  # below it the engine cannot keep up with changes in real time: the host waits for it
SCENES = ("tempi", "loops", "changes", "loop", "stall", "kill", "control", "dial", "steer", "weights", "holes")
LOOPS_SECONDS = 60.0
STALLS_SECONDS = (0.5, 3.0, 10.0)
Scene = tuple[str, Callable[[], SceneResults]]


@dataclass(frozen=True)
class SyncOptions:
    """Options of the command; empty `only`: all scenes. `minutes` is the length of the scene `holes`."""

    out: Path = Path("segue-sync")
    device: str = "auto"
    quick: bool = False
    minutes: float = 2.0
    tempi_bpm: tuple[float, ...] = ()
    tempo_seconds: float = 300.0
    only: tuple[str, ...] = ()


class WrongOption(SegueError):
    """An option that cannot be understood; the message says what is allowed."""

    code = "wrong_option"


def parse_options(
    out: Path | None, device: str, quick: bool, minutes: float, tempi: str, tempo_seconds: float, only: str
) -> SyncOptions:
    """From the command line; WrongOption for invalid tempos or scenes.  [main]"""
    try:
        bpm = tuple(float(each) for each in tempi.split(",") if each.strip())
    except ValueError:
        raise WrongOption(f"--tempi takes numbers with commas between, got {tempi!r}") from None
    if any(not 20 <= each <= 400 for each in bpm):
        raise WrongOption(f"--tempi takes 20 to 400 bpm, got {tempi!r}")
    names = tuple(each.strip() for each in only.split(",") if each.strip())
    known = (*SCENES, *(change.name for change in CHANGES))
    unknown = [name for name in names if name not in known]
    if unknown:
        raise WrongOption(f"--only takes {', '.join(known)}; got {', '.join(unknown)}")
    return SyncOptions(out or Path("segue-sync"), device, quick, minutes, bpm, tempo_seconds, names)


def run_sync_bench(options: SyncOptions, screen: Screen) -> SceneResults:
    """Play, analyse, print, write; AnalysisError without librosa, OutputError, and the errors of a demo.  [main]"""
    librosa()
    out, found = ready_folder(options.out), SceneResults()
    began, processors = time.monotonic(), ProcessorTime()
    with Stage(out, options.device, screen).open() as stage:
        _choose_clock(stage, screen)
        for name, scene in _scenes(stage, options):
            screen.say(f"{name}, after {time.monotonic() - began:.0f} s:")
            new = _played(name, scene, screen)
            show_rows(new.rows, screen)
            found.take(new)
    _write(out, options, found, stage, processors, screen)
    return found


def _played(name: str, scene: Callable[[], SceneResults], screen: Screen) -> SceneResults:
    """A scene's results; if it fails (a busy engine does not answer) a row says so, and the next scene follows."""
    try:
        return scene()
    except SegueError as fault:
        screen.say(f"  {name} ended early: {fault}")
        failed = SceneResults()
        failed.add(f"{name}: ended early", 1, "", "0")
        return failed


def _choose_clock(stage: Stage, screen: Screen) -> None:
    """Play changes in real time if the engine keeps up; otherwise the host waits for the engine."""
    ratio = measure_speed(stage)
    stage.realtime_ratio = ratio
    stage.change_clock = ClockKind.REAL if ratio >= SLOW_RATIO else ClockKind.PATIENT
    waits = "" if ratio >= SLOW_RATIO else ": too little for changes on the wall clock, the host waits there"
    screen.say(f"the engine makes {ratio:.1f} times as much music as is played now{waits}")


def measure_speed(stage: Stage) -> float:
    """Seconds of music per second, as fast as the engine delivers.  [main]"""
    layout = stage.region(120.0)
    play_steady(stage, layout, 120.0, 2.0)
    began = time.monotonic()
    play_steady(stage, layout, 120.0, 8.0)
    return 10.0 / (time.monotonic() - began)


def _scenes(stage: Stage, options: SyncOptions) -> Iterator[Scene]:
    quick = options.quick
    wanted = options.only or (("tempi", "changes", "stall", "control") if quick else SCENES)
    tempi = options.tempi_bpm or ((93.7, 128.0) if quick else TEMPI_BPM)
    seconds = 20.0 if quick else options.tempo_seconds
    changes = CHANGES[:1] if quick and not options.only else CHANGES
    for bpm in tempi if "tempi" in wanted else ():
        yield f"{bpm:g} bpm", lambda bpm=bpm: measure_tempo(stage, bpm, seconds)  # type: ignore[misc]
    if "loops" in wanted:
        yield "recorded loops", lambda: measure_loops(stage, min(seconds, LOOPS_SECONDS))
    for change in changes:
        if "changes" in wanted or change.name in wanted:
            yield change.name, lambda change=change: measure_change(stage, change)  # type: ignore[misc]
    rest: dict[str, Callable[[], SceneResults]] = {
        "loop": lambda: measure_loop(stage, 5 if quick else LOOPS),
        "stall": lambda: measure_stalls(stage, STALLS_SECONDS[1:2] if quick else STALLS_SECONDS),
        "kill": lambda: measure_kill(stage),
        "control": lambda: measure_control(stage, 1 if quick else TURNS),
        "dial": lambda: measure_dial(stage, RATES[-1:] if quick else RATES),
        "steer": lambda: measure_steer(stage, 5 if quick else PROMPT_CHANGES),
        "weights": lambda: measure_weights(stage, 10.0 if quick else WEIGHTS_SECONDS),
        "holes": lambda: measure_holes(stage, 0.5 if quick else options.minutes),
    }
    for name, scene in rest.items():
        if name in wanted:
            yield name, scene


def _write(
    out: Path, options: SyncOptions, found: SceneResults, stage: Stage, processors: ProcessorTime, screen: Screen
) -> None:
    """Write the JSON and the pictures."""
    taken = processors.taken()
    head = {
        "segue": version(),
        "machine": platform.platform(),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "processor_time_others_had": None if taken is None else taken.by_others,
        "realtime_ratio": stage.realtime_ratio,
        "changes_on": stage.change_clock.value,
        "options": {key: str(value) for key, value in asdict(options).items()},
    }
    rows = [{**asdict(row), "value": None if math.isnan(row.value) else row.value} for row in found.rows]
    try:
        put(out / "sync.json", json.dumps({**head, "rows": rows}, indent=1) + "\n")
        if found.phases:
            save_phases(out / "phase.png", found.phases)
        if found.tempi:
            save_tempi(out / "tempo.png", found.tempi)
    except OSError as error:
        raise OutputError(f"{out} cannot be written to: {error.strerror}") from None
    screen.say(f"written to {out}: sync.json{', phase.png' * bool(found.phases)}{', tempo.png' * bool(found.tempi)}")
