"""Clocks of a headless host: real time, or the engine's pace."""

from __future__ import annotations

from typing import Protocol

from bridge.system.clock import MONOTONIC, Clock
from bridge.time.units import samples_to_seconds

OFFLINE_PATIENCE_SECONDS = 10.0
_POLL_SECONDS = 0.001


class BlockClock(Protocol):
    """Waits until a block of `n_samples` may be played; True if it is on time, `late` counts the others."""

    late: int
    worst_seconds: float

    def wait(self, n_samples: int) -> bool:
        """Wait for one block.  [audio]"""
        ...


class Ready(Protocol):
    """Whether the audio of the next `n_samples` is ready, or none is due, or none can come any more."""

    def __call__(self, n_samples: int) -> bool: ...


class PacedClock:
    """Like a sound card: one block every block's length. Late blocks are counted, never skipped."""

    def __init__(self, sample_rate_hz: int, time: Clock = MONOTONIC) -> None:
        self._time = time
        self.late = 0
        self.worst_seconds = 0.0
        self._sample_rate_hz = sample_rate_hz
        self._origin_seconds: float | None = None
        self._samples = 0

    def wait(self, n_samples: int) -> bool:
        """Sleep until the block is due; False if that time had passed by a block or more.  [audio]"""
        now = self._time.now_seconds()
        if self._origin_seconds is None:
            self._origin_seconds = now
        due = self._origin_seconds + float(samples_to_seconds(self._samples, self._sample_rate_hz))
        self._samples += n_samples
        if now < due:
            self._time.sleep(due - now)
            now = self._time.now_seconds()
        behind = now - due
        self.worst_seconds = max(self.worst_seconds, behind)
        on_time = behind < float(samples_to_seconds(n_samples, self._sample_rate_hz))
        self.late += not on_time
        return on_time


class OfflineClock:
    """As fast as the engine delivers: waits for the audio, not for the time."""

    def __init__(
        self, ready: Ready, patience_seconds: float = OFFLINE_PATIENCE_SECONDS, time: Clock = MONOTONIC
    ) -> None:
        self._time = time
        self.late = 0
        self.worst_seconds = 0.0
        self._ready = ready
        self._patience_seconds = patience_seconds
        self._gave_up = False

    def wait(self, n_samples: int) -> bool:
        """Return when the block's audio is ready; False after `patience_seconds` without it.

        After that it does not wait until audio comes again.  [audio]
        """
        began = self._time.now_seconds()
        while not self._ready(n_samples):
            waited = self._time.now_seconds() - began
            self.worst_seconds = max(self.worst_seconds, waited)
            if self._gave_up or waited > self._patience_seconds:
                self._gave_up = True
                self.late += 1
                return False
            self._time.sleep(_POLL_SECONDS)
        self._gave_up = False
        return True
