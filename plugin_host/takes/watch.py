"""`segue watch`: a folder where takes come out beside what is put in, and a port where DAW scripts order them.

FOLDER/riff-92bpm.wav            put in: by hand, or by a DAW's export
FOLDER/riff-92bpm-takes/*.wav    come out
FOLDER/riff-92bpm-error.txt      why not
FOLDER/takes.txt                 a line for each take made for a DAW, that its script imports it by
FOLDER/*.segue                   an order by a DAW's script, see jobs.py
"""

from __future__ import annotations

import os
import queue
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from bridge.arguments import Value
from bridge.errors import NoAnswer, RegionError, RegionNotAudio, RegionTooShort, RegionUnreadable, SegueError
from bridge.region_file import read_region
from plugin_host.plot import OutputError, ready_folder
from plugin_host.screen import Screen
from plugin_host.takes import jobs
from plugin_host.takes.desk import TakeDesk
from plugin_host.takes.engines import EngineWish, HotEngine, hot_engine
from plugin_host.takes.errors import TakeError, TakeFailed
from plugin_host.takes.names import words
from plugin_host.takes.order import Order, fill
from plugin_host.takes.place import RegionWish
from plugin_host.takes.take import read_recipe, span_of

UNFINISHED = (RegionUnreadable, RegionNotAudio, RegionTooShort)  # what a file is that is still being copied
CUT_SHORT = "cut short"  # in a region's note: the file is shorter than it says
SOUNDS = frozenset((".wav", ".flac", ".aif", ".aiff", ".ogg", ".mp3"))
LOOK_SECONDS = 0.5
SETTLE_SECONDS = 1.0  # without change, before a file counts as whole
PATIENCE_SECONDS = 15.0  # for one that looks cut short: a slow copy may go on
INDEX, SIGN, SENT = "takes.txt", "watching.txt", "sent"  # the last: where DAW scripts put what they send


@dataclass
class Seen:
    """How a file in the folder looked, since when, and whether it is done with."""

    stamp: str
    since_seconds: float
    done: bool = False


@dataclass(frozen=True)
class WatchOptions:
    """What `segue watch` was asked for; `osc_port` -1 listens to none."""

    folder: Path
    usual: Order = field(default_factory=Order)
    engine: EngineWish = field(default_factory=EngineWish)
    osc_port: int = -1
    once: bool = False  # end when nothing is left to do


def stamp_of(path: Path) -> str:
    """Size and time of a file: another when it was written to; empty when it is gone.  [any]"""
    try:
        status = path.stat()
    except OSError:
        return ""
    return f"{status.st_size} {status.st_mtime_ns}"


