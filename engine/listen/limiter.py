"""Keeps the true peak below a ceiling: looks ahead, reduces the gain before a peak, recovers slowly.

    samples          ...  block k (16)  | k + 1 |  ...   peaks are measured between samples, see true_peak
    needed           0    0    31   0    0    0          reduction of a block in 1/256 dB, rounded up
    released         0    0    31   29   27   25         falls by a limited amount a block
    ahead            31   31   31   29   27   25         the largest of the next ATTACK_SECONDS
    mean             10   20   31   30   29   27         of the last ATTACK_SECONDS: a ramp that arrives in time
    gain             a straight line in dB between blocks, never less than either needs

Blocks have fixed positions in the stream and reductions are whole numbers, so any cut of the input gives bit for bit
the same samples. Output sample n is input sample n, reduced: nothing moves, the output only comes later.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.listen import true_peak
from engine.listen.true_peak import AFTER, BEFORE, Audio

CEILING_DBTP = -1.0
SAFETY_DB = 0.1  # another meter may interpolate differently
BLOCK = 16
ATTACK_SECONDS = 0.004
RELEASE_DB_PER_SECOND = 30.0
STEPS = 256  # per dB
MEMORY_SECONDS = 1.5  # older samples do not affect the gain: 45 dB are released by then

Steps = NDArray[np.int64]


@dataclass(frozen=True)
class LimiterState:
    """`audio` [m, C] from sample `start` (whole blocks) on; `released` of the blocks from `first_block` on.  [any]"""

    audio: Audio
    start: int
    released: Steps
    first_block: int
    next_sample: int


class PeakLimiter:
    """Processes float32 [n, C] at one sample rate; stores no stream's state."""

    def __init__(self, sample_rate_hz: int, ceiling_dbtp: float = CEILING_DBTP) -> None:
        self.attack = max(1, round(ATTACK_SECONDS * sample_rate_hz / BLOCK))
        self.fall = max(1, round(RELEASE_DB_PER_SECOND * BLOCK / sample_rate_hz * STEPS))
        self.limit = 10.0 ** ((ceiling_dbtp - SAFETY_DB) / 20.0)
        self.weights = true_peak.kernels(sample_rate_hz)
        self.harmless = self.limit / true_peak.most(self.weights)  # lower samples have no peak above the limit
        self.memory_samples = int(MEMORY_SECONDS * sample_rate_hz) + 2 * BLOCK * (self.attack + 2)

    @property
    def lookahead_samples(self) -> int:
        """The most input samples after its own position that an output needs.  [any]"""
        return AFTER + BLOCK * (self.attack + 2)

    def init(self, channels: int, first_sample: int = 0, before: Audio | None = None) -> LimiterState:
        """State before `first_sample`; `before` [m, C] is the input that ends there, silence by default.

        With `memory_samples` of it the stream continues as if it had never stopped.  [any]
        """
        known = np.zeros((0, channels), np.float32) if before is None else before[-self.memory_samples :]
        begin = first_sample - len(known)
        start = (begin - BEFORE) // BLOCK * BLOCK
        audio = np.concatenate([np.zeros((begin - start, channels), np.float32), known])
        first_block = start // BLOCK + -(-BEFORE // BLOCK)
        quiet = np.zeros(self.attack + 1, np.int64)
        return LimiterState(audio, start, quiet, first_block - len(quiet), first_sample)

    def step(self, audio: Audio, state: LimiterState, last: bool = False) -> tuple[Audio, LimiterState]:
        """Add [n, C]; returns final samples and the next state, with `last` all the rest.  [generate]"""
        known = np.concatenate([state.audio, audio.astype(np.float32, copy=False)])
        end = state.start + len(known)
        if last:
            known = np.concatenate([known, np.zeros((self.lookahead_samples + BLOCK, known.shape[1]), np.float32)])
        released = np.concatenate([state.released, self._measure(known, state)])
        after = state.first_block + len(released)  # the block after the last measured one
        stop = end if last else max(state.next_sample, (after - self.attack - 1) * BLOCK)
        out = known[state.next_sample - state.start : stop - state.start]
        gain = self._gain(released, state.first_block, state.next_sample, stop)
        if gain is not None:
            out = out * gain[:, None]
        keep_block = stop // BLOCK - self.attack - 1
        keep_from = min(after * BLOCK - BEFORE, stop) // BLOCK * BLOCK
        return out, LimiterState(
            known[keep_from - state.start :], keep_from,
            released[max(0, keep_block - state.first_block) :], max(keep_block, state.first_block), stop,
        )  # fmt: skip

    def _measure(self, known: Audio, state: LimiterState) -> Steps:
        """The released reductions of the blocks after those of `state`, as far as their samples are known."""
        first = state.first_block + len(state.released)
        begin = first * BLOCK - state.start - BEFORE
        count = (len(known) - begin - BEFORE - AFTER) // BLOCK
        if count <= 0:
            return np.zeros(0, np.int64)
        needed = self._needed(known[begin : begin + BEFORE + count * BLOCK + AFTER], count)
        falling = np.arange(1, count + 1, dtype=np.int64) * self.fall
        risen = np.maximum(np.maximum.accumulate(needed + falling), state.released[-1])
        return risen - falling

    def _needed(self, part: Audio, count: int) -> Steps:
        """The needed reductions of `count` blocks; `part` includes the samples around them."""
        needed = np.zeros(count, np.int64)
        channels = part.T[:1] if bool((part == part[:, :1]).all()) else part.T
        windows = np.lib.stride_tricks.sliding_window_view(channels, BEFORE + BLOCK + AFTER, axis=1)[:, ::BLOCK]
        busy = np.flatnonzero(np.abs(windows).max(axis=(0, 2)) > self.harmless)
        if len(busy):
            largest = true_peak.peaks(windows[:, busy], self.weights).max(axis=(0, 2)).astype(np.float64)
            over = np.ceil(20.0 * STEPS * np.log10(np.maximum(largest, self.limit) / self.limit))
            needed[busy] = over.astype(np.int64)
        return needed

    def _gain(self, released: Steps, first_block: int, start: int, stop: int) -> NDArray[np.float32] | None:
        """Gain [stop - start]; None if all of it is 1."""
        if stop <= start:
            return None
        first, last = start // BLOCK, -(-stop // BLOCK)  # the blocks to be turned down
        width = self.attack + 1
        part = released[first - width - first_block : last + width - first_block]
        if not part.any():
            return None
        ahead = np.lib.stride_tricks.sliding_window_view(part, width).max(axis=1)
        sums = np.concatenate([[0], np.cumsum(ahead)])
        mean = (sums[width:] - sums[:-width]) / width  # of blocks first - 1 to last
        edges = np.maximum(mean[:-1], mean[1:])  # before each block, and after the last
        inside = np.arange(BLOCK) / BLOCK
        steps = (edges[:-1, None] + (edges[1:] - edges[:-1])[:, None] * inside).reshape(-1)
        gain = np.exp(steps * (-np.log(10.0) / 20.0 / STEPS)).astype(np.float32)
        return gain[start - first * BLOCK : stop - first * BLOCK]
