"""Programs for the bench's JACK server: `python -m plugin_host.bench.jam.clients player FILE WAIT`, or `echo MS DB`.

With `player FILE WAIT MS DB SECONDS` her microphone also hears the jam, from a loudspeaker in a room that falls by 60
dB in so many seconds; 0 seconds is a delay and a level, nothing else.

The player waits for the count-in, and plays her file from the first beat after it on, again and again: on the samples
that she hears, as a player does.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bridge.ring.form import Audio
from plugin_host.bench.jam.room import RoomFilter, direct_path, room_path
from plugin_host.console.screen import print_line
from plugin_host.host.jack_card import LARGEST_BLOCK
from plugin_host.host.jack_client import LastingClient
from plugin_host.jam.drive import read_player

CLICK = 0.02  # a sample of this size in the jam's output is the count-in
RATE_HZ = 48_000
Fill = Callable[[Audio, Audio, int], None]  # what is heard, what is played, the server's time in samples


class Player:
    """Plays audio [n, channels] `wait` samples after the first sound that she hears, round and round."""

    def __init__(self, audio: Audio, wait: int, room: RoomFilter | None = None) -> None:
        self._audio, self._wait, self._room = audio, wait, room
        self._from: int | None = None  # the server's time of her first note

    def fill(self, heard: Audio, out: Audio, frame: int) -> None:
        """One block.  [audio]"""
        out[:] = 0
        if self._from is None:
            loud = np.flatnonzero(np.abs(heard[:, 0]) > CLICK)
            if len(loud):
                self._from = frame + int(loud[0]) + self._wait
        if self._from is not None:
            at = np.arange(frame - self._from, frame - self._from + len(out))
            out[at >= 0] = self._audio[at[at >= 0] % len(self._audio)]
        if self._room is not None:
            out += self._room.filtered(heard)


class Echo:
    """Plays what it hears, later and softer."""

    def __init__(self, delay_samples: int, gain: float) -> None:
        self._gain = gain
        self._delay = delay_samples
        self._line: Audio = np.zeros((delay_samples + LARGEST_BLOCK, 2), np.float32)

    def fill(self, heard: Audio, out: Audio, frame: int) -> None:
        """One block.  [audio]"""
        n, delay = len(out), self._delay
        self._line[delay : delay + n] = heard
        np.multiply(self._line[:n], self._gain, out=out)
        self._line[:delay] = self._line[n : n + delay]


def run_client(name: str, fill: Fill) -> None:
    """A JACK client with two inputs and two outputs, for ever.  [main]"""
    ports: list[list[Any]] = [[], []]
    made: list[LastingClient] = []
    blocks = np.zeros((2, LARGEST_BLOCK, 2), np.float32)

    def process(n_samples: int) -> None:
        heard, out = blocks[0, :n_samples], blocks[1, :n_samples]
        for channel, port in enumerate(ports[0]):
            heard[:, channel] = port.get_array()
        fill(heard, out, int(made[0].client.last_frame_time) if made else 0)
        for channel, port in enumerate(ports[1]):
            port.get_array()[:] = out[:, channel]

    def set_up(client: Any) -> None:
        ports[0] = [client.inports.register(f"in_{n}") for n in (1, 2)]
        ports[1] = [client.outports.register(f"out_{n}") for n in (1, 2)]
        client.set_process_callback(process)

    made.append(LastingClient(name, set_up))
    print_line("ready")
    try:
        threading.Event().wait()
    finally:
        made[0].close()


def _room(delay_ms: float, level_db: float, decay_seconds: float) -> RoomFilter:
    way = (RATE_HZ, delay_ms / 1000, level_db)
    return RoomFilter(room_path(*way, decay_seconds) if decay_seconds else direct_path(*way), LARGEST_BLOCK)


def main() -> None:
    """The program.  [main]"""
    what, *rest = sys.argv[1:]
    if what == "player":
        audio = read_player(Path(rest[0]), RATE_HZ, 2)
        run_client("player", Player(audio, int(rest[1]), _room(*map(float, rest[2:5])) if rest[2:] else None).fill)
    else:
        run_client("echo", Echo(round(float(rest[0]) * RATE_HZ / 1000), 10 ** (float(rest[1]) / 20)).fill)


if __name__ == "__main__":
    main()
