"""A clock for scenes on a busy computer: never faster than real time, and it waits for the engine."""

from __future__ import annotations

import time

from bridge.time.units import samples_to_seconds
from plugin_host.host.clock import Ready

PATIENCE_SECONDS = 5.0
_POLL_SECONDS = 0.001


class PatientClock:
    """Like a sound card, but time stops until the block is ready; `late` counts blocks that never came."""

    def __init__(self, sample_rate_hz: int, ready: Ready) -> None:
        self.late = 0
        self.worst_seconds = 0.0
        self.waited_seconds = 0.0
        self._sample_rate_hz = sample_rate_hz
        self._ready = ready
        self._due_seconds = 0.0

    def wait(self, n_samples: int) -> bool:
        """Wait for the block's time, then for its audio; False after five seconds without it.  [audio]"""
        now = time.perf_counter()
        if now < self._due_seconds:
            time.sleep(self._due_seconds - now)
        began = time.perf_counter()
        came = True
        while not self._ready(n_samples):
            if time.perf_counter() - began > PATIENCE_SECONDS:
                self.late += 1
                came = False
                break
            time.sleep(_POLL_SECONDS)
        waited = time.perf_counter() - began
        self.worst_seconds = max(self.worst_seconds, waited)
        self.waited_seconds += waited
        length = float(samples_to_seconds(n_samples, self._sample_rate_hz))
        self._due_seconds = max(self._due_seconds, began + waited - length) + length
        return came
