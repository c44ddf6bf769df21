"""`kill -9` of whole jams at random moments, several side by side: what is left is read, and compared with the jam."""

from __future__ import annotations

import random
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from bridge.control.jam_rows import JAM_ROOT, JAM_STATE
from bridge.control.packet import encode, parse
from bridge.errors import SegueError
from plugin_host.bench.jam.stage import jam_command
from plugin_host.client.engine_process import free_port
from plugin_host.jam.recording.journal import read_journal
from plugin_host.jam.recording.repair import repair

SIDE_BY_SIDE = 4
LONGEST_SECONDS = 10.0  # from the beginning of the recording to the kill
START_SECONDS = 180.0
MISSING_SECONDS = 0.5  # at the end of a recording, at most
LISTEN_SECONDS = 0.05


@dataclass(frozen=True)
class Killed:
    """A jam that was killed: whether its recording reads, is equally long, and the seconds that were played, kept."""

    reads: bool
    equal: bool
    played_seconds: float = 0.0
    kept_seconds: float = 0.0

    @property
    def whole(self) -> bool:
        """Whether it is as long as what was played, but for the last half second.  [any]"""
        return self.kept_seconds >= self.played_seconds - MISSING_SECONDS


def kill_jams(out: Path, count: int, options: tuple[str, ...], bpm: float, done: Callable[[int], None]) -> list[Killed]:
    """Kill so many jams; `done` gets the number of each that is finished.  [main]"""
    dice = random.Random(1)
    moments = [dice.uniform(0.0, LONGEST_SECONDS) for _ in range(count)]

    def one(number: int) -> Killed:
        try:
            return _killed(out / f"killed-{number + 1}", moments[number], options, bpm)
        finally:
            done(number + 1)

    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        return list(pool.map(one, range(count)))


def _killed(out: Path, after: float, options: tuple[str, ...], bpm: float) -> Killed:
    port = free_port()
    command = jam_command(out, *options, "--control-port", str(port))
    with tempfile.TemporaryFile() as quiet, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
        wire.bind(("127.0.0.1", 0))
        wire.settimeout(LISTEN_SECONDS)
        jam = subprocess.Popen(command, stdout=quiet, stderr=quiet, stdin=subprocess.DEVNULL)  # noqa: S603
        try:
            until = time.monotonic() + START_SECONDS
            while not (out / "session.jsonl").exists() and jam.poll() is None and time.monotonic() < until:
                time.sleep(0.02)
            beats = _listen(wire, port, time.monotonic() + after)
        finally:
            jam.send_signal(signal.SIGKILL)
            jam.wait()
    return _left(out, max(beats, 0.0) * 60 / bpm)


def _listen(wire: socket.socket, port: int, until: float) -> float:
    """The last beat that the jam told of before a second of the monotonic clock."""
    beats = 0.0
    while time.monotonic() < until:
        wire.sendto(encode(f"{JAM_ROOT}listen", [0, 20.0]), ("127.0.0.1", port))
        try:
            packet = parse(wire.recv(65535))[0]
        except (OSError, SegueError):  # it does not listen yet
            time.sleep(0.01)
            continue
        if packet.address == JAM_STATE.address:
            beats = float(str(packet.values[5]))
    return beats


def _left(out: Path, played: float) -> Killed:
    import soundfile

    names = ("input.wav", "segue.wav", "mix.wav")
    try:
        for name in names:
            soundfile.read(out / name)
        read_journal(out / "session.jsonl")
        repair(out)
        lengths = [len(soundfile.read(out / name)[0]) for name in names]
        rate_hz = int(soundfile.info(out / names[0]).samplerate)
    except (OSError, ValueError, SegueError, soundfile.LibsndfileError):
        return Killed(False, False, played)
    return Killed(True, len(set(lengths)) == 1, played, min(lengths) / rate_hz)
