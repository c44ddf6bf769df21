"""The thread that keeps a host in time: reads the leader, controls the timeline, sends MIDI clock out.

Runs a hundred times a second beside the audio thread; it only puts changes into the timeline's queue.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from plugin_host.host.timeline import Timeline
from plugin_host.sync import midi_ports
from plugin_host.sync.clock_out import ClockMessage, ClockOut
from plugin_host.sync.follower import ClockFollower
from plugin_host.sync.host_time import HostTime, HostWatch
from plugin_host.sync.leader import Leader
from plugin_host.sync.link_session import LinkSession
from plugin_host.sync.midi_clock import MidiClock
from plugin_host.sync.reading import Source, SourceError
from plugin_host.sync.taps import OscTime, TapSource

LOOK_SECONDS = 0.01
AHEAD_SECONDS = 0.025  # for which clock out is planned ahead
FIRST_WORD_SECONDS = 0.3  # for a first reading, before the host begins on its own
MODES = ("auto", "own", "midi", "jack", "link", "osc")


@dataclass(frozen=True)
class SyncRequest:
    """The user's options: the leader, MIDI ports by name, the note for taps, and whether this host leads Link."""

    mode: str = "own"
    midi_in: str = ""
    midi_clock_out: str = ""
    tap_note: int = -1
    link_out: bool = False
    osc: OscTime = field(default_factory=OscTime)

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do.  [any]"""
        return self.mode == "own" and not (self.midi_clock_out or self.link_out)


class Sync:
    """Opens the requested sources; SourceError if one is missing. `say` may be called on its thread."""

    def __init__(
        self, timeline: Timeline, request: SyncRequest, say: Callable[[str], None], latency_seconds: float = 0.0
    ) -> None:
        self._timeline, self._request, self._say = timeline, request, say
        self._watch = HostWatch(timeline, latency_seconds)
        self._out = ClockOut()
        self._due: deque[ClockMessage] = deque()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="segue-sync", daemon=True)
        self._opened: list[Source] = []
        self._send: Callable[[str, int], None] | None = None
        self._close_out: Callable[[], None] | None = None
        self._link: LinkSession | None = None
        self.fault: BaseException | None = None
        self.follower = ClockFollower(timeline)
        try:
            self.leader = Leader(self._sources(), say)
            self._open_outputs()
        except BaseException:
            self._close()
            raise

    def start(self) -> bool:
        """Start; True if a leader controls playback, False if the host starts by itself.  [main]"""
        self._thread.start()
        if self._request.mode == "auto":
            time.sleep(FIRST_WORD_SECONDS)
            return self.leader.current is not None and self._decides()
        if self._request.mode == "own" or not self._decides():
            return False
        self._say(f"waiting for {self.leader.sources[0].name} to play")
        return True

    def _decides(self) -> bool:
        """Whether the leader reports playing and stopping; taps do not."""
        return not isinstance(self.leader.current, TapSource)

    def stop(self) -> None:
        """Stop, send a stop to followers, release all ports.  [main]"""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        self._close()
        if self.fault is not None:
            raise self.fault

    # -- sources -------------------------------------------------------------------------------------

    def _sources(self) -> list[Source]:
        mode, request, sources = self._request.mode, self._request, self._opened
        if mode in ("jack", "auto"):
            self._add_jack(mode == "auto")
        if mode == "link":
            now = self._timeline.now
            sources.append(LinkSession(now.tempo_bpm, now.signature))
        taps = TapSource()
        if request.midi_in and mode != "own":
            sources.append(self._midi(taps))
        elif mode == "midi":
            raise SourceError("--sync midi needs --midi-in PORT; `segue doctor` lists the ports")
        if mode in ("osc", "auto"):
            sources.append(request.osc)
        if request.tap_note >= 0 and mode != "own":
            sources.append(taps)
        return sources

    def _add_jack(self, only_if_there: bool) -> None:
        from plugin_host.sync.jack_transport import JackTransport

        try:
            source = JackTransport(lambda: self._timeline.now.tempo_bpm, needs_master=only_if_there)
        except SourceError:
            if only_if_there:
                return
            raise
        self._opened.append(source)

    def _midi(self, taps: TapSource) -> MidiClock:
        def note(number: int, seconds: float) -> None:
            if number == self._request.tap_note:
                taps.tap(seconds)

        clock = MidiClock(note, self._say)
        clock.on_close(midi_ports.open_input(self._request.midi_in, clock.receive))
        return clock

    def _open_outputs(self) -> None:
        if self._request.midi_clock_out:
            self._send, self._close_out = midi_ports.open_output(self._request.midi_clock_out)
        if self._request.link_out:
            now = self._timeline.now
            mine = next((source for source in self._opened if isinstance(source, LinkSession)), None)
            self._link = mine or LinkSession(now.tempo_bpm, now.signature)

    # -- the thread -----------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._look(time.monotonic())
                self._send_until(time.monotonic() + LOOK_SECONDS)
            if self._send is not None:
                self._send("stop", 0)
        except BaseException as fault:
            self.fault = fault

    def _look(self, now_seconds: float) -> None:
        host = self._watch.look()
        if host is None:
            return
        self.follower.step(now_seconds, self.leader.reading(now_seconds), host)
        if self._send is not None:
            self._due.extend(self._out.plan(now_seconds, now_seconds + AHEAD_SECONDS, host))
        self._lead_link(now_seconds, host)

    def _lead_link(self, now_seconds: float, host: HostTime) -> None:
        if self._link is not None and self._link is not self.leader.current:
            self._link.lead(now_seconds, host)

    def _send_until(self, seconds: float) -> None:
        """Send messages up to a time, each when it is due; returns at that time."""
        while self._send is not None and self._due and self._due[0].seconds < seconds:
            message = self._due.popleft()
            self._stopping.wait(max(0.0, message.seconds - time.monotonic()))
            self._send(message.kind, message.value)
        self._stopping.wait(max(0.0, seconds - time.monotonic()))

    def _close(self) -> None:
        for source in self._opened:
            source.close()
        if self._link is not None:
            self._link.close()
        if self._close_out is not None:
            self._close_out()
            self._close_out = None
