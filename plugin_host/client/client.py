"""Typed calls to the engine, one method per request of the message table; each waits for its answer.

    with EngineClient() as engine:
        lane, ring = engine.open_lane(0, rate_hz=48000)
        engine.region_file(lane, "continue", "/home/me/riff.wav", bpm=120, start_beats=0)
        engine.play(lane, at="bar", bars=16)

Every call raises the error that the engine answers (bridge.errors), WireError for arguments that do not fit the
table, and NoAnswer if the engine is silent. Calls may come from any thread except from inside `on_event`,
`on_heard` and `on_progress`, which run on the receiving thread and must not wait.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import time
from types import TracebackType
from typing import Any

from bridge.control import messages
from bridge.control.arguments import Message
from bridge.control.client_rows import PADDING_MIN
from bridge.control.secret import proof
from bridge.errors import NoAnswer, RegionTransfer, WireError
from bridge.region.region import Samples
from bridge.region.transfer import bytes_of, checksum, chunks_of, parse_numbers
from bridge.time.units import Signature
from plugin_host.client import replies
from plugin_host.client.lane_calls import LaneCalls, OnHeard, When
from plugin_host.client.udp_connection import Event, OnEvent, OnProgress, UdpConnection

CALL_SECONDS = 2.0
SLOW_CALL_SECONDS = 30.0  # for requests that are marked slow, or wait for the music
PATIENT = (messages.LANE_OPEN, messages.LANE_PROMPT, messages.LANE_PRESET)  # and for these, on a busy machine
CHUNKS_PER_BURST = 20
CHUNKS_PER_SECOND = 2500  # below an endpoint's limit for one sender
ROUNDS_WITHOUT_PROGRESS_MAX = 5


class EngineClient(LaneCalls):
    """A client of the engine; also a context manager that says hello and bye.

    `on_event` gets the engine's events, `on_heard` the `heard` events of all clients' commands.
    """

    def __init__(
        self,
        port: int = messages.DEFAULT_PORT,
        host: str = "127.0.0.1",
        *,
        name: str = "segue host",
        secret: str = "",
        on_event: OnEvent | None = None,
        on_heard: OnHeard | None = None,
        timeout_seconds: float = CALL_SECONDS,
        slow_timeout_seconds: float = SLOW_CALL_SECONDS,
    ) -> None:
        self.port = port  # of the engine
        self._hello = (0, name, secret)
        self.latest_model = ""  # the last one reported as ready; empty for none so far
        self._on_event, self._on_heard = on_event, on_heard
        self._connection = UdpConnection(host, port, self._hello, self._on_notification)
        self._timeout_seconds = timeout_seconds
        self._slow_timeout_seconds = slow_timeout_seconds
        self._transfers = itertools.count(1)

    def _on_notification(self, event: Event) -> None:
        if event.message is messages.EVENT_MODEL and event.values["state"] == "ready":
            self.latest_model = str(event.values["model"])
        if event.message is messages.EVENT_HEARD and self._on_heard:
            self._on_heard(replies.heard(event.values))
        if self._on_event:
            self._on_event(event)

    def __enter__(self) -> EngineClient:
        try:
            self.connect()
        except BaseException:
            self._connection.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    @property
    def silent_seconds(self) -> float:
        """Seconds since the engine's last message; it is pinged every two seconds.  [any]"""
        return self._connection.silent_seconds

    @property
    def restarts(self) -> int:
        """How often a new engine took over the port; lanes must then be opened again.  [any]"""
        return self._connection.restarts

    def call(
        self,
        message: Message,
        *values: object,
        timeout_seconds: float | None = None,
        on_progress: OnProgress | None = None,
        on_heard: OnHeard | None = None,
    ) -> tuple[Any, ...]:
        """Send any request of the table with its arguments, without the id; returns the values of the answer.

        `on_heard` is called on the receiving thread when the change is heard.  [main]
        """
        patient = message.slow or message.hop or message in PATIENT
        usual = self._slow_timeout_seconds if patient else self._timeout_seconds
        wait = usual if timeout_seconds is None else timeout_seconds
        then = None if on_heard is None else lambda event: on_heard(replies.heard(event.values))
        answer = self._connection.call(message, *values, timeout_seconds=wait, on_progress=on_progress, on_heard=then)
        if len(answer) < len(message.reply):  # a newer engine may add values
            raise WireError(f"{message.address} was answered with {len(answer)} values, not {len(message.reply)}")
        return tuple(message.reply_values(answer[: len(message.reply)]))

    def send(self, message: Message, *values: object) -> None:
        """Send any request of the table without waiting, as a dial does; a refusal comes as an event of `ERROR`.

        WireError for arguments that do not fit the table.  [any]
        """
        self._connection.send(message, *values)

    # -- the engine -----------------------------------------------------------------------------------

    def connect(self, timeout_seconds: float | None = None) -> replies.Hello:
        """Start receiving and say hello repeatedly until the engine answers.

        NoAnswer after `timeout_seconds`; WireError if it has another version of the table.  [main]
        """
        self._connection.start()
        return self.hello(timeout_seconds)

    def hello(self, timeout_seconds: float | None = None) -> replies.Hello:
        """Say hello again, to an engine that may be a new one; errors as `connect`.

        Sends a proof of the secret, not the secret.  [main]
        """
        port, name, secret = self._hello
        if secret:
            padding = "." * PADDING_MIN
            (challenge,) = self.call(messages.CHALLENGE, padding, timeout_seconds=timeout_seconds)
            secret = proof(secret, challenge, port) if challenge else ""
        said = self.call(messages.HELLO, port, name, secret, timeout_seconds=timeout_seconds)
        hello = replies.Hello(*said)
        if hello.protocol != messages.PROTOCOL:
            versions = f"{hello.engine} speaks version {hello.protocol}, this host {messages.PROTOCOL}"
            raise WireError(f"{versions} of the messages; update the older one")
        return hello

    def close(self) -> None:
        """Say bye if the engine is there, and stop receiving. May be called twice.  [main]"""
        if not self._connection.closed:
            with contextlib.suppress(NoAnswer, WireError):
                self.call(messages.BYE, timeout_seconds=0.5)
        self._connection.close()

    def ping(self, timeout_seconds: float | None = None) -> float:
        """Seconds since the engine started.  [main]"""
        return float(self.call(messages.PING, timeout_seconds=timeout_seconds)[0])

    def sync(self, timeout_seconds: float | None = None) -> None:
        """Wait until all earlier requests of this client are answered.  [main]"""
        self.call(messages.SYNC, timeout_seconds=timeout_seconds)

    def status(self) -> replies.Status:
        """The engine's state.  [main]"""
        return replies.Status(*self.call(messages.STATUS))

    def stats(self) -> replies.Stats:
        """The engine's measurements.  [main]"""
        return replies.Stats(*self.call(messages.STATS))

    def presets(self) -> list[str]:
        """Names of the presets.  [main]"""
        return str(self.call(messages.PRESETS)[0]).split()

    def take_made(self, order: int, name: str, path: str) -> None:
        """Report a finished take: the engine sends an event to all clients.  [main]"""
        self.call(messages.TAKE_MADE, order, name, path)

    def quit(self) -> None:
        """End the engine; only from its own machine.  [main]"""
        self.call(messages.QUIT)

    # -- models ---------------------------------------------------------------------------------------

    def model(self) -> replies.ModelReply:
        """The loaded model and its abilities.  [main]"""
        return replies.ModelReply(*self.call(messages.MODEL))

    def models(self) -> replies.ModelNames:
        """The models that can be loaded.  [main]"""
        return replies.ModelNames(*self.call(messages.MODEL_LIST))

    def load_model(
        self, name: str, device: str = "", precision: str = "auto", on_progress: OnProgress | None = None
    ) -> replies.LoadReply:
        """Load a model; the old one plays until the new one is hot. Waits while the load makes progress.  [main]"""
        values = (name, device, precision)
        return replies.LoadReply(*self.call(messages.MODEL_LOAD, *values, on_progress=on_progress))

    def start_loading(self, name: str) -> None:
        """Request a model without waiting; `status` shows when it is loaded.  [any]"""
        self._connection.send(messages.MODEL_LOAD, name)

    def cancel_load(self) -> None:
        """Cancel the present load.  [main]"""
        self.call(messages.MODEL_CANCEL)

    def unload_model(self) -> float:
        """End all streams and free the model; returns resident memory in MB.  [main]"""
        return float(self.call(messages.MODEL_UNLOAD)[0])

    # -- lanes ----------------------------------------------------------------------------------------

    def open_lane(
        self, lane: int = -1, rate_hz: int = 48_000, channels: int = 2, waits: bool = False
    ) -> replies.OpenLane:
        """Open a lane, -1 for the first free one; lanes whose host `waits` have lower priority.  [main]"""
        return replies.OpenLane(*self.call(messages.LANE_OPEN, lane, rate_hz, channels, int(waits)))

    def close_lane(self, lane: int) -> None:
        """Stop a lane at once and free its ring.  [main]"""
        self.call(messages.LANE_CLOSE, lane)

    def transport(
        self, lane: int, playing: bool, position_beats: float, bpm: float, numerator: int = 4, denominator: int = 4
    ) -> None:
        """Send the host's transport, for hosts without a shared transport block. Does not wait.  [any]"""
        self._connection.send(messages.TRANSPORT, lane, int(playing), position_beats, bpm, numerator, denominator)

    # -- regions --------------------------------------------------------------------------------------

    def region_file(
        self,
        lane: int,
        role: str,
        path: str | os.PathLike[str],
        bpm: float,
        start_beats: float,
        at: When = "now",
        on_progress: OnProgress | None = None,
    ) -> replies.Understood:
        """Send a region by path, to an engine on this machine.  [main]"""
        values = (lane, role, os.path.abspath(os.path.expanduser(path)), bpm, start_beats, at)
        return replies.Understood(*self.call(messages.REGION_FILE, *values, on_progress=on_progress))

    def listen(
        self, path: str | os.PathLike[str], hint_bpm: float, signature: Signature, on_progress: OnProgress | None = None
    ) -> replies.FoundTempo:
        """Detect tempo, bars and key of a file on the engine's machine; `hint_bpm` 0 if the song's tempo is unknown.

        [main]
        """
        values = (os.path.abspath(os.path.expanduser(path)), hint_bpm, signature.numerator, signature.denominator)
        return replies.FoundTempo(*self.call(messages.REGION_LISTEN, *values, on_progress=on_progress))

    def region_audio(
        self,
        lane: int,
        role: str,
        audio: Samples,
        rate_hz: int,
        bpm: float,
        start_beats: float,
        at: When = "now",
        encoding: str = "s16",
        on_progress: OnProgress | None = None,
    ) -> replies.Understood:
        """Send samples [n, channels] in chunks, to an engine anywhere; missing chunks are sent again.

        RegionTransfer if repeats do not arrive either.  [main]
        """
        data = bytes_of(audio, encoding)
        chunks, number = chunks_of(data), next(self._transfers)
        form = (lane, role, number, len(audio), audio.shape[1], rate_hz, encoding, bpm, start_beats)
        self.call(messages.REGION_BEGIN, *form)
        wanted, fewest, stuck = list(range(len(chunks))), len(chunks) + 1, 0
        while True:
            self._send_chunks(number, chunks, wanted)
            missing, listed, *understood = self.call(
                messages.REGION_END, number, checksum(data), at, on_progress=on_progress
            )
            if not missing:
                return replies.Understood(*understood)
            stuck = stuck + 1 if int(missing) >= fewest else 0
            if stuck == ROUNDS_WITHOUT_PROGRESS_MAX:
                raise RegionTransfer(f"{missing} of {len(chunks)} chunks do not reach the engine")
            wanted, fewest = parse_numbers(str(listed)), min(fewest, int(missing))

    def _send_chunks(self, number: int, chunks: list[str], wanted: list[int]) -> None:
        begun = time.monotonic()
        for sent, chunk in enumerate(wanted):
            if sent and sent % CHUNKS_PER_BURST == 0:
                time.sleep(max(0.0, begun + sent / CHUNKS_PER_SECOND - time.monotonic()))
            self._connection.send(messages.REGION_CHUNK, number, chunk, chunks[chunk])
