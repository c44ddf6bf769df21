"""What drives a jam: a file offline, a file in real time, a sound card, JACK. Each renders the deck's blocks."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bridge.region.sound_file import SoundFault, opened
from bridge.ring.form import Audio
from plugin_host.host.clip import resample
from plugin_host.host.clock import OfflineClock, PacedClock
from plugin_host.host.jack_card import LARGEST_BLOCK
from plugin_host.host.jack_client import JackError, LastingClient
from plugin_host.host.soundcard import SoundCardError, load
from plugin_host.jam.deck import JamDeck
from plugin_host.jam.errors import JamError

BLOCK_SAMPLES = 256
AHEAD_SECONDS = 1.7  # of music that must be ready offline: the engine is as far ahead as it is in real time
PATIENCE_SECONDS = 120.0  # offline, without a new block: the engine counts as stuck


def read_player(path: Path, rate_hz: int, channels: int) -> Audio:
    """A file as the player, float32 [n, channels] at the session's rate; JamError if it cannot be read.  [main]"""
    try:
        with path.open("rb") as file, opened(file) as sound:
            audio, found_hz = sound.read(), sound.rate_hz
    except (SoundFault, OSError) as fault:
        raise JamError(f"--in {path}: {getattr(fault, 'strerror', None) or fault}") from None
    if audio.shape[1] > channels:
        audio = audio.mean(axis=1, keepdims=True, dtype=np.float32)
    if audio.shape[1] < channels:
        audio = np.repeat(audio[:, :1], channels, axis=1)
    return np.ascontiguousarray(resample(audio, rate_hz / found_hz), np.float32)


class FilePlayer:
    """A player from a file, block by block; silence behind its end."""

    def __init__(self, audio: Audio, starts_at: int) -> None:
        """`starts_at`: the session sample of the file's first one.  [main]"""
        self._audio, self._starts_at = audio, starts_at
        self.ends_at = starts_at + len(audio)  # the session sample behind its last one

    def block(self, sample: int, n: int) -> Audio:
        """The samples of a block.  [main]"""
        out = np.zeros((n, self._audio.shape[1]), np.float32)
        begin = max(0, sample - self._starts_at)
        end = max(0, min(sample + n - self._starts_at, len(self._audio)))
        if begin < end:
            at = begin + self._starts_at - sample
            out[at : at + end - begin] = self._audio[begin:end]
        return out


class OfflineDrive:
    """Renders as fast as the engine makes music; `step` is called after every block, on the caller's thread."""

    def __init__(self, deck: JamDeck, player: FilePlayer) -> None:
        self._deck, self._player = deck, player
        ahead = int(AHEAD_SECONDS * deck.processor.sample_rate_hz)
        ready = lambda n: all(each.ready(ahead) for each in deck.processors)  # noqa: E731
        self._clock = OfflineClock(ready, PATIENCE_SECONDS)
        self._out: Audio = np.zeros((BLOCK_SAMPLES, deck.processor.channels), np.float32)

    def run(self, step: Callable[[], None], end: Callable[[], bool]) -> None:
        """Render until `end`; JamError if the engine makes no more music.  [main]"""
        while not end():
            if not self._clock.wait(BLOCK_SAMPLES):
                raise JamError(f"the engine made no music for {PATIENCE_SECONDS:.0f} s")
            self._deck.render(self._player.block(self._deck.sample, BLOCK_SAMPLES), self._out)
            step()


class PacedDrive:
    """A file in real time without a sound card, on a thread of its own."""

    latency_samples = 0
    flagged = 0

    def __init__(self, deck: JamDeck, player: FilePlayer) -> None:
        self._deck, self._player = deck, player
        self._clock = PacedClock(deck.processor.sample_rate_hz)
        self._out: Audio = np.zeros((BLOCK_SAMPLES, deck.processor.channels), np.float32)
        self._ending = threading.Event()
        self.fault: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="segue-audio", daemon=True)

    @property
    def running(self) -> bool:
        """Whether it renders.  [any]"""
        return self._thread.is_alive()

    def start(self) -> None:
        """Start.  [main]"""
        self._thread.start()

    def stop(self) -> None:
        """Stop after the present block; raises its fault.  [main]"""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join()
        if self.fault is not None:
            raise self.fault

    def _run(self) -> None:
        try:
            while not self._ending.is_set():
                self._clock.wait(BLOCK_SAMPLES)
                self._deck.render(self._player.block(self._deck.sample, BLOCK_SAMPLES), self._out)
        except BaseException as fault:
            self.fault = fault


