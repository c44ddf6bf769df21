"""Takes from recipes: a host without a sound card, as fast as the engine delivers; several at once as lanes.

recipe --regions, prompt, values--> lane --ring--> processor --block by block--> exactly its bars (and a loop's tail)
"""

from __future__ import annotations

import base64
import math
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np

from bridge.control.parameters import PARAMETERS
from bridge.errors import Busy, SegueError
from bridge.ring.form import Audio
from plugin_host.client.lane_session import LaneSession, RegionFile, Setup
from plugin_host.history.tokens import pack
from plugin_host.host.clock import OfflineClock
from plugin_host.host.headless import HeadlessHost, Host
from plugin_host.host.timeline import Timeline
from plugin_host.playback.processor import Processor
from plugin_host.run.region_layout import CHANNELS
from plugin_host.takes.engines import HotEngine
from plugin_host.takes.errors import TakeError, TakeFailed
from plugin_host.takes.finish import tail_samples
from plugin_host.takes.recipe import NOT_STORED, SECONDS_MAX, ModelUsed, Recipe, region_bytes
from plugin_host.takes.take import grid_of, span_of

PATIENCE_SECONDS = 120.0  # without a new block: the engine counts as stuck
LOOK_SECONDS = 0.02
SPARE_FRAMES = 8  # after the last bar: the codec looks ahead


class Stop(Protocol):
    """Tells whether to stop, as `threading.Event` does."""

    def is_set(self) -> bool:
        """Whether to stop.  [any]"""
        ...


class _AnyOf:
    """Stops when one of them does."""

    def __init__(self, *stops: Stop) -> None:
        self._stops = stops

    def is_set(self) -> bool:
        return any(stop.is_set() for stop in self._stops)


def make_all(
    engine: HotEngine,
    recipes: Sequence[Recipe],
    say: Callable[[str], None],
    show: Callable[[float], None],
    cancelled: Stop | None = None,
) -> list[tuple[Recipe, Audio]]:
    """Takes of several recipes at once, each a lane of the engine's batch; equal to those of `make`.

    If the engine has no room for all, the rest is made afterwards. The first fault ends all, and so does `cancelled`,
    from any thread: TakeFailed.  [main]
    """
    engine.keys.clear()
    shares, stop, made = [0.0] * len(recipes), threading.Event(), []
    either = _AnyOf(stop, cancelled) if cancelled else stop
    said: set[str] = set()

    def say_once(text: str) -> None:
        """Say a line once: all takes have the same region."""
        if text not in said:
            said.add(text)
            say(text)

    def lane(number: int) -> tuple[Recipe, Audio] | None:
        def shown(share: float) -> None:
            shares[number] = share
            show(sum(shares) / len(shares))

        try:
            return make(engine, recipes[number], say_once, shown, either)
        except Busy:
            if len(recipes) == 1:
                raise
            return None

    with ThreadPoolExecutor(len(recipes)) as pool:
        futures = [pool.submit(lane, number) for number in range(len(recipes))]
        try:
            made = [future.result() for future in futures]
        except BaseException:
            stop.set()
            raise
    return [found or make(engine, recipe, say, show, cancelled) for found, recipe in zip(made, recipes, strict=True)]