class Watch:
    """Looks through the folder, takes orders, makes them one after another.  [main]"""

    def __init__(self, options: WatchOptions, screen: Screen) -> None:
        self.folder = ready_folder(options.folder)
        ready_folder(self.folder / SENT)
        self._options, self._screen = options, screen
        self._seen: dict[Path, Seen] = {}
        self._ordered: queue.SimpleQueue[Mapping[str, Value]] = queue.SimpleQueue()
        self.port = 0

    def run(self) -> None:
        """Until Ctrl-C; our engine is started again when it dies. Raises OutputError, PortInUse, its faults.  [main]"""
        options = self._options
        desk = TakeDesk(options.osc_port, self._ordered.put) if options.osc_port >= 0 else nullcontext(None)
        with desk as open_desk, self._sign():
            self.port = open_desk.port if open_desk else 0
            by_osc = f", orders by OSC on port {self.port}" if open_desk else ""
            again = True
            while again:
                with hot_engine(options.engine, self._screen.say) as engine:
                    self._screen.say(f"watching {self.folder}{by_osc}; Ctrl-C ends it")
                    again = self._serve(engine)
                if again:
                    self._screen.say("the engine ended; starting it again")

    @contextmanager
    def _sign(self) -> Iterator[None]:
        """A file that says to scripts that somebody watches."""
        sign = self.folder / SIGN
        try:
            sign.write_text(f"{os.getpid()}\n")
        except OSError as error:
            raise OutputError(f"{sign} cannot be written: {error.strerror}") from None
        try:
            yield
        finally:
            sign.unlink(missing_ok=True)

    def _serve(self, engine: HotEngine) -> bool:
        """Work with this engine; True when another is needed, False when all is done (`once`)."""
        while True:
            worked = self._orders(engine)
            for path in self._ready():
                self._one(path, engine)
                worked = True
            if not engine.alive():
                return True
            if self._options.once and not worked and not self._waiting():
                return False
            if not worked:
                time.sleep(LOOK_SECONDS)

    def _waiting(self) -> bool:
        return any(not seen.done for seen in self._seen.values()) or not self._ordered.empty()

    # -- the folder -----------------------------------------------------------------------------------

    def _ready(self) -> list[Path]:
        """Files that are whole and not done with."""
        now, ready = time.monotonic(), []
        for path in self._files():
            stamp, seen = stamp_of(path), self._seen.get(path)
            if seen is None or seen.stamp != stamp:
                self._seen[path] = Seen(stamp, now, self._made_before(path, stamp))
            elif not seen.done and now - seen.since_seconds >= SETTLE_SECONDS:
                ready.append(path)
        self._seen = {path: seen for path, seen in self._seen.items() if path.exists()}
        return ready

    def _files(self) -> list[Path]:
        try:
            entries = [Path(entry.path) for entry in os.scandir(self.folder) if entry.is_file(follow_symlinks=False)]
        except OSError as error:
            raise OutputError(f"{self.folder} cannot be read any more: {error.strerror}") from None
        kinds = (*SOUNDS, jobs.ENDING)
        return sorted(path for path in entries if path.suffix.lower() in kinds and not path.name.startswith("."))

    def _made_before(self, path: Path, stamp: str) -> bool:
        with suppress(OSError):
            return self._made_from(path).read_text() == stamp
        with suppress(OSError):
            return stamp in self._error(path.stem).read_text("utf-8")
        return False

    def _out(self, name: str) -> Path:
        return self.folder / f"{words(name)}-takes"

    def _made_from(self, path: Path) -> Path:
        return self._out(path.stem) / f"made-from-{words(path.name)}.txt"

    def _error(self, name: str) -> Path:
        return self.folder / f"{words(name)}-error.txt"

    # -- the work -------------------------------------------------------------------------------------

    def _one(self, path: Path, engine: HotEngine) -> None:
        """Make what a file asks for, or say beside it why not; a cut file gets its time."""
        seen = self._seen[path]
        if stamp_of(path) != seen.stamp:
            return  # it has just been written to
        try:
            if path.suffix.lower() == jobs.ENDING:
                self._job(jobs.read_job(path), engine, path.stem)
            else:
                self._drop(path, engine)
        except (TakeFailed, NoAnswer) as error:
            if not engine.alive():
                return  # another engine will make it
            self._refuse(path.stem, error, seen.stamp)
        except SegueError as error:
            if isinstance(error, UNFINISHED) and time.monotonic() - seen.since_seconds < PATIENCE_SECONDS:
                return
            self._refuse(path.stem, error, seen.stamp)
        else:
            self._made_from(path).write_text(seen.stamp)
            self._error(path.stem).unlink(missing_ok=True)
        seen.done = True

    def _drop(self, path: Path, engine: HotEngine) -> None:
        usual, young = self._options.usual, time.monotonic() - self._seen[path].since_seconds < PATIENCE_SECONDS
        note = read_region(str(path), "continue", 120.0, 0.0).note
        if young and CUT_SHORT in note:
            raise RegionUnreadable(note)
        region = RegionWish(path, usual.region.role if usual.region else "continue", usual.bpm, None)
        self._screen.say(f"{path.name}:")
        fill(replace(usual, region=region), engine, self._out(path.stem), self._screen.say, self._screen.show)

    def _orders(self, engine: HotEngine) -> bool:
        """Make what came by OSC; whether there was anything."""
        if self._ordered.empty():
            return False
        values = self._ordered.get()
        name = jobs.name_of(values)
        try:
            self._job(values, engine, name)
        except (TakeError, RegionError, TakeFailed, NoAnswer, OutputError) as error:
            if not engine.alive():
                self._ordered.put(values)
            else:
                self._refuse(name, error, "")
        else:
            self._error(name).unlink(missing_ok=True)
        return True

    def _job(self, values: Mapping[str, Value], engine: HotEngine, name: str) -> None:
        self._screen.say(f"{name}: ordered by a DAW")
        with tempfile.TemporaryDirectory(prefix="segue-") as scratch:
            order = jobs.order_of(values, self._options.usual, Path(scratch))
            for path in fill(order, engine, self._out(name), self._screen.say, self._screen.show):
                self._note(path)
                with suppress(SegueError):  # the take is made, whoever hears of it
                    engine.made(int(str(values.get("id", 0))), name, str(path))

    def _note(self, path: Path) -> None:
        """A line for the DAW's script: path, first beat, bars, tempo, first sample, rate."""
        recipe = read_recipe(path)
        beats = float(recipe.start_bar * recipe.signature.beats_per_bar)
        line = (path, f"{beats:.9g}", recipe.bars, f"{recipe.bpm:g}", span_of(recipe)[0], recipe.rate_hz)
        with (self.folder / INDEX).open("a", encoding="utf-8") as index:
            index.write("\t".join(map(str, line)) + "\n")

    def _refuse(self, name: str, error: Exception, stamp: str) -> None:
        self._screen.say(f"  {name}: {error}")
        with suppress(OSError):
            self._error(name).write_text(f"{error}\n\n(file as it was: {stamp})\n", "utf-8")


def run_watch(options: WatchOptions, screen: Screen) -> None:
    """Watch until Ctrl-C, which is its end and no fault.  [main]"""
    try:
        Watch(options, screen).run()
    except KeyboardInterrupt:
        screen.say("\nended")
