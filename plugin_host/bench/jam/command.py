"""`segue bench --jam`: the scenes in order, a table, and a JSON file with all figures."""

from __future__ import annotations

import json
import os
import platform
import random
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from bridge.errors import SegueError
from bridge.ring.form import Audio
from bridge.time.transport import Grid
from plugin_host.bench.bench import FigureRow, show_rows
from plugin_host.bench.jam import figures
from plugin_host.bench.jam.stage import client, jack_server, jam_command, run_jam_process
from plugin_host.console.output import put, ready_folder, save_wav
from plugin_host.console.screen import Screen
from plugin_host.doctor.doctor import version
from plugin_host.jam.drive import read_player
from plugin_host.jam.listening.loop_device import measure
from plugin_host.jam.recording.journal import read_journal
from plugin_host.run.region_layout import shipped_regions

SCENES = ("trade", "accompany", "latency", "offline", "kill")
RATE_HZ, COUNT_IN = 48_000, 4
START_SECONDS = 150.0  # that an engine may take beside the music
KILLS = 50
REGION, BPM, BARS = "pop-114bpm", 114.0, 4


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

    def measure_loop(self) -> list[FigureRow]:
        """The round trip through the server and one client, as `segue doctor --audio` measures it.  [main]"""
        with client("echo", "0", "0"):
            _, found = measure("jack:echo", "jack:echo", RATE_HZ)
        self._round_trip_ms = found.ms
        return [FigureRow("round trip, measured", found.ms, "ms", "")]

    def live(self, mode: str, silent_bars: int, minutes: float) -> tuple[figures.Recording, Audio]:
        """A jam in real time with the player through JACK.  [main]"""
        file, audio = self._player(mode, silent_bars)
        bars = max(12, round(minutes * BPM / 4))
        wait = self._grid.sample_at(COUNT_IN)
        options = (
            "--mode", mode, "--in", "jack:player", "--sound-device", "jack:player", "--bpm", str(BPM), "--seed", "7",
            "--count-in", str(COUNT_IN), "--total-bars", str(bars), "--round-trip-ms", f"{self._round_trip_ms:.4f}",
        )  # fmt: skip
        with client("player", str(file), str(wait)):
            said = run_jam_process(self._out / mode, 60 * minutes + START_SECONDS, *options, *_bars(mode))
        put(self._out / f"{mode}.txt", said)
        return figures.Recording(self._out / mode), audio

    def trade(self) -> list[FigureRow]:
        """Turns of four bars.  [main]"""
        jam, audio = self.live("trade", BARS, self._options.minutes)
        answers, repeats = figures.answers_likeness(jam)
        rows = [
            FigureRow("trade: answers", len(answers), "", ""),
            FigureRow("trade: likeness of an answer to the player, mean", float(np.mean(answers)), "", ""),
            FigureRow("trade: the same, most", max(answers), "", "below a repeat's"),
            FigureRow("trade: the same of a straight repeat", float(np.mean(repeats)), "", ""),
        ]
        return [*self._common("trade", jam, audio), *rows]

    def accompany(self) -> list[FigureRow]:
        """Beside the player.  [main]"""
        jam, audio = self.live("accompany", 0, self._options.minutes)
        true, shuffled = figures.accompaniment_likeness(jam)
        listened = len([line for line in jam.of("order") if line["order"] == "relisten"])
        rows = [
            FigureRow("accompany: listenings", listened, "", ""),
            FigureRow("accompany: chroma, to the player's", true, "", "above shuffled"),
            FigureRow("accompany: chroma, to the player's bars shuffled", shuffled, "", ""),
        ]
        return [*self._common("accompany", jam, audio), *rows]

    def _common(self, name: str, jam: figures.Recording, audio: Audio) -> list[FigureRow]:
        begins, counted = figures.hand_overs(jam), jam.figures
        off_ms = 1000 * figures.off_samples(jam, audio) / RATE_HZ
        late = len([line for line in jam.of("result") if line["bar"] > line["asked"]])
        return [
            FigureRow(f"{name}: minutes", len(jam.own) / RATE_HZ / 60, "min", ""),
            FigureRow(f"{name}: hand-overs", len(begins), "", ""),
            FigureRow(
                f"{name}: hand-over off its bar line, most", max(map(abs, begins), default=0), "samples", "0 or 1"
            ),
            FigureRow(f"{name}: silent samples where music was due", figures.silent_samples(jam), "", "0"),
            FigureRow(f"{name}: muted samples", counted["muted_samples"], "", "0"),
            FigureRow(f"{name}: repeated bars for want of music", counted["held_samples"] / RATE_HZ, "s", "0"),
            FigureRow(f"{name}: music a bar late", late, "times", ""),
            FigureRow(f"{name}: xruns of JACK", counted["xruns"], "", ""),
            FigureRow(f"{name}: the player's beat in input.wav is off by", off_ms, "ms", "within 1"),
        ]

    def offline(self) -> list[FigureRow]:
        """The same jam twice with one seed.  [main]"""
        file, _ = self._player("offline", BARS)
        count = int(self._options.minutes * 60 * RATE_HZ) // self._grid.bar_start(2 * BARS) + 1
        audio = np.tile(np.concatenate([self.loop, np.zeros_like(self.loop)]), (count, 1))
        save_wav(file, audio[: int(self._options.minutes * 60 * RATE_HZ)], RATE_HZ, as_floats=True)
        names, took = ("offline-1", "offline-2"), []
        for name in names:
            began = time.monotonic()
            options = ("--in", str(file), "--offline", "--bpm", str(BPM), "--seed", "7")
            run_jam_process(self._out / name, 3000, *options)
            took.append(time.monotonic() - began)
        files = ("input.wav", "segue.wav", "mix.wav", "session.jsonl")
        read = lambda name, file: (self._out / name / file).read_bytes()  # noqa: E731
        unequal = sum(read(names[0], file) != read(names[1], file) for file in files)
        jam = figures.Recording(self._out / names[0])
        off = max(map(abs, figures.hand_overs(jam)))
        return [
            FigureRow("offline: minutes of the jam", len(jam.own) / RATE_HZ / 60, "min", ""),
            FigureRow("offline: it took", max(took) / 60, "min", ""),
            FigureRow("offline: files that differ between two runs", unequal, "of 4", "0"),
            FigureRow("offline: hand-over off its bar line, most", off, "samples", "0 or 1"),
            FigureRow("offline: silent samples where music was due", figures.silent_samples(jam), "", "0"),
        ]  # fmt: skip

    def kill(self) -> list[FigureRow]:
        """`kill -9` at random moments of a jam; what is left must be readable, and the files equally long.  [main]"""
        import soundfile

        file, _ = self._player("kill", BARS)
        rng, unreadable, lost = random.Random(1), 0, []
        for number in range(self._options.kills):
            out = self._out / "killed"
            command = jam_command(out, "--in", str(file), "--bpm", str(BPM), "--total-bars", "400", "--count-in", "0")
            with tempfile.TemporaryFile() as quiet:
                jam = subprocess.Popen(command, stdout=quiet, stderr=quiet, stdin=subprocess.DEVNULL)  # noqa: S603
                while not (out / "session.jsonl").exists() and jam.poll() is None:
                    time.sleep(0.02)
                began = time.monotonic()
                time.sleep(rng.uniform(0.0, 6.0))
                lived = time.monotonic() - began
                jam.send_signal(signal.SIGKILL)
                jam.wait()
            try:
                lengths = {len(soundfile.read(out / f"{name}.wav")[0]) for name in ("input", "segue", "mix")}
                read_journal(out / "session.jsonl")
                lost.append(lived - min(lengths) / RATE_HZ)
                unreadable += len(lengths) > 1
            except (OSError, ValueError, soundfile.LibsndfileError):
                unreadable += 1
            self._screen.show(f"killed {number + 1} of {self._options.kills}")
        self._screen.show("")
        return [
            FigureRow("kill -9: jams", self._options.kills, "", ""),
            FigureRow("kill -9: recordings that do not read, or of unequal lengths", unreadable, "", "0"),
        ]

    def run(self) -> list[FigureRow]:
        """The wanted scenes.  [main]"""
        wanted = self._options.only or SCENES
        rows: list[FigureRow] = []
        with ExitStack() as stack:
            if {"trade", "accompany", "latency"} & set(wanted):
                stack.enter_context(jack_server(self._out / "jackd.log", RATE_HZ))
                rows += self._played("latency", self.measure_loop)
            scenes: dict[str, Callable[[], list[FigureRow]]] = {
                "trade": self.trade, "accompany": self.accompany, "offline": self.offline, "kill": self.kill
            }  # fmt: skip
            for name, scene in scenes.items():
                if name in wanted:
                    rows += self._played(name, scene)
        return rows

    def _played(self, name: str, scene: Callable[[], list[FigureRow]]) -> list[FigureRow]:
        self._screen.say(f"{name}:")
        try:
            rows = scene()
        except SegueError as fault:
            self._screen.say(f"  {name} ended early: {fault}")
            return [FigureRow(f"{name}: ended early", 1, "", "0")]
        show_rows(rows, self._screen)
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
