"""Takes what Segue plays out of what the microphone hears; Segue knows its own output sample for sample.

    captured --------------------------(-)--> cleaned
                                        |
    played --delay D--[short filter]----+          D and the filter by `leak_learner`, on a thread of its own

    captured, played  |--- stretch ---|--- stretch ---|--- stretch ---|
    learned from it                   |===============>               the thread has a stretch's time
    used                                              |--------------->

Everything happens on a grid of hops, and what is learned from a stretch is used when the next one has ended, not before
and not after: the same samples give the same bits, however they were cut into blocks and however fast the machine is.
Without a leak no filter is applied, and the captured samples pass unchanged.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from bridge.ring.form import Audio
from plugin_host.jam.listening.history import History
from plugin_host.jam.listening.leak_learner import LeakFinding, LeakLearner, Learned


def hop_for(sample_rate_hz: int) -> int:
    """Samples of a hop: about 10 ms, a power of two.  [any]"""
    return 2 ** round(np.log2(0.0107 * sample_rate_hz))


class LeakCanceller:
    """Cleans hops of `hop` samples; `finding` says what leaks.  [main]"""

    def __init__(self, sample_rate_hz: int, channels: int) -> None:
        self.hop = hop_for(sample_rate_hz)
        self._learner = LeakLearner(sample_rate_hz, self.hop, channels)  # of the thread, once it learns
        self._stretch, self._block = self._learner.stretch, self._learner.block
        self._captured = History(self._stretch, channels)
        self._played = History(self._stretch + self._learner.longest + self._block, channels)
        self._thread = ThreadPoolExecutor(1, "segue-jam-leak")  # ends with this object
        self._learning: Future[Learned] | None = None
        self._learned = self._before = self._learner.learned  # of the hops to come, and of the hop before

    @property
    def finding(self) -> LeakFinding:
        """What leaks, of what is used by now."""
        return self._learned.finding

    def clean(self, captured: Audio, played: Audio) -> Audio:
        """A hop of the player's own sound [hop, channels] from a hop of both; a new array.

        Where a stretch ends it waits for what was learned from the one before, if that is not done yet.
        """
        self._captured.add(captured)
        self._played.add(_mid_and_side(played))
        out = captured.copy()
        leak = self._leak()
        if leak is not None:
            out -= leak
        if self._captured.end % self._stretch == 0:
            self._turn()
        return out

    def _turn(self) -> None:
        """Use what was learned from the stretch before, and learn from the one that has just ended."""
        if self._learning is not None:
            self._learned = self._learning.result()
        start, end = self._captured.end - self._stretch, self._captured.end
        both = self._captured.span(start, end), self._played.span(start, end)
        self._learning = self._thread.submit(self._learner.learn, *both)

    def _leak(self) -> Audio | None:
        new = self._filtered(self._learned)
        if self._before is self._learned:
            return new
        old = self._filtered(self._before)
        self._before = self._learned
        if old is None and new is None:
            return None
        ramp = ((np.arange(self.hop, dtype=np.float32) + 1) / self.hop)[:, None]
        return np.asarray((0 if new is None else ramp * new) + (0 if old is None else (1 - ramp) * old), np.float32)

    def _filtered(self, learned: Learned) -> Audio | None:
        """What leaks into the newest hop, by overlap-save."""
        filters = learned.filters
        if filters is None:
            return None
        size, end = self._block, self._played.end - learned.first
        source = self._played.span(end - size, end)[:, : filters.shape[1]]
        if not source.any():
            return None
        there = np.einsum("crf,fr->cf", filters, np.fft.rfft(source.astype(np.float64), axis=0))
        return np.fft.irfft(there, size, axis=1)[:, -self.hop :].T.astype(np.float32)


def _mid_and_side(played: Audio) -> Audio:
    """Mid and side of stereo, so that a signal in the middle has one path; other numbers of channels unchanged."""
    if played.shape[1] != 2:
        return played
    left, right = played[:, 0], played[:, 1]
    return np.stack([0.5 * (left + right), 0.5 * (left - right)], axis=1)