class CardDrive:
    """A sound card, in and out, through PortAudio."""

    def __init__(self, deck: JamDeck, source: str | int | None, sink: str | int | None) -> None:
        self._deck = deck
        self.flagged = 0
        self.fault: BaseException | None = None
        self._sounddevice = load()
        channels = deck.processor.channels
        self._captured: Audio = np.zeros((LARGEST_BLOCK, channels), np.float32)
        try:
            inputs = int(self._sounddevice.query_devices(source, "input")["max_input_channels"])
            self._stream = self._sounddevice.Stream(
                samplerate=deck.processor.sample_rate_hz, channels=(min(inputs, channels), channels), dtype="float32",
                device=(source, sink), latency="low", callback=self._fill,
            )  # fmt: skip
        except (self._sounddevice.PortAudioError, ValueError) as fault:
            raise SoundCardError(f"the sound card does not open: {fault}; `segue doctor` lists the devices") from None

    @property
    def running(self) -> bool:
        """Whether it plays.  [any]"""
        return bool(self._stream.active)

    def start(self) -> None:
        """Start.  [main]"""
        self._stream.start()

    def stop(self) -> None:
        """Stop, and release the card; raises the fault of its callback.  [main]"""
        self._stream.close()
        if self.fault is not None:
            raise self.fault

    def _fill(self, captured: Any, out: Any, n_samples: int, time: Any, flags: Any) -> None:
        """PortAudio's callback.  [audio]"""
        if flags:
            self.flagged += 1
        try:
            for begin in range(0, n_samples, LARGEST_BLOCK):
                part = out[begin : begin + LARGEST_BLOCK]
                heard = self._captured[: len(part)]
                heard[:] = captured[begin : begin + LARGEST_BLOCK]  # one channel goes to both
                self._deck.render(heard, part)
        except BaseException as fault:
            self.fault = fault
            out[:] = 0
            raise self._sounddevice.CallbackAbort from fault


class JackDrive:
    """A JACK client `segue-jam` with inputs and outputs; it waits for a server that ends, and comes back with it."""

    def __init__(self, deck: JamDeck, source: str, sink: str, say: Callable[[str], None]) -> None:
        self._deck, self._source, self._sink = deck, source, sink
        self.flagged = 0
        self.fault: BaseException | None = None
        channels = deck.processor.channels
        self._out: Audio = np.zeros((LARGEST_BLOCK, channels), np.float32)
        self._captured: Audio = np.zeros((LARGEST_BLOCK, channels), np.float32)
        self._ports: tuple[list[Any], list[Any]] = ([], [])
        self._say = say
        self._connected = False  # nothing is rendered before: the count-in would not be heard
        self._client: LastingClient | None = None

    @property
    def running(self) -> bool:
        """Whether it plays, or waits for its server.  [any]"""
        return self._client is not None and self.fault is None

    def start(self) -> None:
        """Connect; JackError if no server runs or it has another rate.  [main]"""
        self._client = LastingClient("segue-jam", self._set_up, self._connect, self._say)

    def stop(self) -> None:
        """Disconnect; raises the fault of its callback.  [main]"""
        if self._client is not None:
            self._client.close()
            self._client = None
        if self.fault is not None:
            raise self.fault

    def _set_up(self, client: Any) -> None:
        rate, channels = self._deck.processor.sample_rate_hz, range(1, self._deck.processor.channels + 1)
        if client.samplerate != rate:
            raise JackError(f"JACK runs at {client.samplerate} Hz, the jam at {rate}: --rate {client.samplerate}")
        self._ports = (
            [client.inports.register(f"in_{n}") for n in channels],
            [client.outports.register(f"out_{n}") for n in channels],
        )
        client.set_process_callback(self._fill)
        client.set_xrun_callback(self._late)

    def _connect(self, client: Any) -> None:
        inputs, outputs = self._ports
        there = client.get_ports(f"^{self._source}:", is_audio=True, is_output=True)
        if not there:
            raise JackError(f"JACK has no client {self._source!r} that gives sound")
        for number, port in enumerate(inputs):  # one channel goes to both
            client.connect(there[min(number, len(there) - 1)], port)
        for port, to in zip(outputs, client.get_ports(f"^{self._sink}:", is_audio=True, is_input=True), strict=False):
            client.connect(port, to)
        self._connected = True

    def _late(self, delayed_usecs: float) -> None:
        self.flagged += 1

    def _fill(self, n_samples: int) -> None:
        """JACK's callback.  [audio]"""
        out, captured = self._out[:n_samples], self._captured[:n_samples]
        try:
            for channel, port in enumerate(self._ports[0]):
                captured[:, channel] = port.get_array()
            if self.fault is None and self._connected:
                self._deck.render(captured, out)
        except BaseException as fault:
            self.fault = fault
        if self.fault is not None or not self._connected:
            out[:] = 0
        for channel, port in enumerate(self._ports[1]):
            port.get_array()[:] = out[:, channel]


Drive = PacedDrive | CardDrive | JackDrive
