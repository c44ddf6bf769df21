"""Time by messages and by hand: transports and taps from the engine, and taps by MIDI note."""

from __future__ import annotations

import threading

from bridge.time.tap_tempo import TapTempo
from plugin_host.sync.reading import Reading

SILENT_SECONDS = 3.0  # a transport comes about four times a second


class OscTime:
    """Follows transports from OSC; any thread may call `set`.  [any]"""

    name = "OSC"

    def __init__(self) -> None:
        self.lane = -1  # of the transports
        self._reading: Reading | None = None

    def set(self, reading: Reading) -> None:
        """Set a reading: the leader's position, or only its tempo.  [any]"""
        self._reading = reading

    def reading(self, now_seconds: float) -> Reading | None:
        """The newest reading; None once it is old. A tempo alone does not expire.  [main]"""
        reading = self._reading
        if reading is None or (reading.beats is not None and now_seconds - reading.seconds > SILENT_SECONDS):
            return None
        return reading

    def close(self) -> None:
        """Nothing to release.  [main]"""


class TapSource:
    """Taps of one pedal or key: they set the tempo, until the next taps; the position is the host's."""

    name = "taps"

    def __init__(self) -> None:
        self._tap = TapTempo()
        self._lock = threading.Lock()
        self._found: Reading | None = None

    def tap(self, seconds: float) -> None:
        """Add a tap at a time of the monotonic clock.  [any]"""
        with self._lock:
            found = self._tap.tap(seconds)
            if found is not None:
                self._found = Reading(found.beat_seconds, True, None, round(found.tempo_bpm, 1))

    def reading(self, now_seconds: float) -> Reading | None:
        """The tapped tempo; None before the second tap.  [main]"""
        return self._found

    def close(self) -> None:
        """Nothing to release.  [main]"""
