"""`segue bench --jam`: the scenes in order, a table, and a JSON file with all figures."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from bridge.errors import SegueError
from bridge.ring.form import Audio
from bridge.time.transport import Grid
from plugin_host.bench.jam import figures
from plugin_host.bench.jam.kill import kill_jams
from plugin_host.bench.jam.leak import leak_of
from plugin_host.bench.jam.likeness import answers_likeness, likeness_rows
from plugin_host.bench.jam.rows import JamRow, show
from plugin_host.bench.jam.stage import client, jack_server, run_jam_process
from plugin_host.console.output import put, ready_folder, save_wav
from plugin_host.console.screen import Screen
from plugin_host.doctor.doctor import version
from plugin_host.jam.drive import read_player
from plugin_host.jam.listening.loop_device import measure
from plugin_host.jam.turns import HEARD
from plugin_host.run.region_layout import shipped_regions

SCENES = ("trade", "accompany", "leak", "room", "latency", "offline", "kill")
RATE_HZ, COUNT_IN = 48_000, 4
KILLS = 50
REGION, BPM, BARS = "pop-114bpm", 114.0, 4
LEAK_MS, LEAK_DB, DECAY_SECONDS = 30.0, -12.0, 0.25
LEAK_MINUTES = 3.0  # at most
LEAST_DB, LEARNED_SECONDS = 20.0, 6.0  # of suppression, and in which it may be less
ROOM_LEARNED_SECONDS = 20.0
MINUTES_SHARE = 0.99  # a jam ends on a bar line


@dataclass(frozen=True)
class JamBenchOptions:
    """Options: minutes of the jams in real time, and which scenes."""

    out: Path = Path("segue-jam-bench")
    minutes: float = 2.0
    only: tuple[str, ...] = ()
    kills: int = KILLS


class WrongScene(SegueError):
    """No such scene; the message says which there are."""

    code = "wrong_option"


class Bench:
    """The scenes, in one folder."""

    def __init__(self, options: JamBenchOptions, screen: Screen) -> None:
        self._options, self._screen = options, screen
        self._out = ready_folder(options.out)
        self._grid = Grid(RATE_HZ, BPM)
        loop = read_player(shipped_regions()[REGION], RATE_HZ, 2)
        self.loop: Audio = loop[: self._grid.bar_start(BARS)]
        self._round_trip_ms = 0.0

    def _player(self, name: str, silent_bars: int) -> tuple[Path, Audio]:
        """The player's file: four bars, and bars of rest."""
        rest = np.zeros((self._grid.bar_start(BARS + silent_bars) - len(self.loop), 2), np.float32)
        audio = np.concatenate([self.loop, rest])
        save_wav(self._out / f"{name}.wav", audio, RATE_HZ, as_floats=True)
        return self._out / f"{name}.wav", audio

    def measure_loop(self) -> list[JamRow]:
        """The round trip through the server and one client, as `segue doctor --audio` measures it.  [main]"""
        with client("echo", "0", "0"):
            _, found = measure("jack:echo", "jack:echo", RATE_HZ)
        self._round_trip_ms = found.ms
        return [JamRow("round trip, measured", found.ms, "ms")]

    def live(
        self, mode: str, silent_bars: int, minutes: float, *more: str, name: str = ""
    ) -> tuple[figures.Recording, Audio]:
        """A jam in real time with the player through JACK; `more` are the options of a player in a room.

        `name` of its folder, if it is not that of the mode.  [main]
        """
        name = name or mode
        file, audio = self._player(name, silent_bars)
        bars = max(12, round(minutes * BPM / 4))
        wait = self._grid.sample_at(COUNT_IN)
        options = (
            "--mode", mode, "--in", "jack:player", "--sound-device", "jack:player", "--bpm", str(BPM), "--seed", "7",
            "--count-in", str(COUNT_IN), "--total-bars", str(bars), "--round-trip-ms", f"{self._round_trip_ms:.4f}",
            "--keep",
        )  # fmt: skip
        with client("player", str(file), str(wait), *more):
            try:
                run_jam_process(self._out / name, *options, *_bars(mode))
            except SegueError as fault:  # what was recorded is measured
                self._screen.say(f"  {name} ended early: {fault}")
        return figures.Recording(self._out / name), audio

    def trade(self) -> list[JamRow]:
        """Turns of four bars; the player plays on in Segue's, so that hers are whole wherever they lie.  [main]"""
        jam, audio = self.live("trade", 0, self._options.minutes)
        rows = likeness_rows(answers_likeness(jam))
        return [*self._common("trade", jam, audio), *rows]

    def accompany(self) -> list[JamRow]:
        """Beside the player.  [main]"""
        jam, audio = self.live("accompany", 0, self._options.minutes)
        true, shuffled = figures.accompaniment_likeness(jam)
        listened = len([line for line in jam.of("order") if line["order"] == "relisten"])
        rows = [
            JamRow("accompany: listenings", listened),
            JamRow("accompany: chroma, to the player's; goal: to her bars shuffled", true, "", shuffled),
        ]
        return [*self._common("accompany", jam, audio), *rows]

    def leak(self) -> list[JamRow]:
        """Beside a player whose microphone also hears the jam, later and softer.  [main]"""
        return self._leak("leak", 0.0, LEARNED_SECONDS, LEAST_DB)

    def room(self) -> list[JamRow]:
        """The same with a small loudspeaker in a room, whose echoes are learned more slowly.  [main]"""
        return self._leak("room", DECAY_SECONDS, ROOM_LEARNED_SECONDS, None)

    def _leak(self, name: str, decay_seconds: float, learned_seconds: float, goal: float | None) -> list[JamRow]:
        delay_ms = LEAK_MS - self._round_trip_ms  # the server's own way is a part of it
        way = (f"{delay_ms:.4f}", str(LEAK_DB), str(decay_seconds))
        jam, _ = self.live("accompany", 0, min(self._options.minutes, LEAK_MINUTES), *way, name=name)
        found = leak_of(jam, self._out / name / HEARD, self.loop, learned_seconds)
        said = [line["text"] for line in jam.of("said") if "leak" in line["text"]]
        self._screen.say(f"  {name}: the jam said: {said[-1] if said else 'nothing'}")
        return [
            JamRow(f"{name}: delay that was made", LEAK_MS, "ms"),
            JamRow(f"{name}: level in the input, against Segue", found.level_db, "dB"),
            JamRow(f"{name}: suppressed in the first {learned_seconds:.0f} s of Segue's music", found.first_db, "dB"),
            JamRow(f"{name}: suppressed after that", found.later_db, "dB", goal),
            JamRow(f"{name}: the player over what is left, after that", found.player_db, "dB"),
        ]

    def _common(self, name: str, jam: figures.Recording, audio: Audio) -> list[JamRow]:
        begins, counters = figures.hand_overs(jam), jam.figures
        off_ms = 1000 * figures.off_samples(jam, audio) / RATE_HZ
        results = [line for line in jam.of("result") if line["order"] != "stop"]
        in_time = sum(line["bar"] <= line["asked"] for line in results)
        minutes, exact = len(jam.own) / RATE_HZ / 60, sum(0 <= each <= 1 for each in begins)
        return [
            JamRow(f"{name}: minutes", minutes, "min", MINUTES_SHARE * self._options.minutes),
            JamRow(f"{name}: hand-overs on the bar line to the sample", exact, "", len(begins)),
            JamRow(f"{name}: silent samples where music was due", figures.silent_samples(jam), "", 0, most=True),
            JamRow(f"{name}: muted samples", counters["muted_samples"], "", 0, most=True),
            JamRow(f"{name}: repeated bars for want of music", counters["held_samples"] / RATE_HZ, "s"),
            JamRow(f"{name}: music on the bar that was planned", in_time, "", len(results)),
            JamRow(f"{name}: xruns of JACK", counters["xruns"]),
            JamRow(f"{name}: the player's beat in input.wav is off by", abs(off_ms), "ms", 1, most=True),
        ]

    def offline(self) -> list[JamRow]:
        """The same jam twice with one seed, side by side.  [main]"""
        file, _ = self._player("offline", BARS)
        count = int(self._options.minutes * 60 * RATE_HZ) // self._grid.bar_start(2 * BARS) + 1
        audio = np.tile(np.concatenate([self.loop, np.zeros_like(self.loop)]), (count, 1))
        save_wav(file, audio[: int(self._options.minutes * 60 * RATE_HZ)], RATE_HZ, as_floats=True)
        names, began = ("offline-1", "offline-2"), time.monotonic()
        options = ("--in", str(file), "--offline", "--bpm", str(BPM), "--seed", "7")
        with ThreadPoolExecutor(len(names)) as pool:
            list(pool.map(lambda name: run_jam_process(self._out / name, *options), names))
        took = time.monotonic() - began
        files = ("input.wav", "segue.wav", "mix.wav", "session.jsonl")
        read = lambda name, file: (self._out / name / file).read_bytes()  # noqa: E731
        equal = sum(read(names[0], file) == read(names[1], file) for file in files)
        jam = figures.Recording(self._out / names[0])
        begins = figures.hand_overs(jam)
        return [
            JamRow("offline: minutes of the jam", len(jam.own) / RATE_HZ / 60, "min", self._options.minutes),
            JamRow("offline: two at once took", took / 60, "min"),
            JamRow("offline: files that are equal to the bit in two runs", equal, "files", len(files)),
            JamRow("offline: hand-overs on the bar line to the sample", sum(0 <= each <= 1 for each in begins), "",
                   len(begins)),
            JamRow("offline: silent samples where music was due", figures.silent_samples(jam), "", 0, most=True),
        ]  # fmt: skip

    def kill(self) -> list[JamRow]:
        """`kill -9` at random moments of a jam; what is left must be readable, and the files equally long.  [main]"""
        file, _ = self._player("kill", BARS)
        count = self._options.kills
        options = ("--in", str(file), "--bpm", str(BPM), "--total-bars", "400", "--count-in", "0")
        told = lambda number: self._screen.show(f"killed {number} of {count}")  # noqa: E731
        found = kill_jams(self._out, count, options, BPM, told)
        self._screen.show("")
        return [
            JamRow("kill -9: recordings that read", sum(each.reads for each in found), "", count),
            JamRow("kill -9: of them with files of equal length", sum(each.equal for each in found), "", count),
            JamRow("kill -9: as long as what was played, but for half a second", sum(each.whole for each in found), "",
                   count),
            JamRow("kill -9: jams that played by then", sum(each.played_seconds > 0 for each in found)),
        ]  # fmt: skip

    def run(self) -> list[JamRow]:
        """The wanted scenes.  [main]"""
        wanted = self._options.only or SCENES
        rows: list[JamRow] = []
        with ExitStack() as stack:
            if {"trade", "accompany", "leak", "room", "latency"} & set(wanted):
                stack.enter_context(jack_server(self._out / "jackd.log", RATE_HZ))
                rows += self._played("latency", self.measure_loop)
            scenes: dict[str, Callable[[], list[JamRow]]] = {
                "trade": self.trade, "accompany": self.accompany, "leak": self.leak, "room": self.room,
                "offline": self.offline, "kill": self.kill,
            }  # fmt: skip
            for name, scene in scenes.items():
                if name in wanted:
                    rows += self._played(name, scene)
        return rows

    def _played(self, name: str, scene: Callable[[], list[JamRow]]) -> list[JamRow]:
        self._screen.say(f"{name}:")
        try:
            rows = scene()
        except SegueError as fault:
            self._screen.say(f"  {name} ended early: {fault}")
            return [JamRow(f"{name}: measured", 0, "", 1)]
        show(rows, self._screen)
        return rows


def _bars(mode: str) -> tuple[str, ...]:
    return ("--bars", str(BARS)) if mode == "trade" else ()


def run_jam_bench(options: JamBenchOptions, screen: Screen) -> None:
    """Play, measure, print, write.  [main]"""
    strange = sorted(set(options.only) - set(SCENES))
    if strange:
        raise WrongScene(f"--only takes {', '.join(SCENES)}; got {', '.join(strange)}")
    bench = Bench(options, screen)
    rows = bench.run()
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    head = {"segue": version(), "machine": platform.platform(), "cores": os.cpu_count(), "load": load}
    told = {**head, "options": {key: str(value) for key, value in asdict(options).items()}}
    put(options.out / "jam.json", json.dumps({**told, "rows": [asdict(row) for row in rows]}, indent=1) + "\n")
    screen.say(f"written to {options.out / 'jam.json'}")