def make(
    engine: HotEngine,
    recipe: Recipe,
    say: Callable[[str], None],
    show: Callable[[float], None],
    stop: Stop | None = None,
) -> tuple[Recipe, Audio]:
    """Make a take; returns its complete recipe (seed drawn, values and model named), and audio float32 [n, 2].

    A loop has `tail_samples` more than its bars. `show` gets the finished share. Raises TakeFailed if the engine
    leaves a gap or dies, or `stop` is set, TakeError for a take that is too long, and the engine's errors.
    [main]
    """
    if recipe.seconds > SECONDS_MAX:
        raise TakeError(f"the take would last {recipe.seconds / 60:.0f} minutes, it may last {SECONDS_MAX / 60:.0f}")
    start, end = span_of(recipe)
    length = end - start + (tail_samples(recipe.rate_hz) if recipe.loop else 0)
    processor = Processor(recipe.rate_hz, CHANNELS)
    host = Host(processor, Timeline(grid_of(recipe), start), record_samples=length)
    with tempfile.TemporaryDirectory(prefix="segue-") as folder:
        setup = Setup(recipe.prompt, "", recipe.seed, recipe.values, _regions(recipe, Path(folder)), waits=True)
        session = LaneSession(engine.client, processor, setup, say)
        over = threading.Event()  # stops the host from waiting for an engine that is gone
        ready = lambda n_samples: over.is_set() or processor.ready(n_samples)  # noqa: E731
        runner = HeadlessHost(host, OfflineClock(ready, PATIENCE_SECONDS))
        try:
            session.open()
            for understood in filter(lambda understood: understood.note, session.understood):
                say(f"engine read: {understood.note}")
            values = values_of(session)
            runner.start()
            _run(engine, recipe, session, runner, lambda: show(host.recorded_samples / length), stop)
            tokens = tokens_of(session, length / recipe.rate_hz)
        finally:
            over.set()
            runner.stop()
            session.close()
    _check_whole(processor, host, length)
    model = ModelUsed(engine.model, engine.precision, engine.sha256)
    key = recipe.key or (engine.keys.get(session.lane, "") if recipe.regions else "")
    made = replace(recipe, seed=session.seed, values=values, model=model, key=key, tokens=tokens)
    return made, host.take().audio


def _regions(recipe: Recipe, folder: Path) -> tuple[RegionFile, ...]:
    """The regions as files for the engine: exactly the bytes of the recipe."""
    files = []
    for number, region in enumerate(recipe.regions):
        path = folder / f"region-{number}.flac"
        path.write_bytes(region_bytes(region))
        files.append(RegionFile(region.role, path, region.bpm, region.start_beats))
    return tuple(files)


def values_of(session: LaneSession) -> dict[str, float]:
    """The values of all parameters of the lane, the model's own defaults included.  [main]"""
    names = [name for name in PARAMETERS if name not in NOT_STORED]
    return {name: session.client.get(session.lane, name).value for name in names}


def tokens_of(session: LaneSession, seconds: float) -> bytes:
    """The codes of the first `seconds` of a lane's music, packed; empty if the engine does not give them.  [main]"""
    parts, n_frames = list[bytes](), 0
    try:
        while True:
            part = session.client.tokens(session.lane, n_frames)
            wanted = min(part.frames, math.ceil(seconds * part.frames_per_second) + SPARE_FRAMES)
            data = base64.b64decode(part.data)
            parts.append(data)
            n_frames += len(data) // max(1, 2 * part.codebooks)
            if n_frames >= wanted or not data:
                break
        codes = np.frombuffer(b"".join(parts), "<i2").reshape(-1, max(1, part.codebooks))[:wanted]
        return pack(codes.T, part.frames_per_second)
    except (SegueError, ValueError):  # the music is whole without them
        return b""


def _run(
    engine: HotEngine,
    recipe: Recipe,
    session: LaneSession,
    runner: HeadlessHost,
    show: Callable[[], None],
    stop: Stop | None,
) -> None:
    host, bar = runner.host, recipe.signature.beats_per_bar
    while host.processor.counters.blocks == 0 and runner.running:  # the engine gets the tempo
        time.sleep(LOOK_SECONDS / 10)
    bars = recipe.bars + (1 if recipe.loop else 0)  # a loop's tail belongs to the bar after it
    session.play(float(recipe.start_bar * bar), bars, float(bar))
    host.timeline.play()
    while runner.running:
        time.sleep(LOOK_SECONDS)
        show()
        if stop is not None and stop.is_set():
            raise TakeFailed("the take was given up with the others")
        if not engine.alive():  # `session.look` would also restart for a slow engine: not for a take
            session.lost = True  # no engine to close the lane
            raise TakeFailed("the engine was lost while it made the take")


def _check_whole(processor: Processor, host: Host, length: int) -> None:
    """Check that a take is complete and has no gaps: all of it played, nothing missed, held or muted."""
    counters = processor.counters
    if host.recorded_samples < length:
        raise TakeFailed(f"only {host.recorded_samples} of {length} samples came")
    if counters.missed_samples or counters.held_samples or counters.muted_samples:
        missing = counters.missed_samples + counters.held_samples + counters.muted_samples
        raise TakeFailed(f"the engine left {missing} samples out; is it stuck, or the machine out of memory?")
    if counters.played_samples < length:
        raise TakeFailed(f"the engine ended the music after {counters.played_samples} of {length} samples")
