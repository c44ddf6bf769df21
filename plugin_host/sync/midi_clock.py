"""MIDI clock in: start, stop, continue and song position, and the ticks between them.

    stop, song position 64 (bar 5), continue, tick tick ...   the first tick after it is beat 16
    tick 95, stop, continue, tick ...                         the first tick after it is tick 96

The position is start or song position and the ticks since; at Stop too, wherever between two ticks it comes. Messages
and their times come from a port (`midi_ports`); this module needs none.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from plugin_host.sync.clock_pattern import TICKS_PER_BEAT, Arrival, Pattern
from plugin_host.sync.clock_ticks import ClockTicks
from plugin_host.sync.reading import Reading

SIXTEENTHS_PER_BEAT = 4
COPY_SECONDS = 0.03  # a message repeated so soon came over another cable
BLOCK_NOTED_SECONDS = 0.004  # shorter bursts have no audible effect
PATIENCE_SECONDS = 3.0  # with ticks and without a tempo, until that is reported


class MidiClock:
    """Follows one MIDI clock. Any thread may call `receive`; `on_note` gets note number and time.

    `say` gets a line of text if the clock is irregular, on the thread that reads.
    """

    name = "MIDI clock"

    def __init__(
        self, on_note: Callable[[int, float], None] | None = None, say: Callable[[str], None] | None = None
    ) -> None:
        self.ticks = ClockTicks()
        self._on_note, self._say = on_note, say
        self._close: Callable[[], None] | None = None
        self._lock = threading.Lock()
        self._playing = False
        self._begins = False  # with the next tick
        self._beats = 0.0  # at the marked tick while it plays, else where it will continue
        self._received_at: dict[tuple[str, int], float] = {}
        self._reported: Arrival | None = None
        self._pauses_reported = 0
        self._ticks_from: float | None = None

    def receive(self, kind: str, value: int, seconds: float) -> None:
        """A message by mido's name: clock, start, stop, continue, songpos (value: sixteenths), note_on.  [any]"""
        if kind == "note_on":
            if self._on_note is not None:
                self._on_note(value, seconds)
            return
        with self._lock:
            if kind == "clock":
                self._tick(seconds)
            elif not self._is_copy(kind, value, seconds):
                self._command(kind, value)

    def _tick(self, seconds: float) -> None:
        if self.ticks.lost_at(seconds):
            self._ticks_from = seconds
        counted = self.ticks.tick(seconds, self._playing, self._begins)
        if self._begins and counted:
            self._begins, self._playing = False, True
            self.ticks.mark()

    def _is_copy(self, kind: str, value: int, seconds: float) -> bool:
        before = self._received_at.get((kind, value))
        self._received_at = {each: at for each, at in self._received_at.items() if seconds - at < COPY_SECONDS}
        self._received_at[kind, value] = seconds
        return before is not None and seconds - before < COPY_SECONDS

    def _command(self, kind: str, value: int) -> None:
        if kind == "start":
            self._beats, self._begins, self._playing = 0.0, True, False
        elif kind == "continue":
            self._begins = self._begins or not self._playing
        elif kind == "stop" and (self._playing or self._begins):
            if self._playing:
                self._beats += (self.ticks.ticks_since_mark + 1) / TICKS_PER_BEAT
            self._begins = self._playing = False
        elif kind == "songpos":
            self._beats = value / SIXTEENTHS_PER_BEAT
            self._begins, self._playing = self._playing or self._begins, False

    def reading(self, now_seconds: float) -> Reading | None:
        """The clock's reading; None before the tempo is known and half a second after the last tick.  [main]"""
        with self._lock:
            remark = self._remark(now_seconds)
            found = self._reading(now_seconds)
        if remark and self._say is not None:
            self._say(remark)
        return found

    def _reading(self, now_seconds: float) -> Reading | None:
        tempo = self.ticks.tempo_bpm
        if tempo is None or not self.ticks.settled or self.ticks.lost_at(now_seconds):
            return None
        beats = self._beats
        if self._playing:
            beats += self.ticks.ticks_since_mark_at(now_seconds) / TICKS_PER_BEAT
        return Reading(now_seconds, self._playing, beats, tempo)

    def _remark(self, now_seconds: float) -> str:
        """The report on how the clock arrives, once for each kind; "" for none."""
        if self.ticks.pauses > self._pauses_reported:
            self._pauses_reported = self.ticks.pauses
            return (
                "MIDI clock stood still without a stop: counted on from where it stood; "
                "if the place is wrong, press stop and play on the sender"
            )
        found = self.ticks.pattern
        waited = now_seconds - self._ticks_from if self._ticks_from is not None else 0.0
        unclear = _NO_TEMPO if waited > PATIENCE_SECONDS else ""
        text = _words(found) if self.ticks.settled else unclear
        kind = found.arrival if self.ticks.settled else Arrival.UNCLEAR
        if not text or kind is self._reported or self.ticks.lost_at(now_seconds):
            return ""
        self._reported = kind
        return text

    def on_close(self, close: Callable[[], None]) -> None:
        """Call `close` when this is closed.  [main]"""
        self._close = close

    def close(self) -> None:
        """Close the port.  [main]"""
        if self._close is not None:
            self._close()
            self._close = None


_NO_TEMPO = (
    "MIDI clock is unsteady: ticks come, but no tempo from 20 to 400 bpm fits them; "
    "not followed until it can (is more than one clock connected?)"
)


def _words(found: Pattern) -> str:
    """A report on how ticks arrive, with advice; "" if they are regular."""
    milliseconds = 1000 * found.seconds
    if found.arrival is Arrival.COPIES:
        return (
            f"MIDI clock comes {'twice' if found.copies == 2 else f'{found.copies} times'}: each tick is there again "
            f"{milliseconds:.1f} ms later and is not counted. Disconnect one of the cables or virtual ports, "
            f"or switch off clock thru on the way"
        )
    if found.arrival is Arrival.BURSTS and found.seconds >= BLOCK_NOTED_SECONDS:
        return (
            f"MIDI clock comes in bursts, {milliseconds:.1f} ms apart: followed at their mean, up to half of that off. "
            f"A smaller audio buffer in the program that sends it is nearer"
        )
    if found.arrival is Arrival.UNEVEN:
        return (
            f"MIDI clock is unsteady: its ticks are up to {milliseconds:.0f} ms off. Followed at its mean tempo; "
            f"the place may be off by as much (another cable, no wireless, or one clock only)"
        )
    return ""
