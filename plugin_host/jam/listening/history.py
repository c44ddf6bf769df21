"""The last samples of a stream by their position: what a filter, a search and a second look need of the past.

........|#########################|          positions before 0, and those no longer kept, are zeros
        end - kept               end
"""

from __future__ import annotations

import numpy as np

from bridge.ring.form import Audio


class History:
    """Keeps at least the last `kept` samples of a stream of `channels`; positions count from 0.  [main]"""

    def __init__(self, kept: int, channels: int) -> None:
        self.end = 0
        self._kept = kept
        self._buffer: Audio = np.zeros((2 * kept, channels), np.float32)
        self._used = 0

    def add(self, audio: Audio) -> None:
        """Append audio [n, channels], n at most `kept`."""
        n = len(audio)
        if self._used + n > len(self._buffer):
            keep = min(self._kept, self._used)
            self._buffer[:keep] = self._buffer[self._used - keep : self._used].copy()
            self._used = keep
        self._buffer[self._used : self._used + n] = audio
        self._used += n
        self.end += n

    def span(self, start: int, stop: int) -> Audio:
        """Samples `start` to `stop` [stop - start, channels]; zeros where they are not kept, `stop` at most `end`."""
        if stop > self.end or start > stop:
            raise ValueError(f"samples {start} to {stop} of a stream that has {self.end}")
        first = self.end - self._used
        out = np.zeros((stop - start, self._buffer.shape[1]), np.float32)
        begin = min(max(start, first), stop)
        out[begin - start :] = self._buffer[begin - first : stop - first]
        return out
