"""From the audio thread to the session: what was captured and played, block by block; and the session's memory of it.

    deck --put--> BlockQueue --take--> session --keep--> JamMemory: the player's and Segue's, by session sample

What the player plays at a sample is captured a round trip later: `JamMemory` moves the input back by it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bridge.ring.form import Audio

QUEUE_SECONDS = 20.0  # that the session may be late
MEMORY_SECONDS = 180.0  # more than the longest loop and the longest stretch listened to
STANDING = -(1 << 60)  # the host position of a block before the timeline runs
ROWS = 1 << 14


@dataclass(frozen=True)
class QueuedBlock:
    """Captured and played audio [n, channels] at a session sample; `position_samples` of the host, or STANDING."""

    sample: int
    position_samples: int
    captured: Audio
    played: Audio


class BlockQueue:
    """A queue of blocks in one stretch of memory: one thread puts, another takes. A full queue loses new blocks."""

    def __init__(self, sample_rate_hz: int, channels: int) -> None:
        self._length = int(QUEUE_SECONDS * sample_rate_hz)
        self._captured: Audio = np.zeros((self._length, channels), np.float32)
        self._played: Audio = np.zeros((self._length, channels), np.float32)
        self._rows = np.zeros((ROWS, 3), np.int64)  # session sample, samples, host position
        self._put = self._taken = 0  # rows, each counted by one thread
        self._at = 0  # in samples, of the writer
        self._freed = 0  # in samples, of the reader
        self.lost_samples = 0

    def put(self, sample: int, position_samples: int, captured: Audio, played: Audio) -> None:
        """Add a block.  [audio]"""
        n = len(played)
        if self._put - self._taken >= ROWS or self._at + n - self._freed > self._length:
            self.lost_samples += n
            return
        begin = self._at % self._length
        first = min(n, self._length - begin)
        for store, block in ((self._captured, captured), (self._played, played)):
            store[begin : begin + first] = block[:first]
            store[: n - first] = block[first:]
        row = self._rows[self._put % ROWS]
        row[0], row[1], row[2] = sample, n, position_samples
        self._at += n
        self._put += 1

    def take(self) -> list[QueuedBlock]:
        """All blocks since the last call, as copies.  [main]"""
        found = []
        while self._taken < self._put:
            sample, n, position = (int(value) for value in self._rows[self._taken % ROWS])
            at = np.arange(self._freed, self._freed + n) % self._length
            found.append(QueuedBlock(sample, position, self._captured[at], self._played[at]))
            self._freed += n
            self._taken += 1
        return found


class JamMemory:
    """The last minutes of a jam by session sample: the player's music and Segue's, float32 [n, channels]. [main]"""

    def __init__(self, sample_rate_hz: int, channels: int, round_trip_samples: int = 0) -> None:
        self._length = int(MEMORY_SECONDS * sample_rate_hz)
        self._input: Audio = np.zeros((self._length, channels), np.float32)
        self._own: Audio = np.zeros((self._length, channels), np.float32)
        self.round_trip_samples = round_trip_samples
        self.end = 0  # of Segue's own
        self.input_end = -round_trip_samples  # the first session sample whose input is not known yet

    def keep(self, heard: Audio, played: Audio) -> None:
        """Add what is newly known: the player's music, in the order it was captured, and Segue's.  [main]"""
        self._own[np.arange(self.end, self.end + len(played)) % self._length] = played
        self.end += len(played)
        self._input[np.arange(self.input_end, self.input_end + len(heard)) % self._length] = heard
        self.input_end += len(heard)

    def input(self, begin: int, end: int) -> Audio:
        """The player's music; zeros outside what is kept.  [main]"""
        return self._read(self._input, begin, end, self.input_end)

    def own(self, begin: int, end: int) -> Audio:
        """Segue's music; zeros outside what is kept.  [main]"""
        return self._read(self._own, begin, end, self.end)

    def both(self, begin: int, end: int) -> Audio:
        """The player's music and Segue's together.  [main]"""
        return self.input(begin, end) + self.own(begin, end)

    def _read(self, store: Audio, begin: int, end: int, known: int) -> Audio:
        found = np.zeros((max(0, end - begin), store.shape[1]), np.float32)
        first, last = max(begin, 0, known - self._length), min(end, known)
        if first < last:
            found[first - begin : last - begin] = store[np.arange(first, last) % self._length]
        return found
