"""Run with failing_calls.c preloaded: every file call of an order of stems fails, or ends the process, in turn.

    crash_stems.py LIBRARY FOLDER

What each case leaves is looked at, and some are gone on with. Prints how many calls there were, and how often what was
found; exits with the first fault. The engine is a stand-in that makes tones at once.
"""

from __future__ import annotations

import ctypes
import gc
import mmap
import os
import shutil
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import soundfile

from bridge.errors import SegueError
from bridge.ring.form import Audio
from plugin_host.bench.stems.killed import left_behind
from plugin_host.bench.trust.file_calls import UNFLUSHED, UNNAMED, flushed
from plugin_host.history.history import History
from plugin_host.takes import finish, make
from plugin_host.takes.engines import HotEngine
from plugin_host.takes.order import TakeOrder
from plugin_host.takes.place import TakeRegionRequest
from plugin_host.takes.recipe import Recipe
from plugin_host.takes.stems import separate
from plugin_host.takes.stems.lanes import read_lanes
from plugin_host.takes.stems.order import StemsOrder
from plugin_host.takes.stems.run import Cancelled, make_stems
from plugin_host.takes.take import read_take, span_of

RATE = 8000
LANES = "drums"
MODES = ("fails once", "disk full", "all fail", "killed", "killed within a write")
ENDS, GOES_ON = 6, 36  # at every so manieth call it ends, too; after every so manieth it is gone on with
CALLS_MAX = 1000


def tone(recipe: Recipe) -> tuple[Recipe, Audio]:
    """What the engine would make: a struck tone, other for each lane."""
    begin, end = span_of(recipe)
    seconds = np.arange(end - begin) / RATE
    mono = 0.3 * np.sin(2 * np.pi * (220 + 110 * len(recipe.regions)) * seconds) * np.exp(-8 * (seconds % 0.25))
    return recipe, np.stack([mono, mono], axis=1).astype(np.float32)


def engine() -> HotEngine:
    """The stand-in."""

    def made(
        client: object, recipe: Recipe, say: object, show: Callable[[float], None], stop: threading.Event | None
    ) -> tuple[Recipe, Audio]:  # fmt: skip
        return tone(recipe)

    make.make = made
    finish.measure = lambda audio, rate_hz: None  # the loudness, which takes long
    separate.missing = lambda: "not asked: another process would be"
    client = SimpleNamespace(model=lambda: SimpleNamespace(abilities="melody"))
    return HotEngine(client, "tones", "float32", "", lambda: True)  # type: ignore[arg-type]


def makes(library: ctypes.CDLL, folder: Path, hot: HotEngine, kept: mmap.mmap) -> None:
    """Make the stems, and keep each as soon as it is a take; `kept` counts those whose keep has returned."""
    region = TakeRegionRequest(folder.with_name("song.wav"), "melody", 240.0, 0.0)
    take = TakeOrder(region, 240.0, bars=1, seed=3, rate_hz=RATE, session=folder)

    def keep_all(line: str) -> None:
        if not (folder / "takes.db").exists():
            return
        with History(folder) as history:
            nodes = history.keep([node.number for node in history.nodes("NOT kept")])
            flushed(library)
            for node in nodes:
                kept[0] += 1
                kept[kept[0]] = node.number

    make_stems(StemsOrder(take, read_lanes(LANES), 1), hot, folder, keep_all, lambda line: None)


def case(library: ctypes.CDLL, folder: Path, hot: HotEngine, at: int, mode: int, kept: mmap.mmap) -> int:
    """One process; returns how many calls it made."""
    child = os.fork()
    if child == 0:
        library.arm(at, mode)
        try:
            makes(library, folder, hot, kept)
        except (SegueError, Cancelled):
            pass
        except BaseException as error:  # a fault of the disk is never anything else
            library.disarm()
            os.write(2, f"{MODES[mode]} at call {at}: {type(error).__name__}: {error}\n".encode())
            os._exit(2)
        library.disarm()
        kept[100:104] = library.calls().to_bytes(4, "little")
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status in (UNNAMED, UNFLUSHED):
        raise SystemExit(f"call {at}: {'named' if status == UNNAMED else 'kept'} before it was flushed to the disk")
    if status not in (0, 99):
        raise SystemExit(f"{MODES[mode]} at call {at}: exit code {status}")
    return at if status == 99 else int.from_bytes(kept[100:104], "little")


def check(folder: Path, kept: Sequence[int], where: str) -> None:
    """Nothing kept is lost, and no file under its final name is half."""
    if faults := left_behind(folder, set(kept)):
        raise SystemExit(f"{where}: {faults}")


def whole(folder: Path) -> dict[str, bytes]:
    """The music of the stems and the mix."""
    return {path.name: read_take(path).audio.tobytes() for path in sorted(folder.glob("1/*.wav"))}


def main() -> None:
    library, base = ctypes.CDLL(sys.argv[1]), Path(sys.argv[2])
    soundfile.write(base / "song.wav", 0.2 * np.sin(np.arange(RATE) / 6), RATE)
    hot, folder = engine(), base / "session"
    makes(library, folder, hot, mmap.mmap(-1, 128))
    wanted = whole(folder)
    shutil.rmtree(folder)
    gc.freeze()  # so that a fork copies less
    at, gone_on, calls = 1, 0, CALLS_MAX
    while at <= calls:
        for mode in (0, 1 + at // ENDS % 4) if at % ENDS == 0 else (0,):
            kept = mmap.mmap(-1, 128)
            made = case(library, folder, hot, at, mode, kept)
            calls = made if made < at else calls
            where = f"{MODES[mode]} at call {at}"
            check(folder, kept[1 : 1 + kept[0]], where)
            if at % GOES_ON == 0:
                makes(library, folder, hot, kept)
                check(folder, kept[1 : 1 + kept[0]], f"gone on with after: {where}")
                if whole(folder) != wanted:
                    raise SystemExit(f"gone on with after: {where}: other stems than at once")
                gone_on += 1
            if folder.exists():
                shutil.rmtree(folder)
        at += 1
    print(f"calls: {calls}")
    print(f"gone on with: {gone_on}")


if __name__ == "__main__":
    main()
