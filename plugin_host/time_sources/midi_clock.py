"""MIDI clock in: start, stop, continue and song position, and the ticks between them.

    stop, song position 64 (bar 5), continue, tick tick ...   the first tick after it is beat 16

Bytes and their instants come from a port (`midi_ports`); this file needs none.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from plugin_host.time_sources.clock_ticks import TICKS_PER_BEAT, ClockTicks
from plugin_host.time_sources.reading import Reading

SIXTEENTHS_PER_BEAT = 4


class MidiClock:
    """Follows one MIDI clock. `hear` may come from any thread; `on_note` gets note number and instant."""

    name = "MIDI clock"

    def __init__(self, on_note: Callable[[int, float], None] | None = None) -> None:
        self.ticks = ClockTicks()
        self._on_note = on_note
        self._close: Callable[[], None] | None = None
        self._lock = threading.Lock()
        self._playing = False
        self._begins = False  # with the next tick
        self._beats = 0.0  # at tick `_tick_of_beats`
        self._tick_of_beats = 0

    def hear(self, kind: str, value: int, seconds: float) -> None:
        """A message by mido's name: clock, start, stop, continue, songpos (value: sixteenths), note_on.  [any]"""
        if kind == "note_on":
            if self._on_note is not None:
                self._on_note(value, seconds)
            return
        with self._lock:
            self._hear(kind, value, seconds)

    def _hear(self, kind: str, value: int, seconds: float) -> None:
        if kind == "clock":
            self.ticks.tick(seconds)
            if self._begins:
                self._begins, self._playing = False, True
                self._tick_of_beats = self.ticks.ticks
        elif kind == "start":
            self._beats, self._begins, self._playing = 0.0, True, False
        elif kind == "continue":
            self._begins = self._begins or not self._playing
        elif kind == "stop" and (self._playing or self._begins):
            self._beats = self._place(self.ticks.ticks_at(seconds)) if self._playing else self._beats
            self._begins = self._playing = False
        elif kind == "songpos":
            self._beats = value / SIXTEENTHS_PER_BEAT
            self._begins, self._playing = self._playing or self._begins, False

    def _place(self, ticks: float) -> float:
        return self._beats + (ticks - self._tick_of_beats) / TICKS_PER_BEAT

    def reading(self, now_seconds: float) -> Reading | None:
        """Where it is; None before the tempo is known and half a second after the last tick.  [main]"""
        with self._lock:
            tempo = self.ticks.tempo_bpm
            if tempo is None or not self.ticks.settled or self.ticks.lost_at(now_seconds):
                return None
            beats = self._place(self.ticks.ticks_at(now_seconds)) if self._playing else self._beats
            return Reading(now_seconds, self._playing, beats, tempo)

    def on_close(self, close: Callable[[], None]) -> None:
        """Have `close` called when this is closed.  [main]"""
        self._close = close

    def close(self) -> None:
        """Close the port.  [main]"""
        if self._close is not None:
            self._close()
            self._close = None
