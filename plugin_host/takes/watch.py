"""`segue watch`: a folder in which takes are made of sound files, and a port where DAW scripts order takes.

FOLDER/riff-92bpm.wav            added by hand, or by a DAW's export
FOLDER/riff-92bpm.wav-takes/     its takes
FOLDER/riff-92bpm.wav-error.txt  or its error
FOLDER/takes.txt                 a line for each take made for a DAW, for its import script
FOLDER/*.segue                   an order by a DAW's script, see jobs.py

Incomplete files are read again after growing pauses; a fault of one file does not affect the others.
"""

from __future__ import annotations

import os
import queue
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from bridge.control.arguments import Value
from bridge.errors import NoAnswer, RegionNotAudio, RegionTooShort, RegionUnreadable, SegueError
from bridge.system.plain_text import plain
from plugin_host.console.output import OutputError, add_line, put, ready_folder
from plugin_host.console.screen import Screen
from plugin_host.history.database import NAME as DATABASE
from plugin_host.takes import extend, jobs
from plugin_host.takes.beside import ERROR, Beside, refuse_link
from plugin_host.takes.engines import EngineRequest, HotEngine, hot_engine
from plugin_host.takes.errors import TakeError, TakeFailed
from plugin_host.takes.live_order import is_live_order, live_takes
from plugin_host.takes.order import TakeOrder, fill
from plugin_host.takes.place import TakeRegionRequest
from plugin_host.takes.record import is_recorded
from plugin_host.takes.stems import state
from plugin_host.takes.stems.stems_handlers import StemsHandlers, is_stems
from plugin_host.takes.take import read_recipe, span_of
from plugin_host.takes.take_handlers import TakeHandlers
from plugin_host.takes.tell import line_of
from plugin_host.takes.unfinished import missing_end

UNFINISHED = (RegionUnreadable, RegionNotAudio, RegionTooShort)  # errors of a file that is still being copied
SOUNDS = frozenset(  # extensions; unreadable files of these are reported
    (
        *(".wav", ".wave", ".bwf", ".rf64", ".w64", ".caf", ".aif", ".aiff", ".aifc", ".au", ".snd", ".flac"),
        *(".ogg", ".oga", ".opus", ".mp3", ".mp2", ".m4a", ".m4b", ".mp4", ".aac", ".ac3", ".wma", ".webm", ".mka"),
        *(".wv", ".ape", ".mpc", ".tta", ".alac", ".dsf", ".dff", ".amr", ".spx"),
    )
)
READABLE = "WAV, FLAC, AIFF, CAF, W64, OGG, Opus and MP3 are read: save it as one of these"
LOOK_SECONDS, LOOK_SECONDS_MOST = 0.5, 5.0  # between scans; doubled each time for an incomplete file
SETTLE_SECONDS = 1.0  # without change, before a file counts as complete
DEATHS_MAX = 3
PATIENCE_SECONDS = 15.0  # for one that seems cut short: a slow copy may continue
INDEX, SIGN, SENT = "takes.txt", "watching.txt", "sent"  # the last: where DAW scripts put their files


@dataclass
class Seen:
    """The state of a file in the folder, since when, when to read it again, and whether it is done."""

    stamp: str
    since_seconds: float
    again_seconds: float
    done: bool = False
    looks: int = 0  # that found it incomplete

    @property
    def young(self) -> bool:
        """Whether it may still be copied.  [main]"""
        return time.monotonic() - self.since_seconds < PATIENCE_SECONDS


@dataclass(frozen=True)
class WatchOptions:
    """Options of `segue watch`; `osc_port` -1 opens none."""

    folder: Path
    usual: TakeOrder = field(default_factory=TakeOrder)
    engine: EngineRequest = field(default_factory=EngineRequest)
    osc_port: int = -1
    once: bool = False  # end when all is done


def stamp_of(path: Path) -> str:
    """Size and time of a file, which change when it is written; for a broken link, its own.  [any]

    Empty if it does not exist.
    """
    for follow in (True, False):
        with suppress(OSError):
            status = path.stat(follow_symlinks=follow)
            return f"{status.st_size} {status.st_mtime_ns}"
    return ""


