"""Samples on their way from the audio thread to the recorder's: a ring that one thread fills and one empties.

    add --> [ .. | samples put, not got | .. ] --> next, got

A gap between blocks takes no room in it: it is a count of silent samples before one of the ring's.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from bridge.ring.form import Audio


class SampleRing:
    """Holds `capacity` samples of captured and played audio, in `channels` channels each."""

    def __init__(self, capacity: int, channels: int, first_sample: int) -> None:
        self._rows: Audio = np.zeros((capacity, 2 * channels), np.float32)
        self._channels, self._first = channels, first_sample
        self._put = self._got = 0  # samples: the audio thread's count, and the recorder's
        self._end = 0  # of what was given, gaps included
        self._gaps: deque[tuple[int, int]] = deque()  # before this sample, so many silent ones

    def add(self, sample: int, captured: Audio, played: Audio) -> int:
        """Take in blocks [n, channels] from session sample `sample` on, but for samples that were given before.

        Returns how many at their end found no room.  [audio]
        """
        offset = sample - self._first
        begin = max(self._end - offset, 0)
        n = min(len(captured) - begin, len(self._rows) - (self._put - self._got))
        if n > 0:
            gap = offset + begin - self._end
            if gap:
                self._gaps.append((self._put, gap))
            self._copy(captured[begin : begin + n], played[begin : begin + n])
            self._end += gap + n
            self._put += n  # last: from here on the recorder reads them
        return max(len(captured) - begin - max(n, 0), 0)

    def _copy(self, captured: Audio, played: Audio) -> None:
        at, n = self._put % len(self._rows), len(captured)
        first = min(n, len(self._rows) - at)
        for part, begin, end in ((self._rows[at : at + first], 0, first), (self._rows[: n - first], first, n)):
            part[:, : self._channels] = captured[begin:end]
            part[:, self._channels :] = played[begin:end]

    @property
    def waiting(self) -> bool:
        """Whether there is something to get.  [any: one thread]"""
        return self._put > self._got

    def next(self, n_max: int) -> tuple[int, Audio, Audio]:
        """Silent samples that come first, and then captured and played audio [n, channels], n up to `n_max`; views
        that are valid until `got(n)`.  [any: one thread]
        """
        end = min(self._put, self._got + n_max)  # before the gaps: one that comes meanwhile lies at `end` or later
        silent = self._gaps.popleft()[1] if self._gaps and self._gaps[0][0] == self._got < end else 0
        if self._gaps:
            end = min(end, self._gaps[0][0])
        at = self._got % len(self._rows)
        rows = self._rows[at : at + end - self._got]
        return silent, rows[:, : self._channels], rows[:, self._channels :]

    def got(self, n: int) -> None:
        """The room of `n` samples is free again.  [any: one thread]"""
        self._got += n
