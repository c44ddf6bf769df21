"""How far ahead of the host music is asked for: the way back, and what it varies by.

Music reaches this machine the way back later than a host beside the engine would have it. The engine therefore sees the
host `seconds` further on, so all its margins count to the arrival; the rest of the ring is the buffer for longer gaps.
"""

from __future__ import annotations

from dataclasses import dataclass

from bridge.control.far_rows import BUFFER_MODES, BUFFER_MS_MAX
from bridge.errors import OutOfRange
from bridge.time.units import SECONDS_PER_MINUTE
from plugin_host.relay.link_clock import LinkClock

MARGIN_SECONDS = 0.01  # both processes look every few milliseconds
INITIAL_SECONDS = 5.0
BEATS_MAX = 4.0


@dataclass(frozen=True)
class BufferChoice:
    """How the buffer is chosen; OutOfRange for a mode or a value that there is not."""

    mode: str = "auto"
    value: float = 0.0

    def __post_init__(self) -> None:
        if self.mode not in BUFFER_MODES:
            raise OutOfRange(f"the buffer's mode is {self.mode!r}, must be {', '.join(BUFFER_MODES)}")
        most = {"ms": BUFFER_MS_MAX, "beats": BEATS_MAX}.get(self.mode, BUFFER_MS_MAX)
        if not 0 <= self.value <= most:
            raise OutOfRange(f"a buffer in {self.mode} is 0 to {most:g}, got {self.value:g}")

    @classmethod
    def of(cls, text: str) -> BufferChoice:
        """auto, initial, 80ms or 0.25beats; OutOfRange.  [main]"""
        for unit in ("ms", "beats"):
            if text.endswith(unit):
                try:
                    return cls(unit, float(text.removesuffix(unit)))
                except ValueError:
                    break
        if text in ("auto", "initial"):
            return cls(text)
        raise OutOfRange(f"the buffer is {text!r}, must be auto, initial, or a length like 80ms or 0.25beats")


class JitterBuffer:
    """The length of the buffer, in seconds; all [main]."""

    def __init__(self, clock: LinkClock, choice: BufferChoice) -> None:
        self._clock = clock
        self._connected_seconds = 0.0
        self._initial: float | None = None
        self.choice = choice

    def connected(self, now_seconds: float) -> None:
        """A connection begins; a first one, if the buffer is measured at the beginning only."""
        if self._connected_seconds == 0.0:
            self._connected_seconds = now_seconds

    def choose(self, choice: BufferChoice, now_seconds: float) -> None:
        """Choose anew; `initial` measures again."""
        self.choice, self._initial, self._connected_seconds = choice, None, now_seconds

    def seconds(self, tempo_bpm: float, now_seconds: float) -> float:
        """Its present length at a tempo."""
        if self.choice.mode == "ms":
            return self.choice.value / 1000
        if self.choice.mode == "beats":
            return min(self.choice.value * SECONDS_PER_MINUTE / tempo_bpm, BUFFER_MS_MAX / 1000)
        if self.choice.mode == "initial":
            if now_seconds - self._connected_seconds <= INITIAL_SECONDS or self._initial is None:
                self._initial = max(self._initial or 0.0, self._measured())
            return self._initial
        return self._measured()

    def _measured(self) -> float:
        clock = self._clock
        return min(clock.quickest_seconds / 2 + clock.jitter_seconds + MARGIN_SECONDS, BUFFER_MS_MAX / 1000)