class FolderWatch:
    """Scans the folder, accepts orders, makes them one after another.  [main]"""

    def __init__(self, options: WatchOptions, screen: Screen) -> None:
        self.folder = ready_folder(options.folder)
        refuse_link(self.folder / SENT)
        ready_folder(self.folder / SENT)
        self._beside = Beside(self.folder)
        self._left: set[str] = set()  # other files, reported once
        self._options, self._screen = options, screen
        self._seen: dict[Path, Seen] = {}
        self._deaths: Counter[str] = Counter()  # of engines, by the order they died on
        self._ordered: queue.SimpleQueue[Mapping[str, Value]] = queue.SimpleQueue()
        self._stems = StemsHandlers()
        self.port = 0

    def run(self) -> None:
        """Run until Ctrl-C; restarts a child engine that dies. Raises OutputError, PortInUse, its errors.  [main]"""
        options = self._options
        port, session = options.osc_port, options.usual.session
        handlers = TakeHandlers(port, self._ordered.put, session, self._stems) if port >= 0 else nullcontext(None)
        with handlers as open_handlers, self._sign():
            self.port = open_handlers.port if open_handlers else 0
            by_osc = f", orders by OSC on port {self.port}" if open_handlers else ""
            again = True
            while again:
                with hot_engine(options.engine, self._screen.say) as engine:
                    self._screen.say(f"watching {self.folder}{by_osc}; Ctrl-C ends it")
                    again = self._serve(engine)
                if again:
                    self._screen.say("the engine ended; starting it again")

    @contextmanager
    def _sign(self) -> Iterator[None]:
        """A context with a file that shows scripts that the folder is watched."""
        sign = self.folder / SIGN
        put(sign, f"{os.getpid()}\n")
        try:
            yield
        finally:
            with suppress(OSError):
                sign.unlink()

    def _serve(self, engine: HotEngine) -> bool:
        """Work with this engine; True if a new one is needed, False if all is done (`once`)."""
        while True:
            worked = self._orders(engine)
            for path in self._ready():
                worked |= self._one(path, engine)
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
        """Files that seem complete and are not done."""
        now, found = time.monotonic(), self._files()
        for path in found:
            stamp, seen = stamp_of(path), self._seen.get(path)
            if seen is None or seen.stamp != stamp:
                self._seen[path] = Seen(stamp, now, now + SETTLE_SECONDS, self._done_before(path, stamp))
        self._seen = {path: self._seen[path] for path in found}
        return [path for path, seen in self._seen.items() if not seen.done and now >= seen.again_seconds]

    def _files(self) -> list[Path]:
        """Sounds and orders, also links and pipes of such names; other files are reported once."""
        try:
            entries = list(os.scandir(self.folder))
        except OSError as error:
            raise OutputError(f"{self.folder} cannot be read any more: {error.strerror}") from None
        self._beside.look(entry.name for entry in entries)
        found = []
        for entry in entries:
            if entry.name.startswith(".") or entry.is_dir(follow_symlinks=False):
                continue
            if Path(entry.name).suffix.lower() in (*SOUNDS, jobs.ENDING):
                found.append(self.folder / entry.name)
            elif (
                not entry.name.endswith((".txt", ".part", ERROR))
                and not entry.name.startswith(DATABASE)
                and entry.name not in self._left
            ):
                self._left.add(entry.name)
                self._screen.say(f"{plain(entry.name)}: left alone, by its ending it is no sound")
        return sorted(found)

    def _done_before(self, path: Path, stamp: str) -> bool:
        if self._beside.is_refused(path.name, stamp) or is_recorded(self._options.usual.session, path):
            return True
        takes = path.name
        if path.suffix.lower() == jobs.ENDING:
            try:
                takes = jobs.name_of(jobs.read_job(path))
            except TakeError:
                return False
        return self._beside.is_made(takes, path.name, stamp)

    # -- the work -------------------------------------------------------------------------------------

    def _one(self, path: Path, engine: HotEngine) -> bool:
        """Make the takes of a file, or write its error; False if it is to be read again later."""
        seen, takes = self._seen[path], path.name
        if stamp_of(path) != seen.stamp:
            return False  # it has just been written
        try:
            if path.suffix.lower() == jobs.ENDING:
                values = jobs.read_job(path)
                takes = jobs.name_of(values)
                self._job(values, engine, seen.looks == 0, path)
            else:
                self._drop(path, engine, seen)
            self._beside.made_from(takes, path.name, seen.stamp)
            self._beside.forgive(path.name)
        except Exception as error:
            if self._lost(path.name, error, engine):
                return True
            if isinstance(error, UNFINISHED) and seen.young:
                self._look_again(path, seen, error)
                return False
            self._refuse(path.name, takes, error, seen.stamp)
        seen.done = True
        return True

    def _lost(self, name: str, error: Exception, engine: HotEngine) -> bool:
        """Whether to try again with a new engine: this one died on it, and it was not the third."""
        if engine.alive() or not isinstance(error, (TakeFailed, NoAnswer)):
            return False
        self._deaths[name] += 1
        return self._deaths[name] < DEATHS_MAX

    def _look_again(self, path: Path, seen: Seen, error: Exception) -> None:
        if seen.looks == 0:
            self._screen.say(f"  {plain(path.name)}: {error}; looking again for {PATIENCE_SECONDS:g} s")
        pause = min(LOOK_SECONDS * 2**seen.looks, LOOK_SECONDS_MOST)
        seen.looks, seen.again_seconds = seen.looks + 1, time.monotonic() + pause

    def _drop(self, path: Path, engine: HotEngine, seen: Seen) -> None:
        usual, missing = self._options.usual, missing_end(path)
        if missing and seen.young:
            raise RegionUnreadable(missing)
        if seen.looks == 0 or missing:
            self._screen.say(f"{plain(path.name)}:" + (f" {missing}; taken as far as it goes" if missing else ""))
        region = replace(usual.region or TakeRegionRequest(path, "continue"), path=path)
        folder = self._beside.ready(path.name)
        fill(replace(usual, region=region), engine, folder, self._screen.say, self._screen.show)

    def _orders(self, engine: HotEngine) -> bool:
        """Make orders from OSC; returns whether there were any."""
        if self._ordered.empty():
            return False
        values = self._ordered.get()
        name, takes = extend.names_of(values) or (jobs.error_name(values), jobs.name_of(values))
        try:
            self._job(values, engine, True)
            self._beside.forgive(name)
        except Exception as error:
            if self._lost(name, error, engine):
                self._ordered.put(values)
            else:
                self._refuse(name, takes, error, "")
        return True

    def _job(
        self, values: Mapping[str, Value], engine: HotEngine, announce: bool, file: Path | None = None
    ) -> None:  # fmt: skip
        _, name = extend.names_of(values) or ("", jobs.name_of(values))
        if announce:
            self._screen.say(f"{plain(name)}: ordered by a DAW")
        usual, show = self._options.usual, self._screen.show
        if is_live_order(values):
            for node, path in live_takes(values, usual, show):
                self._screen.say(line_of(node))
                self._made(values, engine, name, path)
            return
        with tempfile.TemporaryDirectory(prefix="segue-") as scratch:
            order = extend.order_by(values, usual, Path(scratch)) or jobs.order_of(values, usual, Path(scratch))
            if is_stems(values):
                self._stems_of(values, order, engine, self._beside.ready(name), file)
                return
            for path in fill(order, engine, self._beside.ready(name), self._screen.say, show):
                self._made(values, engine, name, path)

    def _made(self, values: Mapping[str, Value], engine: HotEngine, name: str, path: Path) -> None:
        """Note a take for the DAW's script, and report it to the engine's clients."""
        self._note(path)
        with suppress(SegueError):  # the take is made, even if it cannot be reported
            engine.made(int(str(values.get("id", 0))), name, str(path))

    def _stems_of(
        self, values: Mapping[str, Value], take: TakeOrder, engine: HotEngine, folder: Path, file: Path | None
    ) -> None:
        """Make an order of stems; those of the best variation are noted for the DAW's script."""
        if self._stems.run(values, take, engine, folder, self._screen.say, self._screen.show, file):
            for path in state.best_files(folder):
                self._note(path)

    def _note(self, path: Path) -> None:
        """Add a line for the DAW's script: path, first beat, bars, tempo, first sample, rate."""
        if any(sign in str(path) for sign in "\t\r\n"):
            raise OutputError(f"{str(path)!r} has a tab or an end of line in it: {INDEX} cannot hold it")
        recipe = read_recipe(path)
        beats = float(recipe.start_bar * recipe.signature.beats_per_bar)
        line = (path, f"{beats:.9g}", recipe.bars, f"{recipe.bpm:g}", span_of(recipe)[0], recipe.rate_hz)
        add_line(self.folder / INDEX, "\t".join(map(str, line)))

    def _refuse(self, name: str, takes: str, error: Exception, stamp: str) -> None:
        """Report an error, on the screen and beside the file; also for an internal fault."""
        ours = "" if isinstance(error, (SegueError, OSError)) else f"a fault of Segue's, {type(error).__name__}: "
        text = f"{ours}{error}"
        if isinstance(error, RegionNotAudio):
            text += f"; {READABLE}"
        self._screen.say(f"  {plain(name)}: {text}")
        self._beside.refuse(name, takes, text, stamp)


def run_watch(options: WatchOptions, screen: Screen) -> None:
    """Watch until Ctrl-C, which is its normal end.  [main]"""
    try:
        FolderWatch(options, screen).run()
    except KeyboardInterrupt:
        screen.say("\nended")
