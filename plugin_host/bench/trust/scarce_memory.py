"""Row 11: memory runs out in the engine while a lane plays.

    case    the n-th allocation from a request on fails, in any thread; the request's answer or a refusal; a ping
    wall    the engine may take WALL_MB more (RLIMIT_AS): lanes are opened until one is refused; then it may again

Every request is answered, the same process serves on, its lane plays again, and nothing but a lack of memory is logged
again and again. PyTorch and cffi dereference what they did not get: such a crash is told, and the engine started
again, as its supervisor does. The twin's engine gets no memory from its first case on.
"""

from __future__ import annotations

import os
import random
import re
import resource
import signal
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from bridge.errors import NoAnswer, SegueError
from plugin_host.bench.trust.figure import Figure
from plugin_host.bench.trust.playing import LANE, RATE_HZ, Playing, Waited, engine_running, lane_playing, wait_for
from plugin_host.bench.trust.scarce_engine import FILE
from plugin_host.bench.trust.stage import Stage
from plugin_host.client.client import EngineClient
from plugin_host.client.engine_process import EngineProcess

FARTHEST = 20_000  # allocations: about what a request and a hop of music take
ANSWER_SECONDS, BACK_SECONDS, FAULTS_MAX = 5.0, 30.0, 10
WALL_MB, LANES_MAX, AGAIN = 64, 24, 3
PROGRAM = "plugin_host.bench.trust.scarce_engine"
UNIT = "allocations that failed, each answered"
LACK = re.compile(
    "MemoryError|not enough memory|[Cc]annot allocate|can't allocate|bad_alloc|can't start new thread"
    "|^SystemError: ",  # where C code of CPython or NumPy has lost the MemoryError
    re.M,
)
Ask = Callable[[EngineClient], object]


def requests(folder: Path) -> list[Ask]:
    """What is asked, in turn.  [main]"""
    import soundfile

    wav = folder / "region.wav"
    soundfile.write(wav, 0.1 * np.random.default_rng(1).standard_normal(32_000).clip(-3, 3), 32_000)
    return [
        lambda client: client.ping(ANSWER_SECONDS),
        lambda client: client.set(LANE, "temperature", 1.1),
        lambda client: client.get(LANE, "cfg"),
        lambda client: client.status(),
        lambda client: client.stats(),
        lambda client: client.lane_status(LANE),
        lambda client: client.prompt(LANE, "warm strings"),
        lambda client: client.region_file(LANE, "melody", wav, 120.0, 0.0),
        lambda client: client.preset_list(),
        lambda client: client.reseed(LANE, "now", 7),
        lambda client: client.tokens(LANE),
        lambda client: client.scheduled(LANE),
        lambda client: client.clear_region(LANE, "melody"),
        lambda client: client.play(LANE, "bar"),
    ]


def case(playing: Playing, file: Path, which: int, ask: Ask) -> str:
    """Let an allocation fail while a request is served; what was wrong, or nothing.  [main]"""
    new = file.with_suffix(".new")
    new.write_text(str(which))
    new.replace(file)  # a handler that is late reads a whole one
    os.kill(playing.engine.pid, signal.SIGUSR1)
    for question in (ask, lambda client: client.ping(ANSWER_SECONDS)):  # whichever it fails in
        try:
            question(playing.client)
        except NoAnswer as error:
            return f"allocation {which}: {error}"
        except SegueError:
            continue  # a refusal says why
    return ""


def against_the_wall(playing: Playing) -> list[str]:
    """Open lanes until the engine may take no more memory, then let it.  [main]"""
    pid, client, opened, refused = playing.engine.pid, playing.client, list[int](), ""
    used = int(re.findall(r"VmSize:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())[0]) * 1024
    resource.prlimit(pid, resource.RLIMIT_AS, (used + WALL_MB * 2**20, resource.RLIM_INFINITY))
    faults = list[str]()
    try:
        for lane in range(LANE + 1, LANE + 1 + LANES_MAX):
            client.open_lane(lane, 48_000, 2)
            opened.append(lane)
            client.play(lane, "now")
    except NoAnswer as error:
        faults.append(f"at the wall: {error}")
    except SegueError as error:
        refused = str(error)
    resource.prlimit(pid, resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    for lane in opened:
        client.close_lane(lane)
    if not refused and not faults:
        faults.append(f"at the wall: {len(opened)} lanes were opened with {WALL_MB} MB")
    return faults


def other_errors(log: str) -> list[str]:
    """Errors in a log that come again and again, and say nothing of memory.

    One alone may be C code that lost its MemoryError; a structure that was left in disorder fails each time.  [any]
    """
    records = re.split(r"^segue engine: ", log, flags=re.M)
    faults = [record for record in records if "Traceback" in record and not LACK.search(record)]
    ends = Counter(record.strip().splitlines()[-1] for record in faults)
    return [f"logged {count} times: {end}" for end, count in ends.items() if count >= AGAIN]


@dataclass
class Cases:
    """How many of `count` cases were tried; what was wrong; how often a library crashed."""

    count: int
    tried: int = 0
    crashes: int = 0
    faults: list[str] = field(default_factory=list)

    @property
    def left(self) -> int:
        """How many are to be tried.  [main]"""
        return 0 if len(self.faults) >= FAULTS_MAX else self.count - self.tried


def music_again(playing: Playing) -> str:
    """Play once more, as a lane that failed again and again waits for it; what was wrong, or nothing.  [main]"""

    def played_on() -> bool:
        playing.look()
        return playing.processor.counters.played_samples > before + RATE_HZ

    try:
        playing.client.play(LANE, "bar")
        playing.look_for(1.0)
        before = playing.processor.counters.played_samples
        wait_for(played_on, "music after it", BACK_SECONDS)
    except (Waited, SegueError) as error:
        return str(error)
    return ""


def try_cases(playing: Playing, engine: EngineProcess, file: Path, asks: list[Ask], cases: Cases, twin: bool) -> None:
    """Cases until all are tried, or the engine has ended.  [main]"""
    rng = random.Random(11 + cases.tried)
    while cases.left and engine.running:
        ask = asks[cases.tried % len(asks)]
        fault = case(playing, file, -1 if twin else int(FARTHEST ** rng.random()), ask)
        cases.tried += 1
        if not engine.running and engine.exit_code == -signal.SIGSEGV:
            cases.crashes += 1
        elif fault:
            cases.faults.append(fault)
        playing.look()


def measure(stage: Stage) -> Figure:
    """The row.  [main]"""
    cases, file = Cases(stage.count(60, 500, 5_000)), stage.folder / "which"
    os.environ[FILE] = str(file)
    asks, log = requests(stage.folder), ""
    while cases.left:
        running = engine_running(stage.folder, (), PROGRAM, ANSWER_SECONDS)
        with running as (engine, client), lane_playing(engine, client) as playing:
            try_cases(playing, engine, file, asks, cases, stage.twin)
            if engine.running:
                cases.faults += against_the_wall(playing) if not stage.twin else []
                cases.faults += filter(None, [music_again(playing)])
            elif engine.exit_code != -signal.SIGSEGV:
                cases.faults.append(f"the engine has ended with {engine.exit_code}")
        log += (stage.folder / "engine.log").read_text(errors="replace")
    faults = (*cases.faults, *other_errors(log))
    told = f"{cases.crashes} of them crashed a library, and the engine was started again"
    return Figure(cases.tried - len(cases.faults), cases.count, UNIT, told, faults)
