"""Time by messages and by hand: transports and taps that the engine passes on, and taps by MIDI note."""

from __future__ import annotations

import threading

from bridge.time.tap_tempo import TapTempo
from plugin_host.sync.reading import Reading

SILENT_SECONDS = 3.0  # a transport is told about four times a second


class ToldTime:
    """Follows transports told over OSC; any thread may tell.  [any]"""

    name = "OSC"

    def __init__(self) -> None:
        self.lane = -1  # whose time it is
        self._told: Reading | None = None

    def tell(self, reading: Reading) -> None:
        """Where the leader is, or only its tempo.  [any]"""
        self._told = reading

    def reading(self, now_seconds: float) -> Reading | None:
        """The newest; None once it is old. A bare tempo does not grow old.  [main]"""
        told = self._told
        if told is None or (told.beats is not None and now_seconds - told.seconds > SILENT_SECONDS):
            return None
        return told

    def close(self) -> None:
        """Nothing to let go of.  [main]"""


class TapSource:
    """Taps of one pedal or key: they give a tempo, which stays until others do; the place is the host's."""

    name = "taps"

    def __init__(self) -> None:
        self._tap = TapTempo()
        self._lock = threading.Lock()
        self._found: Reading | None = None

    def tap(self, seconds: float) -> None:
        """A tap at an instant of the monotonic clock.  [any]"""
        with self._lock:
            found = self._tap.tap(seconds)
            if found is not None:
                self._found = Reading(found.beat_seconds, True, None, round(found.tempo_bpm, 1))

    def reading(self, now_seconds: float) -> Reading | None:
        """The tempo tapped; None before the second tap.  [main]"""
        return self._found

    def close(self) -> None:
        """Nothing to let go of.  [main]"""
